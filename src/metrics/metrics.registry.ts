/** The injection token of the Prometheus registry. */
export const METRICS_REGISTRY = Symbol.for('nestjs-livekit-webhooks:metrics-registry');
