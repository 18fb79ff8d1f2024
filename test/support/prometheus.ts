import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from './private-server.js';
import { until } from './until.js';

/** Whether Prometheus is installed (Debian's package `prometheus`). */
export const hasPrometheus = ['prometheus', 'promtool'].every(
  (program) => spawnSync(program, ['--version']).status === 0,
);

/** A series and its value. */
export interface Sample {
  metric: Record<string, string>;
  value: number;
}

/** A Prometheus of a test's own, which scrapes every second. */
export class Prometheus {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** Its origin. */
    readonly url: string,
  ) {}

  /**
   * Starts one.
   *
   * @param targets origins that serve metrics.
   * @param rules that it evaluates, as in a file of rules.
   */
  static async asking(targets: readonly string[], rules: object = { groups: [] }): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-prometheus-'));
    writeFileSync(join(folder, 'rules.yaml'), stringify(rules));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [
        {
          job_name: 'livekit-webhooks',
          static_configs: [{ targets: targets.map((target) => new URL(target).host) }],
        },
      ],
    };
    writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      { stdio: 'ignore' },
    );
    const prometheus = new Prometheus(child, folder, `http://${address}`);
    await until('Prometheus to be ready', () =>
      fetch(`${prometheus.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return prometheus;
  }

  /** Evaluates an expression, now. @throws an error with Prometheus's message. */
  async query(expression: string): Promise<Sample[]> {
    const { result } = await this.ask<{ result: { metric: Sample['metric']; value: [number, string] }[] }>(
      'query',
      { query: expression },
    );
    return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
  }

  /** The names of the alerts that fire. */
  async firing(): Promise<Set<string>> {
    const { alerts } = await this.ask<{ alerts: { state: string; labels: Record<string, string> }[] }>(
      'alerts',
    );
    return new Set(
      alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels['alertname'] as string),
    );
  }

  /** Resolves once every rule has been evaluated anew. */
  async evaluated(): Promise<void> {
    const since = Date.now();
    await until('the rules to be evaluated', async () => {
      const { groups } = await this.ask<{ groups: { lastEvaluation: string }[] }>('rules');
      return groups.every(({ lastEvaluation }) => Date.parse(lastEvaluation) > since);
    });
  }

  /** Stops it, and deletes its data. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async ask<Data>(what: string, parameters: Record<string, string> = {}): Promise<Data> {
    const answer = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = (await answer.json()) as { status: string; error?: string; data: Data };
    if (status !== 'success') throw new Error(`${error}: ${Object.values(parameters).join()}`);
    return data;
  }
}
