import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** What a `<Gather>` asks of speech: its attributes, handed on as they are. */
export interface RecognitionWishes {
  /** BCP 47, `en-US`. */
  language: string;
  /** Words and phrases that are likely. */
  hints: readonly string[];
  /** Empty: the recognizer's own choice. */
  model: string;
  profanityFilter: boolean;
  enhanced: boolean;
  /** Aborts when the call leaves. */
  signal: AbortSignal;
}

export interface Recognized {
  transcript: string;
  /** 0 to 1. */
  confidence: number;
}

/** The speech could not be recognised: no program, or one that failed. */
export class RecognitionError extends Error {
  override readonly name = 'RecognitionError';
}

/** Speech to text, by whatever stands behind it. */
export interface SpeechRecognizer {
  /** An absolute path at which what is said can be recorded (WAV, 8 kHz, 16 bit, mono). */
  newFile(): Promise<string>;
  /** Null when nothing was understood. Rejects with RecognitionError. */
  recognize(path: string, wishes: RecognitionWishes): Promise<Recognized | null>;
  /** The file is not needed any more. Never rejects. */
  discard(path: string): Promise<void>;
}

export interface CommandRecognizerOptions {
  /** A program and its first arguments, separated by blanks; no shell sees it. */
  command: string;
  /** Where recordings lie until they are understood. What an earlier run left there is deleted. */
  folder: string;
  /** Default 20000. */
  timeoutMs?: number;
  /** Programs at a time; further recordings wait. Default 4. */
  maxRunning?: number;
}

const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_TRANSCRIPT_CHARS = 8000;
const MAX_COMPLAINT_CHARS = 300;

/**
 * Runs a program for each recording: `command… recording.wav language hint,hint`, with `PARTYLINE_SPEECH_MODEL`,
 * `PARTYLINE_SPEECH_PROFANITY_FILTER` and `PARTYLINE_SPEECH_ENHANCED` in its environment, which holds none of this server's other
 * settings. It prints `{"transcript": "…", "confidence": 0.9}`; an empty transcript means that nothing was understood.
 */
export function createCommandRecognizer(options: CommandRecognizerOptions, deps: { log: Log }): SpeechRecognizer {
  return new CommandRecognizer(options, deps.log);
}

class CommandRecognizer implements SpeechRecognizer {
  readonly #options: Required<CommandRecognizerOptions>;
  readonly #log: Log;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #folderReady: Promise<void> | null = null;

  constructor(options: CommandRecognizerOptions, log: Log) {
    this.#options = { timeoutMs: 20_000, maxRunning: 4, ...options };
    this.#log = log;
  }

  async newFile(): Promise<string> {
    await (this.#folderReady ??= prepare(this.#options.folder));
    return join(this.#options.folder, `${randomUUID()}.wav`);
  }

  async recognize(path: string, wishes: RecognitionWishes): Promise<Recognized | null> {
    await this.#turn();
    try {
      return recognizedOf(await this.#run(path, wishes));
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, 'speech recognition failed');
      throw error instanceof RecognitionError ? error : new RecognitionError(messageOf(error), { cause: error });
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async discard(path: string): Promise<void> {
    await rm(path, { force: true }).catch((error: unknown) => this.#log.warn({ error: messageOf(error) }, 'what a caller said could not be deleted'));
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#options.maxRunning) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #run(path: string, { language, hints, model, profanityFilter, enhanced, signal }: RecognitionWishes): Promise<string> {
    const [program = '', ...first] = this.#options.command.trim().split(/\s+/);
    const env = { ...ownEnvironment(), PARTYLINE_SPEECH_MODEL: model, PARTYLINE_SPEECH_PROFANITY_FILTER: String(profanityFilter), PARTYLINE_SPEECH_ENHANCED: String(enhanced) };
    return new Promise((resolve, reject) => {
      const child = spawn(program, [...first, path, language, hints.join(',')], { stdio: ['ignore', 'pipe', 'pipe'], env, signal, timeout: this.#options.timeoutMs, killSignal: 'SIGKILL', detached: true });
      child.on('error', (error) => reject(new RecognitionError(`the recognizer cannot be run (${error.message})`)));
      // One that did not start may have no pipes: when there are no more file descriptors.
      if (child.pid === undefined) return;
      let output = '';
      let complaint = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.length > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
      });
      child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, MAX_COMPLAINT_CHARS)));
      // Whatever it started goes with it: its pipes would stay open.
      child.once('exit', () => killGroup(child.pid));
      child.once('close', (code, killedBy) => {
        if (code === 0) resolve(output);
        else reject(new RecognitionError(killedBy === null ? `the recognizer ended with code ${code}: ${complaint.trim()}` : 'the recognizer took too long, or said too much'));
      });
    });
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

async function prepare(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) await rm(join(folder, name), { force: true });
}

/** The settings of this server, secrets among them, are not the recognizer's business. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PARTYLINE_') && name !== 'DATABASE_URL'));
}

function recognizedOf(output: string): Recognized | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch {
    throw new RecognitionError('the recognizer printed no JSON');
  }
  const { transcript, confidence = 0 } = typeof parsed === 'object' && parsed !== null ? (parsed as { transcript?: unknown; confidence?: unknown }) : {};
  if (typeof transcript !== 'string' || typeof confidence !== 'number') throw new RecognitionError('the recognizer printed no transcript');
  const text = transcript.replace(/\p{Cc}+/gu, ' ').trim().slice(0, MAX_TRANSCRIPT_CHARS);
  return text === '' ? null : { transcript: text, confidence: Math.min(1, Math.max(0, confidence)) };
}
