import { capturedCall, type CapturedDelivery, type TruthLine } from '../../src/testing/captured-calls.js';

export {
  CAPTURED_KEY as CAPTURE_KEY,
  capturedCalls as scenarios,
  type CapturedDelivery,
  type TruthLine,
} from '../../src/testing/captured-calls.js';

/** The deliveries of a captured call, in the order of arrival. */
export const deliveries = (scenario: string): CapturedDelivery[] => capturedCall(scenario).deliveries;

/** What the clients of a captured call did. */
export const truth = (scenario: string): TruthLine[] => capturedCall(scenario).truth;
