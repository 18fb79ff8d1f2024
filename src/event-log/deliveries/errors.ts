/** There is no such delivery, or no such handler. */
export class DeliveryNotFoundError extends Error {
  override readonly name = 'DeliveryNotFoundError';
}

/** A query, a filter or a backfill's start is invalid; the message names what is wrong. */
export class DeliveryRequestError extends Error {
  override readonly name = 'DeliveryRequestError';
}

/** The state of a delivery, or of a handler's backfill, does not allow the request; the message says why. */
export class DeliveryStateError extends Error {
  override readonly name = 'DeliveryStateError';
}
