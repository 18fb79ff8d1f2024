/**
 * Tools to test your own modules and handlers: real webhooks at the real endpoint, a clock to set, calls of a real LiveKit
 * server to play. None of them needs a particular test runner.
 *
 * ```ts
 * const KEY = { apiKey: 'APItest', apiSecret: 'a-secret-that-only-tests-know' };
 *
 * test('a call is billed, and once, though the first attempt fails', async () => {
 *   const module = await Test.createTestingModule({
 *     imports: [LivekitWebhookModule.forRoot({ ...KEY, database: { url: ':memory:' } }), BillingModule],
 *   })
 *     .overrideProvider(CLOCK)
 *     .useValue(new TestClock())
 *     .compile();
 *   const app = module.createNestApplication();
 *   const livekit = new WebhookTester(app, KEY);
 *   app.get(Ledger).isDown = true;
 *   await livekit.play('two-party-call', { order: 'reversed', repeat: 2 });
 *   app.get(Ledger).isDown = false;
 *   await livekit.advance(60_000); // the retry is due
 *   expect(app.get(Ledger).billed).toEqual(['call-1001']);
 *   await app.close();
 * });
 * ```
 *
 * @module
 */
export {
  CAPTURED_KEY,
  type CapturedCall,
  capturedCall,
  capturedCalls,
  type CapturedDelivery,
  type TruthLine,
} from './captured-calls.js';
export { WebhookTestingError } from './errors.js';
export { type SignedHeaders, type SigningKey, type SigningOptions, signWebhook } from './sign-webhook.js';
export { type Moment, TestClock } from './test-clock.js';
export { type JsonField, webhookBody, type WebhookFields } from './webhook-body.js';
export {
  type DeliverOptions,
  type PlayOptions,
  type TestedApplication,
  type WebhookAnswer,
  WebhookTester,
  type WebhookTesterOptions,
} from './webhook-tester.js';
