/** A test asked for something impossible; the message names the cure. */
export class WebhookTestingError extends Error {
  override readonly name = 'WebhookTestingError';
}
