import { createSecretKey } from 'node:crypto';
import { projectKeys } from '../../../src/livekit-webhook/project-keys.js';
import type { SigningKey } from '../../../src/livekit-webhook/signatures/signature.js';
import { LivekitClients } from '../../../src/sessions/reconciliation/livekit-clients.js';
import { resolveSettings, type SessionsModuleOptions } from '../../../src/sessions/sessions.options.js';

const SECRET = 'a-secret-that-nobody-must-read';

const key = (project: string, apiKey?: string): SigningKey => ({
  project,
  ...(apiKey !== undefined && { apiKey }),
  secret: createSecretKey(SECRET, 'utf8'),
});

const clients = (livekitUrl: SessionsModuleOptions['livekitUrl'], ...keys: SigningKey[]): LivekitClients =>
  new LivekitClients(
    resolveSettings({ livekitUrl }),
    projectKeys({ keysByPath: new Map([['/voice', keys]]) }),
  );

describe('whom to ask', () => {
  test.each([[undefined], [''], [{ default: '' }]])('nobody without an address: %p', (livekitUrl) => {
    expect(clients(livekitUrl, key('default', 'API1')).all()).toEqual([]);
    expect(() => clients(livekitUrl, key('default', 'API1')).of('default')).toThrow(
      'option `livekitUrl` is not given for project `default`',
    );
  });

  test('every project at one address, with the first of its keys that has a name', () => {
    const all = clients(
      'wss://livekit.example.com',
      key('red'),
      key('red', 'API2'),
      key('blue', 'API3'),
    ).all();
    expect(all.map(({ project, host, rooms }) => [project, host, Reflect.get(rooms, 'apiKey')])).toEqual([
      ['red', 'livekit.example.com', 'API2'],
      ['blue', 'livekit.example.com', 'API3'],
    ]);
  });

  test('each at its own', () => {
    const all = clients({ red: 'https://red.example.com' }, key('red', 'API1'), key('blue')).all();
    expect(all.map(({ project, host }) => [project, host])).toEqual([['red', 'red.example.com']]);
  });

  test('an address of no project, or of one that has no key, is an error that names the cure', () => {
    expect(() =>
      clients({ green: 'https://x.example.com' }, key('red', 'API1'), key('blue', 'API2')),
    ).toThrow(
      'SessionsModule: option `livekitUrl.green` is the address of a project that does not exist: name one of `red`, `blue`',
    );
    expect(() => clients('https://x.example.com', key('default'))).toThrow(
      'SessionsModule: option `livekitUrl` is given, and project `default` has no API key to ask LiveKit with: give `LivekitWebhookModule` the `apiKey`',
    );
    expect(() => clients({ red: 'https://x.example.com' }, key('red'))).toThrow('option `livekitUrl.red`');
  });
});
