import { EventLog0000000000001 } from './0001-event-log.js';
import { Sessions0000000000002 } from './0002-sessions.js';

/** Every migration, in their order. */
export const migrations = [EventLog0000000000001, Sessions0000000000002];
