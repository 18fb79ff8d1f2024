// Checked by `npm run typecheck`, and never run: what must not compile is marked, and fails the check when it does.
import { Log } from '../../../src/logging/log.js';
import { startSpan } from '../../../src/tracing/spans.js';

export function says(log: Log<'Outlets'>): void {
  log.log('an outlet is up again', { outlet: 'redis' });
  // @ts-expect-error no field of any line
  log.log('an outlet is up again', { outlet: 'redis', body: 'a secret' });
  // @ts-expect-error a field, but not of this line
  log.log('an outlet is up again', { room: 'a room' });
  // @ts-expect-error a message that is not on the list
  log.log('an outlet is fine', { outlet: 'redis' });
  // @ts-expect-error a message that something is put into
  log.log(`an outlet is up again${String(log)}`);
  // @ts-expect-error not at this level
  log.error('an outlet is up again', { outlet: 'redis' });
  // @ts-expect-error a line of another part
  log.warn('a session is unmatched');
  // @ts-expect-error an attribute that no span has
  startSpan('process', { attributes: { 'livekit.room': 'a room' } });
}
