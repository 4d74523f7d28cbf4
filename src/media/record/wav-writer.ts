import { open, type FileHandle } from 'node:fs/promises';
import { messageOf } from '../../base/errors.ts';
import { MediaError } from '../protocol.ts';

export const WAV_HEADER_BYTES = 44;
const RATE_HZ = 8000;
const BYTES_PER_SAMPLE = 2;
const CHUNK_MS = 500;
/** More than this waiting for the disk and the recording is lost: 5 s. */
const MAX_WAITING_CHUNKS = 10;

/** Half a second of samples on their way to the disk. */
interface Chunk {
  samples: Int16Array;
  bytes: Buffer;
  filled: number;
}

/**
 * A WAV file, 8 kHz, 16 bit, that grows while it is recorded. Written by the thread pool of the process, half a second at a
 * time; its header is right after each of them, so that a crash leaves a file that plays.
 */
export class WavWriter {
  readonly #handle: FileHandle;
  readonly #channels: 1 | 2;
  readonly #failed: (why: string) => void;
  readonly #header: Buffer;
  readonly #waiting: Chunk[] = [];
  readonly #free: Chunk[] = [];
  #chunk: Chunk;
  #draining: Promise<void> | null = null;
  #writtenBytes = 0;
  #broken = false;

  private constructor(handle: FileHandle, options: { channels: 1 | 2; failed: (why: string) => void }) {
    this.#handle = handle;
    this.#channels = options.channels;
    this.#failed = options.failed;
    this.#header = wavHeader(options.channels);
    this.#chunk = this.#newChunk();
  }

  /** Makes the file, which must not exist. `failed` is told once when the disk fails or does not follow. Rejects with MediaError `bad-request`. */
  static async create(path: string, options: { channels: 1 | 2; failed: (why: string) => void }): Promise<WavWriter> {
    try {
      const handle = await open(path, 'wx', 0o600);
      const writer = new WavWriter(handle, options);
      await writer.#writeHeader(0);
      return writer;
    } catch (error) {
      throw new MediaError('bad-request', `the recording cannot be written: ${messageOf(error)}`);
    }
  }

  /** The disk failed or did not follow. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Interleaved samples, copied. */
  write(block: Int16Array): void {
    const chunk = this.#chunk;
    chunk.samples.set(block, chunk.filled);
    chunk.filled += block.length;
    if (chunk.filled + block.length > chunk.samples.length) this.#flush();
  }

  /**
   * Completes the file with its first `samples` per channel, fewer when the disk has not taken them; resolves with how many
   * there are. After a failure it does not wait for the disk.
   */
  async finish(samples: number): Promise<{ samples: number; bytes: number }> {
    if (!this.#broken && this.#chunk.filled > 0) this.#flush();
    if (!this.#broken) await this.#draining;
    const blockBytes = this.#channels * BYTES_PER_SAMPLE;
    const keptBytes = Math.min(samples * blockBytes, this.#writtenBytes);
    const closing = this.#close(keptBytes);
    if (!this.#broken) await closing;
    return { samples: keptBytes / blockBytes, bytes: WAV_HEADER_BYTES + keptBytes };
  }

  #newChunk(): Chunk {
    const samples = new Int16Array(((CHUNK_MS * RATE_HZ) / 1000) * this.#channels);
    // All machines we run on are little-endian, as WAV is.
    return { samples, bytes: Buffer.from(samples.buffer), filled: 0 };
  }

  #flush(): void {
    if (this.#broken) {
      this.#chunk.filled = 0;
      return;
    }
    if (this.#waiting.length >= MAX_WAITING_CHUNKS) return this.#fail('the disk does not follow');
    this.#waiting.push(this.#chunk);
    this.#chunk = this.#free.pop() ?? this.#newChunk();
    this.#draining ??= this.#drain().finally(() => (this.#draining = null));
  }

  async #drain(): Promise<void> {
    try {
      for (let chunk = this.#waiting[0]; chunk && !this.#broken; chunk = this.#waiting[0]) {
        await this.#writeAll(chunk.bytes.subarray(0, chunk.filled * BYTES_PER_SAMPLE), WAV_HEADER_BYTES + this.#writtenBytes);
        this.#writtenBytes += chunk.filled * BYTES_PER_SAMPLE;
        await this.#writeHeader(this.#writtenBytes);
        this.#waiting.shift();
        chunk.filled = 0;
        this.#free.push(chunk);
      }
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  async #writeHeader(dataBytes: number): Promise<void> {
    this.#header.writeUInt32LE(WAV_HEADER_BYTES - 8 + dataBytes, 4);
    this.#header.writeUInt32LE(dataBytes, 40);
    await this.#writeAll(this.#header, 0);
  }

  async #writeAll(bytes: Buffer, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async #close(keptBytes: number): Promise<void> {
    try {
      await this.#draining;
      await this.#writeHeader(keptBytes);
      await this.#handle.truncate(WAV_HEADER_BYTES + keptBytes);
    } catch (error) {
      this.#fail(messageOf(error));
    }
    await this.#handle.close().catch(() => {});
  }

  #fail(why: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#chunk.filled = 0;
    this.#failed(why);
  }
}

/** The first 44 bytes of a file of 8 kHz, 16 bit; the two lengths, at 4 and 40, are those of a file without sound. */
export function wavHeader(channels: 1 | 2): Buffer {
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16); // bytes of the format
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(RATE_HZ, 24);
  header.writeUInt32LE(RATE_HZ * channels * BYTES_PER_SAMPLE, 28); // bytes a second
  header.writeUInt16LE(channels * BYTES_PER_SAMPLE, 32);
  header.writeUInt16LE(16, 34); // bits
  header.write('data', 36, 'latin1');
  return header;
}
