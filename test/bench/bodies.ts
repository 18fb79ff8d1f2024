import { capturedCall } from '../../src/testing/captured-calls.js';

const BODIES = capturedCall('twelve-calls-at-once').deliveries.map(({ body }) => body);

let made = 0;

/** The body of a real delivery, with an event id that no other has. */
export function nextBody(): { id: string; body: string } {
  made += 1;
  const id = `EV_${process.pid}_${made}`;
  return { id, body: (BODIES[made % BODIES.length] ?? '').replace(/"id":"EV_\w+"/, `"id":"${id}"`) };
}
