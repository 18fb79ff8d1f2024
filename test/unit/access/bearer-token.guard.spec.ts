import { BearerTokenError, BearerTokenGuard } from '../../../src/access/bearer-token.guard.js';
import { LivekitWebhookModule } from '../../../src/livekit-webhook/livekit-webhook.module.js';
import { SessionsModule } from '../../../src/sessions/sessions.module.js';
import { TEST_KEY } from '../../support/signing.js';

describe('a bearer token', () => {
  test.each(['', ' '.repeat(20), 'only-15-letters', 'one that has spaces in it'])(
    'that opens to anybody, or to nobody, is refused: %p',
    (token) => {
      expect(() => BearerTokenGuard(token)).toThrow(BearerTokenError);
    },
  );

  test('is refused where a module is imported with it, and not told', () => {
    for (const importing of [
      () => LivekitWebhookModule.forRoot({ ...TEST_KEY, adminToken: '' }),
      () => SessionsModule.forRoot({ adminToken: 'too-short' }),
    ]) {
      expect(importing).toThrow(BearerTokenError);
      expect(importing).not.toThrow(/too-short/);
    }
  });
});
