/** Nothing can be done with this delivery or handler as it is; the message says why. */
export class DeliveryStateError extends Error {
  override readonly name = 'DeliveryStateError';
}
