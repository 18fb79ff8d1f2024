/** A test asked for something that can't be; the message names the cure. */
export class WebhookTestingError extends Error {
  override readonly name = 'WebhookTestingError';
}
