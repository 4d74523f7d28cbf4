import { open } from 'node:fs/promises';
import { Emitter } from '../../base/emitter.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type MediaRecording, type RecordingOptions, type RecordingResult } from '../protocol.ts';
import type { WorkerClient, WorkerObject } from './worker-client.ts';

const HEADER_BYTES = 44;

/** A recording of a media worker, seen from the control plane. */
export class RemoteRecording extends Emitter<{ ended: [result: RecordingResult] }> implements MediaRecording, WorkerObject {
  readonly #id: string;
  readonly #client: WorkerClient;
  readonly #options: Pick<RecordingOptions, 'path'>;
  #result: RecordingResult | null = null;
  #died: Promise<RecordingResult> | null = null;

  private constructor(id: string, client: WorkerClient, options: Pick<RecordingOptions, 'path'>) {
    super();
    this.#id = id;
    this.#client = client;
    this.#options = options;
  }

  /** `start` sends the request under the id it is given. */
  static async open(client: WorkerClient, options: Pick<RecordingOptions, 'path'>, start: (recordingId: string) => Promise<unknown>): Promise<RemoteRecording> {
    const id = `recording-${client.nextNumber()}`;
    const recording = new RemoteRecording(id, client, options);
    client.attach(id, recording);
    try {
      await start(id);
    } catch (error) {
      client.detach(id);
      throw error;
    }
    return recording;
  }

  get result(): RecordingResult | null {
    return this.#result;
  }

  async pause(mode: 'skip' | 'silence'): Promise<void> {
    await this.#unlessOver(this.#client.request('pauseRecording', { recordingId: this.#id, mode }));
  }

  async resume(): Promise<void> {
    await this.#unlessOver(this.#client.request('resumeRecording', { recordingId: this.#id }));
  }

  async stop(): Promise<RecordingResult> {
    if (this.#result) return this.#result;
    const result = await this.#unlessOver(this.#client.request('stopRecording', { recordingId: this.#id }));
    // When it was over before, its end was told before the answer.
    return this.#ended(result ?? this.#result ?? (await this.#lost()));
  }

  workerEvent(event: WorkerEvent): void {
    if (event.type === 'recordingEnded') this.#ended(event.result);
  }

  workerDied(): void {
    void this.#lost();
  }

  /** The first word counts. */
  #ended(result: RecordingResult): RecordingResult {
    if (this.#result) return this.#result;
    this.#result = result;
    this.#client.detach(this.#id);
    this.emit('ended', result);
    return result;
  }

  async #unlessOver<T>(request: Promise<T>): Promise<T | null> {
    try {
      return await request;
    } catch (error) {
      if (error instanceof MediaError && (error.reason === 'closed' || error.reason === 'worker-died')) return null;
      throw error;
    }
  }

  /** What a worker that died has left behind. */
  #lost(): Promise<RecordingResult> {
    this.#died ??= this.#salvage().then((result) => this.#ended(result));
    return this.#died;
  }

  /** The file is cut to what its header promises. */
  async #salvage(): Promise<RecordingResult> {
    try {
      const file = await open(this.#options.path, 'r+');
      try {
        const header = Buffer.alloc(HEADER_BYTES);
        await file.read(header, 0, HEADER_BYTES, 0);
        const dataBytes = header.readUInt32LE(40);
        await file.truncate(HEADER_BYTES + dataBytes);
        const bytesPerMs = header.readUInt32LE(28) / 1000;
        return { reason: 'lost', durationMs: Math.floor(dataBytes / bytesPerMs) || 0, bytes: HEADER_BYTES + dataBytes };
      } finally {
        await file.close();
      }
    } catch {
      return { reason: 'lost', durationMs: 0, bytes: 0 };
    }
  }
}
