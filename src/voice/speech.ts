import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { orAborted } from '../base/abort.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { CacheFolder } from './cache-folder.ts';
import { languagesOf, nearestVoice } from './speech-voices.ts';

/** Text that could not be spoken. */
export class SpeechError extends Error {
  override readonly name = 'SpeechError';
  /** 13520, or 13511 when there is no voice for the language. */
  readonly errorCode: number;
  constructor(message: string, options: { errorCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.errorCode = options.errorCode ?? 13520;
  }
}

export interface Speech {
  /** WAV of the text, from the cache when it was spoken before. Rejects with SpeechError. */
  speak(options: { text: string; ssml: boolean; language: string | null; voice: string | null; signal?: AbortSignal }): Promise<{ path: string; contentType: string }>;
}

export interface SpeechOptions {
  command: string;
  cacheDir: string;
  /** Default 512 MiB: about 9 hours. */
  maxCacheBytes?: number;
}

type Wanted = Parameters<Speech['speak']>[0];

const MAX_TEXT_CHARS = 10_000;
const MAX_LANGUAGE_CHARS = 40;
const CACHE_BYTES = 512 * 1024 * 1024;
const RUN_TIMEOUT_MS = 20_000;
const MAX_OUTPUT_CHARS = 100_000;

/** Speech by espeak-ng as a child process. The text goes in by stdin and never through a shell. */
export function createSpeech(options: SpeechOptions, deps: { log: Log }): Speech {
  return new EspeakSpeech(options, deps.log);
}

class EspeakSpeech implements Speech {
  readonly #command: string;
  readonly #folder: CacheFolder;
  readonly #log: Log;
  /** What the engine can speak, asked once it was there to be asked. */
  #languages: Promise<Set<string>> | null = null;
  #partNumber = 0;
  /** Files on their way, by their entry in the folder. */
  readonly #making = new Map<string, Promise<void>>();

  constructor({ command, cacheDir, maxCacheBytes = CACHE_BYTES }: SpeechOptions, log: Log) {
    this.#command = command;
    this.#folder = new CacheFolder({ dir: cacheDir, maxBytes: maxCacheBytes }, log);
    this.#log = log;
  }

  async speak(wanted: Wanted): Promise<{ path: string; contentType: string }> {
    if (wanted.text.length > MAX_TEXT_CHARS) throw new SpeechError(`a text of ${wanted.text.length} characters is too long`);
    try {
      return { path: await this.#file(wanted, await this.#voice(wanted)), contentType: 'audio/wav' };
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, 'speech failed');
      throw error instanceof SpeechError ? error : new SpeechError(messageOf(error), { cause: error });
    }
  }

  async #voice({ language, voice }: Wanted): Promise<string> {
    this.#languages ??= run(this.#command, ['--voices'], '').then(languagesOf);
    const known = await this.#languages.catch((error: unknown) => {
      this.#languages = null;
      throw error;
    });
    const nearest = nearestVoice({ language, voice }, known);
    if (nearest === null) throw new SpeechError(`no voice speaks '${(language ?? '').slice(0, MAX_LANGUAGE_CHARS)}'`, { errorCode: 13511 });
    return nearest;
  }

  async #file(wanted: Wanted, voice: string): Promise<string> {
    const entry = createHash('sha256').update(JSON.stringify([wanted.text, wanted.ssml, voice])).digest('hex');
    const path = join(this.#folder.dir, `${entry}.wav`);
    if (await exists(path)) await this.#folder.used(entry);
    // Looked at again: room may have been made meanwhile.
    if (await exists(path)) return path;
    const making = this.#making.get(entry) ?? this.#make(wanted, { voice, entry, path });
    if (wanted.signal && (await orAborted(making, wanted.signal)) === null) throw new SpeechError('the call left');
    await making;
    return path;
  }

  /** Many calls that begin with the same words wait for one child; one that leaves does not end it for the others. */
  #make({ text, ssml }: Wanted, { voice, entry, path }: { voice: string; entry: string; path: string }): Promise<void> {
    const making = this.#write({ text, ssml, voice, path })
      .then(async () => this.#folder.used(entry, (await stat(path)).size))
      .finally(() => this.#making.delete(entry));
    this.#making.set(entry, making);
    return making;
  }

  async #write({ text, ssml, voice, path }: { text: string; ssml: boolean; voice: string; path: string }): Promise<void> {
    await mkdir(this.#folder.dir, { recursive: true });
    const part = `${path}.${process.pid}.${this.#partNumber++}.part`;
    try {
      await run(this.#command, [...(ssml ? ['-m'] : []), '-b', '1', '-v', voice, '-w', part], text);
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true }).catch(() => undefined);
      throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(() => true, () => false);
}

/** What the command prints. Rejects with SpeechError when it cannot be run or complains. */
function run(command: string, args: string[], text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: RUN_TIMEOUT_MS });
    child.once('error', (error) => reject(new SpeechError(`${command} cannot be run (${error.message})`)));
    // One that did not start may have no pipes: when there are no more file descriptors.
    if (child.pid === undefined) return;
    let output = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(0, MAX_OUTPUT_CHARS)));
    child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, 500)));
    child.stdin.on('error', () => undefined);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new SpeechError(`${command} ended with code ${code}: ${complaint.trim()}`))));
    child.stdin.end(text);
  });
}
