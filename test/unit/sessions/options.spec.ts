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

test.each([
  'http://livekit:undefined',
  'https://livekit.example.com:99999',
  'https://[livekit]',
  'https://user:password@live^kit',
  'wss://%zz',
])('an address that is none is refused, without the password that it may have: %s', (livekitUrl) => {
  const refused = () => resolveSettings({ livekitUrl: { main: livekitUrl } });
  expect(refused).toThrow(SessionsOptionsError);
  expect(refused).toThrow(
    'option `livekitUrl.main` must be an address such as `https://livekit.example.com`',
  );
});

test.each(['expectTimeout', 'settle', 'recordingTimeout'] as const)(
  'no session is waited for longer than a year: its end would be no date (%s)',
  (option) => {
    const year = 366 * 24 * 3_600_000;
    expect(resolveSettings({ [option]: year })).toMatchObject({ [option]: year });
    const refused = () => resolveSettings({ [option]: Number.MAX_SAFE_INTEGER });
    expect(refused).toThrow(SessionsOptionsError);
    expect(refused).toThrow(`option \`${option}\` must be a whole number from 0 to 31622400000`);
  },
);

test('a text is no list of attributes: each of its letters would be one', () => {
  const refused = () => resolveSettings({ attributes: 'customer' as never });
  expect(refused).toThrow(new SessionsOptionsError('attributes', 'must be a list'));
});
