import { SessionsOptionsError } from '../../../src/sessions/errors.js';
import { resolveSettings } from '../../../src/sessions/sessions.options.js';

test.each([
  ['adminToken', /must stand beside `useFactory`/],
  ['setle', /is none: there are `sessionId`, .*`settle`, .*; and beside .*: `adminToken`/],
])('an option of sessions that nobody would listen to is refused: `%s`', (option, cure) => {
  const refused = () => resolveSettings({ [option]: 'anything' });
  expect(refused).toThrow(SessionsOptionsError);
  expect(refused).toThrow(`option \`${option}\``);
  expect(refused).toThrow(cure);
  expect(resolveSettings({ [option]: undefined })).toBeDefined();
});
