import { EventStore } from '../../src/database/event-store.js';
import { systemClock } from '../../src/event-log/clock.js';
import { EventLog } from '../../src/event-log/event-log.js';
import { EventAppender } from '../../src/event-log/append/event-appender.js';
import { Notifications } from '../../src/event-log/notifications.js';
import { PATIENT } from './patience.js';

/** An event log on a database, without an application around it. `onApplicationShutdown` closes it. */
export async function openEventLog(databaseUrl: string): Promise<EventLog> {
  const store = await EventStore.open({ url: databaseUrl });
  const events = new EventAppender(store, systemClock);
  return new EventLog(store, events, new Notifications(store, events), PATIENT);
}
