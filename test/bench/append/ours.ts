/** Our log, without anything before or behind it: `append/ours.ts <database url>`. */
import 'reflect-metadata';
import { EventLog, EventStore } from '../../../dist/index.js';
import { APPEND_QUEUE_LIMITS } from '../../../dist/event-log/append/append-queue.js';
import { EventAppender } from '../../../dist/event-log/append/event-appender.js';
import { systemClock } from '../../../dist/event-log/clock.js';
import { Notifications } from '../../../dist/event-log/notifications.js';
import type { Receiving } from '../events.js';
import { answerByAppending } from './appending.js';

const [url = ''] = process.argv.slice(2);
const store = await EventStore.open({ url });
const events = new EventAppender(store, systemClock);
const notifications = new Notifications(store, events);
await notifications.onApplicationBootstrap(); // other processes are told, as in real use
const log: unknown = new EventLog(store, events, notifications, APPEND_QUEUE_LIMITS);

answerByAppending((event) => (log as Receiving).receive(event));
