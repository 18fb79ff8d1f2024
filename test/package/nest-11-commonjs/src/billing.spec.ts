// What docs/testing.md § Jest promises: Jest makes CommonJS of the package, and all of it, metrics included, can be imported.
import 'reflect-metadata';
import { expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { CLOCK, LivekitWebhookModule, MetricsModule, OnLivekitEvent } from 'nestjs-livekit-webhooks';
import { TestClock, WebhookTester } from 'nestjs-livekit-webhooks/testing';

const KEY = { apiKey: 'APItest', apiSecret: 'a-secret-that-only-tests-know' };

class Billing {
  calls = 0;

  @OnLivekitEvent('room_finished', { name: 'billing' })
  bill() {
    this.calls += 1;
  }
}

test('a call is billed', async () => {
  const module = await Test.createTestingModule({
    imports: [
      LivekitWebhookModule.forRoot({ ...KEY, database: { url: ':memory:' } }),
      MetricsModule.forRoot(),
    ],
    providers: [Billing],
  })
    .overrideProvider(CLOCK)
    .useValue(new TestClock())
    .compile();
  const app = module.createNestApplication();
  const livekit = new WebhookTester(app, KEY);
  await livekit.play('two-party-call');
  expect(app.get(Billing).calls).toBe(1);
  await app.close();
});
