import { LivekitWebhookOptionsError } from '../../../src/livekit-webhook/errors.js';
import type { LivekitWebhookModuleOptions } from '../../../src/livekit-webhook/livekit-webhook.options.js';

export const KEY = { apiKey: 'APIkey', apiSecret: 'a-secret-that-must-not-be-told' };

/** Where webhooks are received unless a path is given. */
export const PATH = '/voice/livekit/webhooks';

/** An option that is refused, the options that it stands in, and the cure that is named. */
export type Refusal = [option: string, options: LivekitWebhookModuleOptions, cure: RegExp];

/** Options as somebody without types may give them. */
export const wrong = (options: object): LivekitWebhookModuleOptions =>
  ({ ...KEY, ...options }) as LivekitWebhookModuleOptions;

/** Whoever refuses names the option and the cure, and tells no secret. */
export function expectRefused(refused: () => unknown, option: string, cure: RegExp): void {
  expect(refused).toThrow(LivekitWebhookOptionsError);
  expect(refused).toThrow(`option \`${option}\``);
  expect(refused).toThrow(cure);
  expect(refused).not.toThrow(KEY.apiSecret);
}
