// A test as a user of the library writes it, with no test runner but Node's own.
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { CLOCK, type LivekitEvent, LivekitWebhookModule, OnLivekitEvent } from 'nestjs-livekit-webhooks';
import { capturedCalls, TestClock, WebhookTester } from 'nestjs-livekit-webhooks/testing';
import { strict as assert } from 'node:assert';
import { test } from 'node:test';

const KEY = { apiKey: 'APItest', apiSecret: 'a-secret-that-only-tests-know' };

@Injectable()
class Billing {
  readonly billed: string[] = [];
  isDown = true;

  @OnLivekitEvent('room_finished', { name: 'billing' })
  bill({ room }: LivekitEvent<'room_finished'>) {
    if (this.isDown) throw new Error('the ledger is down');
    this.billed.push(room.name);
  }
}

test('a call is billed once, though the first attempt fails', async () => {
  const module = await Test.createTestingModule({
    imports: [LivekitWebhookModule.forRoot({ ...KEY, database: { url: ':memory:' } })],
    providers: [Billing],
  })
    .overrideProvider(CLOCK)
    .useValue(new TestClock())
    .compile();
  const app = module.createNestApplication();
  const livekit = new WebhookTester(app, KEY);
  const billing = app.get(Billing);
  await livekit.play('two-party-call', { repeat: 2 });
  assert.deepEqual(billing.billed, []);
  billing.isDown = false;
  await livekit.advance(60_000);
  assert.deepEqual(billing.billed, ['call-1001']);
  await app.close();
});

test('the captured calls are in the package', () => {
  assert.ok(capturedCalls().includes('recording-outlives-call'));
});
