export { DeliveryEngineHealthIndicator } from './delivery-engine.health.js';
export { EventStoreHealthIndicator } from './event-store.health.js';
export { LivekitHealthModule } from './health.module.js';
export { OutletsHealthIndicator } from './outlets.health.js';
export { ShutdownHealthIndicator } from './shutdown.health.js';
