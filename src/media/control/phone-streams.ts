import { Emitter } from '../../base/emitter.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type MediaStream, type MediaStreamEvents, type StreamEndReason, type StreamOptions } from '../protocol.ts';
import type { WorkerClient } from './worker-client.ts';

type StreamEvent = Extract<WorkerEvent, { type: 'streamStarted' | 'streamWarned' | 'streamEnded' }>;

class RemoteStream extends Emitter<MediaStreamEvents> implements MediaStream {
  readonly streamSid: string;
  readonly #askStop: () => Promise<unknown>;
  #ending: MediaStreamEvents['ended'] | null = null;

  constructor(streamSid: string, askStop: () => Promise<unknown>) {
    super();
    this.streamSid = streamSid;
    this.#askStop = askStop;
  }

  get ending(): MediaStreamEvents['ended'] | null {
    return this.#ending;
  }

  async stop(): Promise<void> {
    if (this.#ending) return;
    // A phone or worker that is gone has ended it already.
    await this.#askStop().catch(() => undefined);
  }

  end(reason: StreamEndReason, detail: string): void {
    if (this.#ending) return;
    this.#ending = [reason, detail];
    this.emit('ended', reason, detail);
  }
}

/** The media streams of one phone, seen from the control plane. */
export class PhoneStreams {
  readonly #phoneId: string;
  readonly #client: WorkerClient;
  readonly #streams = new Map<string, RemoteStream>();

  constructor(phoneId: string, client: WorkerClient) {
    this.#phoneId = phoneId;
    this.#client = client;
  }

  /** Rejects with MediaError. */
  async open(options: StreamOptions): Promise<MediaStream> {
    const { streamSid } = options;
    if (this.#streams.has(streamSid)) throw new MediaError('bad-request', `stream ${streamSid} is open already`);
    const stream = new RemoteStream(streamSid, () => this.#client.request('stopStream', { phoneId: this.#phoneId, streamSid }));
    this.#streams.set(streamSid, stream);
    try {
      await this.#client.request('openStream', { phoneId: this.#phoneId, options });
      return stream;
    } catch (error) {
      this.#streams.delete(streamSid);
      throw error;
    }
  }

  workerEvent(event: WorkerEvent): void {
    if (isStreamEvent(event)) this.#streamEvent(event);
  }

  /** No event comes any more: the phone was closed or its worker died. */
  allEnded(reason: StreamEndReason): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.end(reason, '');
  }

  #streamEvent(event: StreamEvent): void {
    const stream = this.#streams.get(event.streamSid);
    if (!stream) return;
    if (event.type === 'streamStarted') return stream.emit('started');
    if (event.type === 'streamWarned') return stream.emit('warned', event.warning, event.detail);
    this.#streams.delete(event.streamSid);
    stream.end(event.reason, event.detail);
  }
}

function isStreamEvent(event: WorkerEvent): event is StreamEvent {
  return event.type === 'streamStarted' || event.type === 'streamWarned' || event.type === 'streamEnded';
}
