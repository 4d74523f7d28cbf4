import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, waitUntil } from './wait.ts';

/** Child processes of tests: their output kept, and none of them survives the test process. */

const running = new Set<ChildProcess>();
const folders = new Set<string>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Standard output and error together, as they came. */
  log(): string;
  /** Exit code (null when a signal ended it), undefined while it runs. */
  readonly exitCode: number | null | undefined;
  /** Resolves with the exit code. */
  exited(timeoutMs?: number): Promise<number | null>;
  /** SIGTERM, then SIGKILL after `graceMs` (default 3000). Resolves with the exit code. */
  stop(graceMs?: number): Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

const LOG_LIMIT = 4_000_000;

export function startChild(options: ChildOptions): Child {
  const process_ = spawn(options.command, options.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  running.add(process_);
  let log = '';
  let exitCode: number | null | undefined;
  const add = (text: Buffer): void => {
    log = (log + text.toString('utf8')).slice(-LOG_LIMIT);
  };
  process_.stdout.on('data', add);
  process_.stderr.on('data', add);
  process_.on('error', (error) => {
    log += `\n${options.command} cannot be started: ${error.message}\n`;
    exitCode ??= 127;
    running.delete(process_);
  });
  process_.on('exit', (code) => {
    exitCode = code;
    running.delete(process_);
  });
  const exited = async (timeoutMs = 10_000): Promise<number | null> => {
    await waitUntil(() => exitCode !== undefined, { timeoutMs, everyMs: 20, what: () => `${options.name} to exit\n${log.slice(-1500)}` });
    return exitCode ?? null;
  };
  return {
    name: options.name,
    pid: process_.pid ?? -1,
    log: () => log,
    get exitCode() {
      return exitCode;
    },
    exited,
    kill: (signal) => void process_.kill(signal),
    stop: async (graceMs = 3000) => {
      if (exitCode !== undefined) return exitCode;
      process_.kill('SIGTERM');
      for (let waited = 0; waited < graceMs && exitCode === undefined; waited += 20) await sleep(20);
      if (exitCode === undefined) process_.kill('SIGKILL');
      return exited(2000);
    },
  };
}

/** A folder of the test, removed with the test process. */
export function temporaryFolder(purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `partyline-${purpose}-`));
  folders.add(folder);
  return folder;
}

export function makeFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
