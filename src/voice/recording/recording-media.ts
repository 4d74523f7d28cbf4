import { spawn } from 'node:child_process';
import { rename, rm, stat } from 'node:fs/promises';
import { TwilioError, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { RecordingRecord } from './model.ts';
import type { Recordings } from './recordings.ts';

/** A sound file that can be downloaded. */
export interface RecordingFile {
  path: string;
  bytes: number;
  contentType: string;
  /** `wav` or `mp3`. */
  extension: string;
}

export interface WantedMedia {
  format: 'wav' | 'mp3';
  /** Null: as it was recorded. */
  channels: 1 | 2 | null;
}

export interface RecordingMedia {
  /**
   * The file of a recording that is over, made from its WAV where it must be and kept beside it. Null when there is none: it
   * still runs, or is absent. Rejects with TwilioError: 20001 for channels it does not have, 501 without ffmpeg.
   */
  file(record: Readonly<RecordingRecord>, wanted: WantedMedia): Promise<RecordingFile | null>;
  /** Says in the log when MP3 will not work. */
  selfCheck(): Promise<void>;
}

const CONTENT_TYPES = { wav: 'audio/x-wav', mp3: 'audio/mpeg' };
const TIMEOUT_MS = 120_000;
/** Conversions at a time; others wait. */
const MAX_CONCURRENT = 2;

export function createRecordingMedia(options: { command: string }, deps: { recordings: Pick<Recordings, 'pathOf'>; log: Log }): RecordingMedia {
  return new ConvertedMedia(options.command, deps);
}

class ConvertedMedia implements RecordingMedia {
  readonly #command: string;
  readonly #recordings: Pick<Recordings, 'pathOf'>;
  readonly #log: Log;
  /** Under way, by the file they make. */
  readonly #making = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(command: string, { recordings, log }: { recordings: Pick<Recordings, 'pathOf'>; log: Log }) {
    this.#command = command;
    this.#recordings = recordings;
    this.#log = log;
  }

  async file(record: Readonly<RecordingRecord>, { format, channels }: WantedMedia): Promise<RecordingFile | null> {
    if (channels === 2 && record.channels === 1) throw new TwilioError(20001, 'RequestedChannels: the recording has one channel only');
    const wav = this.#recordings.pathOf(record);
    if (record.status !== 'completed' || (await bytesOf(wav)) === null) return null;
    const mono = channels === 1 && record.channels === 2;
    const path = wav.replace(/\.wav$/, `${mono ? '.mono' : ''}.${format}`);
    if (path !== wav && (await bytesOf(path)) === null) await this.#make(wav, path, [...(mono ? ['-ac', '1'] : []), ...(format === 'mp3' ? ['-b:a', mono || record.channels === 1 ? '32k' : '64k'] : []), '-f', format]);
    const bytes = await bytesOf(path);
    return bytes === null ? null : { path, bytes, contentType: CONTENT_TYPES[format], extension: format };
  }

  async selfCheck(): Promise<void> {
    await run(this.#command, ['-version']).catch((error: unknown) => this.#log.warn({ command: this.#command, error: messageOf(error) }, 'recordings cannot be downloaded as MP3: install ffmpeg'));
  }

  async #make(from: string, to: string, options: string[]): Promise<void> {
    let making = this.#making.get(to);
    if (!making) {
      making = this.#convert(from, to, options).finally(() => this.#making.delete(to));
      this.#making.set(to, making);
    }
    await making;
  }

  async #convert(from: string, to: string, options: string[]): Promise<void> {
    const part = `${to}.part`;
    await this.#turn();
    try {
      await run(this.#command, ['-nostdin', '-v', 'error', '-y', '-i', from, ...options, part]);
      await rename(part, to);
      // The recording was deleted meanwhile: nothing of it stays.
      if ((await bytesOf(from)) === null) await rm(to, { force: true });
    } catch (error) {
      await rm(part, { force: true });
      throw this.#refusal(error);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#running >= MAX_CONCURRENT) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #refusal(error: unknown): TwilioError {
    if (isMissing(error)) return new TwilioError(20500, 'This form of a recording needs ffmpeg, which the server does not have: apt-get install ffmpeg', { status: 501 });
    this.#log.error({ error: messageOf(error) }, 'a recording could not be converted');
    return new TwilioError(20500, 'The recording could not be converted', { status: 500, cause: error });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' && 'syscall' in error && String(error.syscall).startsWith('spawn');
}

async function bytesOf(path: string): Promise<number | null> {
  return await stat(path).then(({ size }) => size, () => null);
}

class ConversionError extends Error {
  override readonly name = 'ConversionError';
}

function run(command: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: TIMEOUT_MS });
    child.once('error', reject);
    // One that did not start may have no pipes: when there are no more file descriptors.
    if (child.pid === undefined) return;
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, 500)));
    child.once('close', (code) => (code === 0 ? resolve() : reject(new ConversionError(`${command} ended with code ${code}: ${complaint.trim()}`))));
  });
}
