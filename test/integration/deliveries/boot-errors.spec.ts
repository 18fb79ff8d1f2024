import { Injectable, Module, Scope } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { EventStore } from '../../../src/database/event-store.js';
import { OnAppEvent } from '../../../src/event-log/handlers/on-app-event.decorator.js';
import { OnLivekitEvent } from '../../../src/livekit-webhook/on-livekit-event.decorator.js';
import type { LivekitEvent } from '../../../src/livekit-webhook/livekit-events.js';
import { type FreshDatabase, freshDatabase, sqlQuery } from '../../support/database.js';
import { bootHandlers, type HandlerHostShape } from '../../support/handlers.js';
import { testOnPostgres } from '../../support/only-on.js';

@Injectable()
class Twins {
  @OnLivekitEvent('room_started', { name: 'twin' })
  one() {}

  @OnAppEvent('order.created', { name: 'twin' })
  other() {}
}

@Injectable({ scope: Scope.REQUEST })
class Requested {
  @OnLivekitEvent('room_started')
  take() {}
}

@Injectable()
class NeedsRequested {
  constructor(readonly requested: Requested) {}

  @OnAppEvent('order.created')
  take() {}
}

@Injectable()
class Egress {
  @OnLivekitEvent(['room_finished', 'egress_ended'])
  archive() {}
}

@Injectable()
class Transactional {
  @OnLivekitEvent('room_started', { transactional: true })
  take() {}
}

@Injectable()
class Contradicts {
  @OnLivekitEvent('room_started', { concurrency: 1 })
  @OnLivekitEvent('room_finished', { concurrency: 2 })
  take(_: LivekitEvent<'room_started' | 'room_finished'>) {}
}

@Injectable()
class Shared {
  @OnLivekitEvent('room_started')
  take() {}
}

@Module({ providers: [Shared] })
class First {}

@Module({ providers: [Shared] })
class Second {}

const badOptions = (options: object) => {
  @Injectable()
  class Wrong {
    @OnLivekitEvent('room_started', options)
    take() {}
  }
  return Wrong;
};

describe('the application does not start, and says class, method and cure,', () => {
  let database: FreshDatabase;

  beforeEach(async () => {
    database = await freshDatabase();
  });

  afterEach(async () => {
    await database.drop();
  });

  const cases: [string, Partial<HandlerHostShape>, RegExp][] = [
    [
      'two handlers have one name',
      { providers: [Twins] },
      /Twins\.other: handler `twin` has the same name as Twins\.one: give each a `name`/,
    ],
    [
      'a class is provided twice',
      { imports: [First, Second] },
      /Shared\.take: handler `Shared\.take` its class is provided twice: provide it in one module/,
    ],
    [
      'a handler is request-scoped',
      { providers: [Requested] },
      /Requested\.take: a durable handler has no request.*default scope/s,
    ],
    [
      'a handler needs what is request-scoped',
      { providers: [Requested, NeedsRequested] },
      /(NeedsR|R)equested\.take: a durable handler has no request/,
    ],
    [
      '`events` shuts out what a handler names',
      { providers: [Egress], options: { events: ['room_finished'] } },
      /Egress\.archive: handles `egress_ended`, which the option `events` of the module shuts out: add it there/,
    ],
    [
      'decorators of a method contradict each other',
      { providers: [Contradicts] },
      /Contradicts\.take: two of its decorators say different things of `concurrency`/,
    ],
    [
      'a batch is none',
      { providers: [badOptions({ batch: 0 })] },
      /Wrong\.take: option `batch` must be a whole number from 1 to 1000/,
    ],
    [
      'a time-out is not a number',
      { providers: [badOptions({ timeout: '30s' })] },
      /Wrong\.take: option `timeout` must be/,
    ],
    [
      'a room is to be blocked that is in no order',
      { providers: [badOptions({ onDeadLetter: 'block' })] },
      /Wrong\.take: option `onDeadLetter`.*without `ordering: 'room'`/,
    ],
    [
      'a backfill is to begin at no date',
      { providers: [badOptions({ backfill: new Date('next tuesday') })] },
      /Wrong\.take: option `backfill` must be true, false or a valid Date/,
    ],
    [
      'an option is misspelt',
      { providers: [badOptions({ orderring: 'room' })] },
      /Wrong\.take: option `orderring` is none: there are name, transactional, batch, ordering/,
    ],
    [
      'a name can not be filed under',
      { providers: [badOptions({ name: "it's" })] },
      /Wrong\.take: a handler's `name` is 1 to 200/,
    ],
  ];

  test.each(cases)('when %s', async (_, shape, message) => {
    await expect(bootHandlers({ url: database.url, providers: [], ...shape })).rejects.toThrow(message);
  });

  testOnPostgres('when a transactional handler has no transaction to be had', async () => {
    await expect(bootHandlers({ url: database.url, providers: [Transactional] })).rejects.toThrow(
      /Transactional\.take: is `transactional`, and there is no transaction to be had: .*`database: \{ url, handlers: dataSource \}`/,
    );
  });

  testOnPostgres("when the host's role may not acknowledge", async () => {
    await (await EventStore.open({ url: database.url })).close();
    const role = `role_of_${new URL(database.url).pathname.slice(1)}`;
    await sqlQuery(database.url, `CREATE ROLE ${role}`);
    await sqlQuery(database.url, `GRANT SELECT ON livekit_deliveries TO ${role}`);
    const extra = { options: `-c role=${role}` };
    const handlers = await new DataSource({
      type: 'postgres',
      url: database.url,
      installExtensions: false,
      extra,
    }).initialize();
    try {
      const options = { database: { url: database.url, handlers } };
      await expect(bootHandlers({ url: database.url, providers: [Transactional], options })).rejects.toThrow(
        `GRANT SELECT, UPDATE ON livekit_deliveries TO "${role}"`,
      );
    } finally {
      await handlers.destroy();
      await sqlQuery(database.url, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  testOnPostgres("when the host's DataSource is not connected yet", async () => {
    const handlers = new DataSource({ type: 'postgres', url: database.url });
    const options = { database: { url: database.url, handlers } };
    await expect(bootHandlers({ url: database.url, providers: [Transactional], options })).rejects.toThrow(
      /`database\.handlers` is not connected yet: `await dataSource\.initialize\(\)`/,
    );
  });
});
