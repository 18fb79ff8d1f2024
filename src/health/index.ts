export { EventStoreHealthIndicator } from './event-store.health.js';
export { LivekitHealthModule } from './health.module.js';
export { ShutdownHealthIndicator } from './shutdown.health.js';
