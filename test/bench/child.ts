import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

type Reply<T> = { value: T } | { error: string };

/** Where each process leaves a profile of its processor time (`node --cpu-prof`), if that is wanted. */
const profiling = (): string[] => {
  const folder = process.env['BENCH_PROFILES'];
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
};

/** A script of ours in a process of its own, so that nothing that is measured shares a heap or an event loop with another. */
export class Child {
  private constructor(private readonly process: ChildProcess) {}

  /** Resolves once the script says that it is ready: it calls `answer`. */
  static start(script: string, ...args: string[]): Promise<Child> {
    return Child.startIn({}, script, ...args);
  }

  /** The same, with an environment beside that of this process. */
  static async startIn(env: Record<string, string>, script: string, ...args: string[]): Promise<Child> {
    const child = fork(`test/bench/${script}`, args, {
      env: { ...process.env, ...env },
      execArgv: ['--expose-gc', ...profiling(), '--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced', // times stay times
    });
    const started = new Child(child);
    await started.reply();
    return started;
  }

  /** Asks it something, and resolves with its answer. */
  ask<T>(question: object): Promise<T> {
    const answered = this.reply<T>();
    this.process.send(question);
    return answered;
  }

  /** Ends it, by itself (a profile is written at the end), and resolves once it is gone. */
  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    if (this.process.connected) this.process.disconnect();
    await gone;
  }

  private reply<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) =>
        reject(new Error(`${this.process.spawnargs.at(-1)}: exit ${code}`));
      this.process.once('exit', onExit);
      this.process.once('message', (reply: Reply<T>) => {
        this.process.off('exit', onExit);
        if ('error' in reply) reject(new Error(reply.error));
        else resolve(reply.value);
      });
    });
  }
}

/** The other side: answers what the bench asks, until it is gone. */
export function answer<Question>(answerOne: (question: Question) => unknown): void {
  process.on('message', (question) => void send(async () => answerOne(question as Question)));
  process.on('disconnect', () => process.exit());
  process.send?.({ value: 'ready' });
}

async function send(work: () => Promise<unknown>): Promise<void> {
  const message = await work().then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
  process.send?.(message);
}
