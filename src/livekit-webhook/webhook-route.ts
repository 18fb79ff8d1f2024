import { SetMetadata } from '@nestjs/common';

const WEBHOOK_ROUTE = Symbol.for('nestjs-livekit-webhooks:route');

/** Marks a controller's method as a webhook route; Nest copies the mark onto what it registers with the adapter. */
export const WebhookRoute = (): MethodDecorator => SetMetadata(WEBHOOK_ROUTE, true);

/** Whether what an adapter has registered is a webhook route. */
export const isWebhookRoute = (handler: object): boolean => Reflect.hasMetadata(WEBHOOK_ROUTE, handler);
