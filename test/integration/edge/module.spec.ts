import { Global, Injectable, Module } from '@nestjs/common';
import { DatabaseConfigurationError } from '../../../src/database/errors.js';
import { EventLog } from '../../../src/event-log/event-log.js';
import { LivekitWebhookOptionsError } from '../../../src/livekit-webhook/errors.js';
import { LivekitWebhookModule } from '../../../src/livekit-webhook/livekit-webhook.module.js';
import type { LivekitWebhookModuleOptions } from '../../../src/livekit-webhook/livekit-webhook.options.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { ADAPTERS, bootHost, type Host, type HostShape } from '../../support/host.js';
import { testOnSqlite } from '../../support/only-on.js';
import { TEST_KEY } from '../../support/signing.js';
import { webhook } from '../../support/webhook.js';

/** A host's own configuration, from elsewhere. */
@Injectable()
class ConfigService {
  static databaseUrl = '';

  create(): LivekitWebhookModuleOptions {
    return { ...TEST_KEY, database: { url: ConfigService.databaseUrl } };
  }
}

@Global()
@Module({ providers: [ConfigService], exports: [ConfigService] })
class ConfigModule {}

describe.each(ADAPTERS)('importing the module on %s', (adapter) => {
  let database: FreshDatabase;
  let host: Host | undefined;

  const boot = async (shape: HostShape): Promise<Host> => {
    host = await bootHost(adapter, { databaseUrl: database.url, ...shape });
    return host;
  };

  beforeAll(async () => {
    database = await freshDatabase();
    ConfigService.databaseUrl = database.url;
  });

  afterEach(async () => {
    await host?.close();
    host = undefined;
  });

  afterAll(() => database.drop());

  test.each<[string, HostShape]>([
    [
      'useFactory',
      {
        imports: [ConfigModule],
        webhookModule: () =>
          LivekitWebhookModule.forRootAsync({
            inject: [ConfigService],
            useFactory: async (config: ConfigService) => config.create(),
          }),
      },
    ],
    ['useClass', { webhookModule: () => LivekitWebhookModule.forRootAsync({ useClass: ConfigService }) }],
    [
      'useExisting',
      {
        imports: [ConfigModule],
        webhookModule: () => LivekitWebhookModule.forRootAsync({ useExisting: ConfigService }),
      },
    ],
  ])('forRootAsync with %s', async (_how, shape) => {
    const { deliver, app } = await boot(shape);
    expect((await deliver(webhook())).text).toBe('{"status":"accepted"}');
    expect(app.get(EventLog)).toBeInstanceOf(EventLog);
  });

  test('forRootAsync with a path and projects of their own', async () => {
    const projects = [
      { name: 'common', ...TEST_KEY },
      { name: 'apart', ...TEST_KEY, path: 'apart/' },
    ];
    const { deliver, rows } = await boot({
      webhookModule: (url) =>
        LivekitWebhookModule.forRootAsync({
          path: ['/common', '/apart'],
          useFactory: () => ({ projects, database: { url } }),
        }),
    });
    expect((await deliver(webhook({ id: 'EV_path1' }), { path: '/common' })).status).toBe(200);
    expect((await deliver(webhook({ id: 'EV_path2' }), { path: '/apart' })).status).toBe(200);
    expect((await deliver(webhook())).status).toBe(404);
    expect(
      await rows("SELECT source, event_id FROM livekit_events WHERE event_id LIKE 'EV_path%' ORDER BY seq"),
    ).toEqual([
      { source: 'common', event_id: 'EV_path1' },
      { source: 'apart', event_id: 'EV_path2' },
    ]);
  });

  test('a path that no controller is mounted on is a boot error that names the cure', async () => {
    const projects = [
      { name: 'common', ...TEST_KEY },
      { name: 'apart', ...TEST_KEY, path: '/apart' },
    ];
    const webhookModule: HostShape['webhookModule'] = (url) =>
      LivekitWebhookModule.forRootAsync({
        path: '/common',
        useFactory: () => ({ projects, database: { url } }),
      });
    await expect(boot({ webhookModule })).rejects.toThrow(/`path: \['\/common', '\/apart'\]`/);
  });

  test('a second forRoot is a boot error that names the cure', async () => {
    const again = (url: string) =>
      LivekitWebhookModule.forRoot({ ...TEST_KEY, path: '/again', database: { url } });
    const refusal = expect.objectContaining({
      constructor: LivekitWebhookOptionsError,
      message: expect.stringMatching(/import the module once, .*`projects`/),
    });
    await expect(boot({ imports: [again(database.url)] })).rejects.toEqual(refusal);
    const other = await freshDatabase();
    await expect(boot({ imports: [again(other.url)] })).rejects.toEqual(refusal);
    await other.drop();
  });

  test('the same module imported in two places is one module', async () => {
    const once = LivekitWebhookModule.forRoot({ ...TEST_KEY, database: { url: database.url } });
    @Module({ imports: [once] })
    class Elsewhere {}
    const { deliver } = await boot({ webhookModule: () => once, imports: [Elsewhere] });
    expect((await deliver(webhook())).status).toBe(200);
  });

  test.each<[string, Partial<LivekitWebhookModuleOptions>]>([
    ['apiSecret', { apiSecret: '' }],
    ['apiKey', { apiKey: ' ' }],
    ['events', { events: ['participant_jioned' as 'participant_joined'] }],
    ['bodyLimit', { bodyLimit: Number('1mb') }],
  ])('an option that cannot work is a boot error that names it: %s', async (option, webhooks) => {
    await expect(boot({ webhooks })).rejects.toEqual(
      expect.objectContaining({
        constructor: LivekitWebhookOptionsError,
        message: expect.stringContaining(`option \`${option}\``),
      }),
    );
  });

  test.each(['path', 'decorators', 'role', 'adminToken', 'adminDecorators', 'pth'])(
    'an option that nobody would listen to is a boot error that names it: `%s` of a factory',
    async (option) => {
      const webhookModule: HostShape['webhookModule'] = (url) =>
        LivekitWebhookModule.forRootAsync({
          useFactory: () => ({ ...TEST_KEY, database: { url }, [option]: 'anything' }),
        });
      await expect(boot({ webhookModule })).rejects.toEqual(
        expect.objectContaining({
          constructor: LivekitWebhookOptionsError,
          message: expect.stringContaining(`option \`${option}\``),
        }),
      );
    },
  );

  test('a factory that returns nothing is a boot error that says so', async () => {
    const useFactory = () => undefined as unknown as LivekitWebhookModuleOptions;
    const webhookModule = () => LivekitWebhookModule.forRootAsync({ useFactory });
    await expect(boot({ webhookModule })).rejects.toEqual(
      expect.objectContaining({
        constructor: LivekitWebhookOptionsError,
        message: expect.stringContaining('option `useFactory` gave no options'),
      }),
    );
  });

  test('a database that cannot be is a boot error that does not tell its URL', async () => {
    const refused = boot({ webhooks: { database: { url: 'mysql://root:hunter2@localhost/voice' } } });
    await expect(refused).rejects.toThrow(DatabaseConfigurationError);
    await expect(refused).rejects.not.toThrow(/hunter2/);
  });

  test.each<[string, HostShape, string]>([
    ['of its own', { webhooks: { path: 'hooks/livekit/' } }, '/hooks/livekit'],
    ['behind a prefix', { globalPrefix: 'api', webhooks: { path: '/hooks' } }, '/api/hooks'],
  ])('a path %s, told in the log at start', async (_what, shape, path) => {
    const { deliver, logger } = await boot(shape);
    expect((await deliver(webhook(), { path })).status).toBe(200);
    expect(logger.of('LivekitWebhook')).toContainEqual({ message: 'LiveKit webhooks are received', path });
  });

  testOnSqlite('a store in memory serves just so', async () => {
    const { deliver } = await boot({ webhooks: { database: { url: ':memory:' } } });
    const body = webhook();
    expect((await deliver(body)).text).toBe('{"status":"accepted"}');
    expect((await deliver(body)).text).toBe('{"status":"duplicate"}');
  });
});
