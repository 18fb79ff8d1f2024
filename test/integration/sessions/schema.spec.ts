import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';
import { EventStore } from '../../../src/database/event-store.js';
import { bytes } from '../../../src/database/sql.js';
import { SESSION_EVENT_NAMES } from '../../../src/sessions/events/session-events.js';
import { scenarios } from '../../support/captures.js';
import { sessionHosts, without } from '../../support/session-host.js';

const schema = JSON.parse(readFileSync('docs/session-events.schema.json', 'utf8')) as object;

describe('the schema of session events', () => {
  const hosts = sessionHosts();

  test('is what every event looks like that recorded calls cause', async () => {
    const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);
    const host = await hosts.boot();
    await host.service.expect('nobody-comes', { metadata: { any: ['thing'] }, expiresIn: 1_000 });
    for (const scenario of scenarios()) await host.play(scenario, without('participant_left'));
    await host.pass(3_600_000);
    for (const scenario of scenarios()) await host.play(scenario);
    const rows = await host.app
      .get(EventStore)
      .read((manager) =>
        manager.query<{ name: string; raw: Buffer | ArrayBuffer }[]>(
          "SELECT e.name, b.raw FROM livekit_events e JOIN livekit_bodies b ON b.event_seq = e.seq WHERE e.kind = 'session'",
        ),
      );
    const names = new Set<string>();
    for (const { name, raw } of rows) {
      const data: unknown = JSON.parse(bytes(raw).toString());
      validate({ [name]: data });
      expect({ name, errors: validate.errors ?? [] }).toEqual({ name, errors: [] });
      names.add(name);
    }
    expect([...names].toSorted()).toEqual(SESSION_EVENT_NAMES.toSorted());
    expect(host.events).toHaveLength(rows.length);
  }, 180_000);
});
