import { EventLog0000000000001 } from './0001-event-log.js';
import { Sessions0000000000002 } from './0002-sessions.js';
import { Deliveries0000000000003 } from './0003-deliveries.js';
import { Engines0000000000005 } from './0005-engines.js';
import { KeptIds0000000000008 } from './0008-kept-ids.js';
import { RoutedIndexes0000000000007 } from './0007-routed-indexes.js';
import { Tracing0000000000006 } from './0006-tracing.js';
import { TrueSessions0000000000004 } from './0004-true-sessions.js';

/** Every migration, in their order. */
export const migrations = [
  EventLog0000000000001,
  Sessions0000000000002,
  Deliveries0000000000003,
  TrueSessions0000000000004,
  Engines0000000000005,
  Tracing0000000000006,
  RoutedIndexes0000000000007,
  KeptIds0000000000008,
];
