/** Where the Prometheus registry is injected from. */
export const METRICS_REGISTRY = Symbol.for('nestjs-livekit-webhooks:metrics-registry');
