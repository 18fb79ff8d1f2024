/** An application that makes sessions of recorded calls, and bills them: `sizes/calls.ts <database url>`. */
import { Deliveries, OnSessionEvent, SessionsModule } from '../../../dist/index.js';
import { application } from '../application.js';
import { answer } from '../child.js';
import { appendTo } from '../events.js';
import { bodiesOf, CALLS, eventOf } from '../sessions/calls.js';

/** How many calls of each of `CALLS`; the answer is how many webhooks they sent. */
export interface CallsQuestion {
  wave: number;
  calls: number;
}

const [url = ''] = process.argv.slice(2);

/** Webhooks that share a commit, as where some thousands come a second. */
const AT_ONCE = 16;

class Billing {
  async bill(): Promise<void> {}
}
const bill = Object.getOwnPropertyDescriptor(Billing.prototype, 'bill') as PropertyDescriptor;
OnSessionEvent('session.settled', { name: 'billing' })(Billing.prototype, 'bill', bill);

answer<CallsQuestion>(async ({ wave, calls }) => {
  const at = Math.floor(Date.now() / 1_000) - 60;
  const events = Array.from({ length: calls }, (_, nth) =>
    CALLS.flatMap((name) => bodiesOf(name, { code: `w${wave}n${nth}-`, at })),
  )
    .flat()
    .map((body) => eventOf(body));
  await appendTo(url, events, { atOnce: AT_ONCE });
  const app = await application({
    database: { url },
    providers: [Billing],
    imports: [SessionsModule.forRoot({ settle: 0 })],
  });
  await app.init();
  await app.get(Deliveries).drain();
  await app.close();
  return events.length;
});
