import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { ffmpegArguments } from './ffmpeg-arguments.ts';
import type { CompositionPlan } from './plan.ts';

/** A file that could not be composed; its message goes to the log and to the callback. */
export class ComposeError extends Error {
  override readonly name = 'ComposeError';
}

export interface ComposeOptions {
  /** Absolute; its folder is there. The file has this name only when it is whole. */
  outputPath: string;
  /** Ends the work, which then rejects. */
  signal: AbortSignal;
  /** How much of the composition is written. */
  onProgress: (doneMs: number) => void;
}

/** Turns a plan into a file. */
export interface Composer {
  /** Rejects with ComposeError, or with the signal's reason. What was written so far is removed then. */
  compose(plan: CompositionPlan, options: ComposeOptions): Promise<{ durationMs: number; bytes: number }>;
  /** Null, or what is missing and how to get it. */
  problem(): Promise<string | null>;
}

/** No frame for so long: it hangs. */
const STALL_MS = 120_000;
const MAX_COMPLAINT_CHARS = 2000;
const MAX_LINE_CHARS = 1000;
const NEEDED_ENCODERS = ['libx264', 'aac', 'libvpx', 'libopus'];

/** Compositions by ffmpeg as a child process of low priority. */
export class FfmpegComposer implements Composer {
  readonly #command: string;
  readonly #clock: Clock;

  constructor(command: string, deps: { clock: Clock }) {
    this.#command = command;
    this.#clock = deps.clock;
  }

  async problem(): Promise<string | null> {
    try {
      const encoders = await outputOf(this.#command, ['-hide_banner', '-encoders']);
      const missing = NEEDED_ENCODERS.filter((name) => !encoders.includes(` ${name} `));
      return missing.length === 0 ? null : `ffmpeg has no encoder ${missing.join(', ')}`;
    } catch (error) {
      return `ffmpeg cannot be run (${messageOf(error)}): apt-get install ffmpeg`;
    }
  }

  async compose(plan: CompositionPlan, options: ComposeOptions): Promise<{ durationMs: number; bytes: number }> {
    options.signal.throwIfAborted();
    // Of its own: a child that outlived a crash of the server may still be writing another.
    const part = `${options.outputPath}.${randomBytes(4).toString('hex')}.part`;
    try {
      const durationMs = await this.#run(ffmpegArguments(plan, part), options);
      const { size } = await stat(part);
      if (size === 0) throw new ComposeError('ffmpeg wrote nothing');
      options.signal.throwIfAborted();
      await rename(part, options.outputPath);
      // The last of a picture that ffmpeg tells of is some frames before its end.
      return { durationMs: plan.picture ? plan.durationMs : durationMs || plan.durationMs, bytes: size };
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  #run(args: string[], { signal, onProgress }: ComposeOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      child.once('error', (error) => reject(new ComposeError(`${this.#command} cannot be run (${error.message})`)));
      // One that did not start may have no pipes: when there are no more file descriptors.
      if (child.pid === undefined) return;
      const stall = new Stall(this.#clock, child);
      const progress = new ProgressReader();
      const complaint = tail(child);
      const abort = (): void => void child.kill('SIGKILL');
      signal.addEventListener('abort', abort, { once: true });
      lowerPriority(child);
      child.stdout.on('data', (chunk: Buffer) => {
        stall.moved();
        if (progress.read(chunk.toString())) onProgress(progress.doneMs);
      });
      child.once('close', (code) => {
        stall.over();
        signal.removeEventListener('abort', abort);
        if (signal.aborted) reject(signal.reason as Error);
        else if (stall.stalled) reject(new ComposeError(`ffmpeg wrote nothing for ${STALL_MS / 1000} s`));
        else if (code === 0) resolve(progress.doneMs);
        else reject(new ComposeError(`ffmpeg ended with code ${code}: ${complaint()}`));
      });
    });
  }
}

/** Reads `-progress`: lines of `name=value`, a block every half second. */
export class ProgressReader {
  /** What is written so far. */
  doneMs = 0;
  #rest = '';

  /** True when `doneMs` grew. */
  read(text: string): boolean {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
    const before = this.doneMs;
    for (const line of lines) {
      const [, microseconds] = /^out_time_us=(\d{1,15})$/.exec(line.trim()) ?? [];
      if (microseconds !== undefined) this.doneMs = Math.max(this.doneMs, Math.round(Number(microseconds) / 1000));
    }
    return this.doneMs > before;
  }
}

/** Ends a child that does not move. */
class Stall {
  stalled = false;
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  #timer: Timer;

  constructor(clock: Clock, child: ChildProcess) {
    this.#clock = clock;
    this.#child = child;
    this.#timer = this.#start();
  }

  moved(): void {
    this.#timer.cancel();
    this.#timer = this.#start();
  }

  over(): void {
    this.#timer.cancel();
  }

  #start(): Timer {
    return this.#clock.after(STALL_MS, () => {
      this.stalled = true;
      this.#child.kill('SIGKILL');
    });
  }
}

/** Calls go first. */
function lowerPriority({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or the system does not allow it.
  }
}

/** The last of what a child complains of. */
function tail(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-MAX_COMPLAINT_CHARS)));
  return () => text.trim();
}

function outputOf(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 });
    child.once('error', reject);
    if (child.pid === undefined) return;
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(0, 200_000)));
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new ComposeError(`it ended with code ${code}`))));
  });
}
