import { readFileSync } from 'node:fs';
import type { Session } from '../../../src/sessions/session.js';
import { chunks } from '../../support/batches.js';
import { deliveries, scenarios } from '../../support/captures.js';
import { freshDatabase } from '../../support/database.js';
import { bootReceiver } from '../../support/receiver.js';

const FOLDER = 'test/integration/sessions/captured-sessions';

type Told = Omit<Session, 'revision'>;

const byRoom = (a: Told, b: Told): number => (a.roomSid < b.roomSid ? -1 : 1);

const expected = scenarios()
  .flatMap((scenario) => {
    const { sessions } = JSON.parse(readFileSync(`${FOLDER}/${scenario}.json`, 'utf8')) as {
      sessions: { session: Told }[];
    };
    return sessions.map(({ session }) => session);
  })
  .toSorted(byRoom);

test('the recorded calls make the same sessions when the process stops and starts again in between', async () => {
  const batches = chunks(scenarios().flatMap((scenario) => deliveries(scenario)));
  const database = await freshDatabase();
  try {
    const third = Math.ceil(batches.length / 3);
    let sessions: Session[] = [];
    for (const from of [0, third, 2 * third]) {
      const receiver = await bootReceiver(database.url);
      for (const batch of batches.slice(from, from + third)) {
        const answers = await Promise.all(
          batch.map((one) => receiver.send(one, batches[0]?.[0]?.receivedAt)),
        );
        expect(new Set(answers)).toEqual(new Set([200]));
      }
      if (from === 2 * third) {
        await receiver.settle();
        sessions = await receiver.sessions();
      }
      await receiver.app.close(); // whatever is not yet in its session is found after the start
    }
    expect(sessions.map(({ revision: _, ...session }) => session).toSorted(byRoom)).toEqual(expected);
  } finally {
    await database.drop();
  }
});
