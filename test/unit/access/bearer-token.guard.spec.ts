import { BearerTokenError, BearerTokenGuard } from '../../../src/access/bearer-token.guard.js';
import { LivekitWebhookModule } from '../../../src/livekit-webhook/livekit-webhook.module.js';
import { MetricsModule } from '../../../src/metrics/metrics.module.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { TEST_KEY } from '../../support/signing.js';

describe('a bearer token', () => {
  test.each(['', ' '.repeat(20), 'only-15-letters', 'one that has spaces in it'])(
    'that opens to anybody, or to nobody, is refused: %p',
    (token) => {
      expect(() => BearerTokenGuard('token', token)).toThrow(BearerTokenError);
    },
  );

  test('is refused where a module is imported with it: its option is told, and not the token', () => {
    for (const [option, importing] of [
      ['adminToken', () => LivekitWebhookModule.forRoot({ ...TEST_KEY, adminToken: '' })],
      ['adminToken', () => SessionsModule.forRoot({ adminToken: 'too-short' })],
      ['token', () => MetricsModule.forRoot({ token: 'too-short' })],
    ] as const) {
      expect(importing).toThrow(BearerTokenError);
      expect(importing).toThrow(`option \`${option}\` must be`);
      expect(importing).not.toThrow(/too-short/);
    }
  });
});
