import { transformFileSync } from '@swc/core';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { backlog } from '../support/backlog.js';
import { ApplicationProcess, buildApplication, killApplications } from '../support/application-process.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { type EngineName, PrivateServer } from '../support/private-server.js';
import { until } from '../support/until.js';

/** What a host runs beside the built library. */
const SOURCES = ['fault/handler-host', 'fault/outlet-host', 'fault/ledger', 'support/random'];

/** Where they are compiled to: a loader that does it at every start would double its time. */
let compiled = '';

/** Builds the programs of `handler-host.ts` and `outlet-host.ts`; `removeHost` takes it away. */
export function buildHost(): void {
  buildApplication();
  compiled = mkdtempSync(resolve('.fault-'));
  for (const source of SOURCES) {
    const target = join(compiled, `${source}.js`);
    mkdirSync(dirname(target), { recursive: true });
    const { code } = transformFileSync(`test/${source}.ts`, {
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true },
      },
      module: { type: 'es6' },
    });
    writeFileSync(target, code);
  }
}

/** Removes what was built. */
export const removeHost = (): void => rmSync(compiled, { recursive: true });

/** What hosts do beside their work. */
export interface HostTraits {
  /** Of every handler, milliseconds; the shortest there is unless told. */
  lease?: number;
  /** Decides which attempts fail; none unless told. */
  seed?: number;
  /** What brings deliveries to them, the database unless told; any other engine has a server of their own. */
  engine?: EngineName;
  /** Which program they run, `handler-host` unless told, and what it is told beside the rest. */
  program?: 'handler-host' | 'outlet-host';
  env?: Record<string, string>;
}

/** A database, the ledger of its handlers, and the hosts that are started on it. */
export class HostProcesses {
  private readonly started: ApplicationProcess[] = [];

  private constructor(
    private readonly database: FreshDatabase,
    /** Where the ledger is. */
    readonly folder: string,
    /** What their engine needs, to be broken; the database needs nothing. */
    readonly server: PrivateServer | undefined,
    private readonly traits: HostTraits,
  ) {}

  static async onFreshDatabase(traits: HostTraits = {}): Promise<HostProcesses> {
    const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-ledger-'));
    const server = await PrivateServer.startFor(traits.engine ?? 'database');
    return new HostProcesses(await freshDatabase(), folder, server, traits);
  }

  get databaseUrl(): string {
    return this.database.url;
  }

  /** Of every handler, milliseconds. */
  get lease(): number {
    return this.traits.lease ?? 1_000;
  }

  /**
   * Spawns a host; it may not listen yet.
   *
   * @param databaseUrl another way to the database.
   * @param own what its environment says, and no other host's.
   */
  launch(databaseUrl = this.databaseUrl, own: Record<string, string> = {}): ApplicationProcess {
    const { lease, folder } = this;
    const seed = String(this.traits.seed ?? '');
    const { program: name = 'handler-host', env: more } = this.traits;
    const told = { FAULT_FOLDER: folder, FAULT_LEASE: String(lease), FAULT_SEED: seed };
    const env = { ...told, ...this.server?.env, ...more, ...own };
    const program = [join(compiled, `fault/${name}.js`)];
    const host = ApplicationProcess.launch(databaseUrl, env, program);
    this.started.push(host);
    return host;
  }

  /** Spawns a host, and resolves once it listens. */
  async start(databaseUrl?: string, own?: Record<string, string>): Promise<ApplicationProcess> {
    const host = this.launch(databaseUrl, own);
    await host.listening;
    return host;
  }

  /** Resolves when nothing is left to do. */
  async drained(): Promise<void> {
    await until(
      'handlers to have done everything',
      async () => (await backlog(this.databaseUrl)) === 0,
      180_000,
    );
  }

  /** What they logged as errors, all of them but that their engine was broken. */
  get errors(): string[] {
    return this.started
      .flatMap(({ errors }) => errors)
      .filter((line) => !line.includes('takes no deliveries'));
  }

  /** Attempts of this number do not end from now on. */
  hold(attempt: number): void {
    writeFileSync(this.gate(attempt), '');
  }

  /** Lets them end. */
  letGo(attempt: number): void {
    rmSync(this.gate(attempt));
  }

  /** Kills what runs, and takes away what there was. */
  async remove(): Promise<void> {
    await killApplications();
    await this.server?.remove();
    await this.database.drop();
    rmSync(this.folder, { recursive: true });
  }

  private gate(attempt: number): string {
    return join(this.folder, `hold-${attempt}`);
  }
}
