import { SetMetadata } from '@nestjs/common';

const WEBHOOK_PATH = Symbol.for('nestjs-livekit-webhooks:path');

/** Marks a controller's method as the webhook route of a path; Nest copies the mark onto the handler that it registers. */
export const WebhookRoute = (path: string): MethodDecorator => SetMetadata(WEBHOOK_PATH, path);

/** The path of a webhook route that an adapter has registered, as configured; undefined for other routes. */
export const webhookPathOf = (handler: object): string | undefined =>
  Reflect.getMetadata(WEBHOOK_PATH, handler) as string | undefined;
