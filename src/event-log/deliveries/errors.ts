/** There is no such delivery, or no such handler. */
export class DeliveryNotFoundError extends Error {
  override readonly name = 'DeliveryNotFoundError';
}

/** A filter, a cursor or a start is not understood; the message names what is wrong. */
export class DeliveryRequestError extends Error {
  override readonly name = 'DeliveryRequestError';
}

/** Nothing can be done with this delivery as it is; the message says why. */
export class DeliveryStateError extends Error {
  override readonly name = 'DeliveryStateError';
}
