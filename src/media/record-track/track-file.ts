import { open, unlink, type FileHandle } from 'node:fs/promises';
import { messageOf } from '../../base/errors.ts';
import { MediaError } from '../protocol.ts';
import type { Patch } from './matroska-muxer.ts';

/** More than this waiting for the disk and the recording is lost: six seconds of good video. */
const MAX_WAITING_BYTES = 2 * 1024 * 1024;

/** A file that grows by chunks, written by the thread pool of the process; mode 0600. */
export class TrackFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #failed: (why: string) => void;
  readonly #waiting: { bytes: Buffer; endMs: number }[] = [];
  #waitingBytes = 0;
  #writtenBytes = 0;
  #writtenMs = 0;
  #draining: Promise<void> | null = null;
  #broken = false;

  private constructor(path: string, handle: FileHandle, failed: (why: string) => void) {
    this.path = path;
    this.#handle = handle;
    this.#failed = failed;
  }

  /** Makes the file, which must not exist. `failed` is told once when the disk fails or does not follow. Rejects with MediaError `bad-request`. */
  static async create(path: string, failed: (why: string) => void): Promise<TrackFile> {
    try {
      return new TrackFile(path, await open(path, 'wx', 0o600), failed);
    } catch (error) {
      throw new MediaError('bad-request', `the recording cannot be written: ${messageOf(error)}`);
    }
  }

  /** The disk failed or did not follow. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Bytes on the disk. */
  get bytes(): number {
    return this.#writtenBytes;
  }

  /** How much of the media is on the disk. */
  get writtenMs(): number {
    return this.#writtenMs;
  }

  /** The chunk, whose media ends at `endMs`, is ours from now on. */
  append(bytes: Buffer, endMs: number): void {
    if (this.#broken) return;
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return this.#fail('the disk does not follow');
    this.#waiting.push({ bytes, endMs });
    this.#waitingBytes += bytes.length;
    this.#draining ??= this.#drain().finally(() => (this.#draining = null));
  }

  async #drain(): Promise<void> {
    try {
      for (let chunk = this.#waiting[0]; chunk && !this.#broken; chunk = this.#waiting[0]) {
        const { bytes, endMs } = chunk;
        await this.#writeAll(bytes, this.#writtenBytes);
        this.#writtenBytes += bytes.length;
        this.#writtenMs = endMs;
        this.#waitingBytes -= bytes.length;
        this.#waiting.shift();
      }
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  async #writeAll(bytes: Buffer, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  /** Completes and closes the file. After a failure it does not wait for the disk. */
  async finish(patches: readonly Patch[]): Promise<void> {
    const closing = this.#close(patches);
    if (!this.#broken) await closing;
  }

  async #close(patches: readonly Patch[]): Promise<void> {
    await this.#draining;
    try {
      if (!this.#broken) for (const { position, bytes } of patches) await this.#writeAll(bytes, position);
    } catch (error) {
      this.#fail(messageOf(error));
    }
    await this.#handle.close().catch(() => {});
  }

  /** There is nothing to be kept. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await unlink(this.path).catch(() => {});
  }

  #fail(why: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#failed(why);
  }
}
