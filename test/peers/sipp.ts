import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startChild, temporaryFolder, type Child } from './child.ts';
import { freePort, freePorts } from './ports.ts';
import { writeKeysUlaw, writeToneUlaw } from './tones.ts';

/** SIPp runs one scenario file of test/interop/sipp against the server, or as a server of its own. */

export interface SippOptions {
  /** File name in test/interop/sipp, without `.xml`. */
  scenario: string;
  /** `host:port` to call; absent for scenarios that wait to be called. */
  remote?: string;
  /** `[service]` of the scenario: the number called. */
  service?: string;
  /** `[field…]`-like keys of the scenario: `-key name value`. */
  keys?: Record<string, string>;
  transport?: 'udp' | 'tcp';
  /** Calls in all, default 1. */
  calls?: number;
  /** Percent of messages dropped on purpose. */
  lostPercent?: number;
  /** Default 30 000; the run fails after it. */
  timeoutMs?: number;
  localPort?: number;
  /** Which address it calls from, default 127.0.0.1. */
  address?: string;
  toneHz?: number;
  /** Keys in `keys.ul`, as tones. */
  keysInSound?: string;
  /** For `[authentication]`; `uri` without its scheme. */
  authentication?: { username: string; password: string; uri: string };
}

export interface SippRun {
  readonly name: string;
  readonly sipPort: number;
  readonly child: Child;
  /** Exit code, 0 when every call went as the scenario says. */
  result(): Promise<number | null>;
  log(): string;
  stop(): Promise<void>;
}

const SCENARIOS = fileURLToPath(new URL('../interop/sipp/', import.meta.url));

export async function startSipp(options: SippOptions): Promise<SippRun> {
  const folder = temporaryFolder('sipp');
  const { transport = 'udp', calls = 1, timeoutMs = 30_000, address = '127.0.0.1' } = options;
  const sipPort = options.localPort ?? (await freePort());
  const mediaPort = await freePorts(8);
  writeToneUlaw(folder, options.toneHz ?? 440);
  if (options.keysInSound !== undefined) writeKeysUlaw(folder, options.keysInSound);
  const args = [
    ...(options.remote === undefined ? [] : [options.remote]),
    ...['-sf', `${SCENARIOS}${options.scenario}.xml`, '-s', options.service ?? 'nobody', '-i', address, '-mi', address, '-p', String(sipPort)],
    ...['-mp', String(mediaPort), '-m', String(calls), '-r', '10'],
    ...['-timeout', `${Math.ceil(timeoutMs / 1000)}s`, '-timeout_error', '-nostdin', '-trace_err', '-error_file', `${folder}/errors.log`, '-trace_msg', '-message_file', `${folder}/messages.log`],
    ...(transport === 'tcp' ? ['-t', 't1'] : []),
    ...(options.lostPercent === undefined ? [] : ['-lost', String(options.lostPercent)]),
    ...(options.authentication === undefined ? [] : ['-au', options.authentication.username, '-ap', options.authentication.password, '-auth_uri', options.authentication.uri]),
    ...Object.entries(options.keys ?? {}).flatMap(([name, value]) => ['-key', name, value]),
  ];
  const name = `sipp ${options.scenario} ${transport}`;
  const child = startChild({ name, command: 'sipp', args, cwd: folder, env: { ...process.env, TERM: 'dumb' } });
  const written = (file: string): string => (existsSync(`${folder}/${file}`) ? readFileSync(`${folder}/${file}`, 'utf8') : '');
  const log = (): string => `${written('messages.log')}\n${written('errors.log')}\n${child.log().slice(-1500)}`;
  return {
    name,
    sipPort,
    child,
    result: () => child.exited(timeoutMs + 10_000),
    log,
    stop: async () => void (await child.stop(500)),
  };
}

/** Runs a scenario to its end; returns the exit code and everything it said. */
export async function runSipp(options: SippOptions): Promise<{ code: number | null; log: string }> {
  const run = await startSipp(options);
  try {
    return { code: await run.result(), log: run.log() };
  } finally {
    await run.stop();
  }
}
