import { capturedCall, signWebhook } from 'nestjs-livekit-webhooks/testing';
import { config } from './config.js';

const CALLS = ['two-party-call', 'sip-caller', 'recorded-call', 'recording-failed'];

/** Sends the webhooks of recorded calls as LiveKit would, each twice: LiveKit repeats what it thinks was lost. */
export async function playRecordedCalls(): Promise<void> {
  for (const call of CALLS) {
    const answers: Record<string, number> = {};
    for (const { body } of capturedCall(call).deliveries.flatMap((delivery) => [delivery, delivery])) {
      const response = await fetch(`${config.url}/voice/livekit/webhooks`, {
        method: 'POST',
        headers: signWebhook(body, config.livekit),
        body,
      });
      const { status } = (await response.json()) as { status: string };
      answers[status] = (answers[status] ?? 0) + 1;
    }
    console.log(`played  ${call}: ${JSON.stringify(answers)}`);
  }
}
