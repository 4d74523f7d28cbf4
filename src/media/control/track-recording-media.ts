import { Emitter } from '../../base/emitter.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type TrackRecording, type TrackRecordingEvents, type TrackRecordingOptions, type TrackRecordingResult } from '../protocol.ts';
import { salvageTrack } from '../record-track/salvage.ts';
import { trackPath } from '../record-track/track-path.ts';
import type { WorkerClient, WorkerObject } from './worker-client.ts';

/** A recording of one track by a media worker, seen from the control plane. */
export class RemoteTrackRecording extends Emitter<TrackRecordingEvents> implements TrackRecording, WorkerObject {
  readonly trackSid: TrackSid;
  readonly #id: string;
  readonly #client: WorkerClient;
  readonly #options: TrackRecordingOptions;
  #begun: TrackRecordingEvents['started'] | null = null;
  #result: TrackRecordingResult | null = null;
  #died: Promise<TrackRecordingResult> | null = null;

  private constructor(trackSid: TrackSid, options: TrackRecordingOptions, client: WorkerClient) {
    super();
    this.trackSid = trackSid;
    this.#id = `track-recording-${client.nextNumber()}`;
    this.#client = client;
    this.#options = options;
  }

  /** `start` sends the request under the id it is given. Rejects with MediaError. */
  static async open(
    client: WorkerClient,
    what: { trackSid: TrackSid; options: TrackRecordingOptions },
    start: (recordingId: string) => Promise<unknown>,
  ): Promise<RemoteTrackRecording> {
    const recording = new RemoteTrackRecording(what.trackSid, what.options, client);
    client.attach(recording.#id, recording);
    try {
      await start(recording.#id);
    } catch (error) {
      client.detach(recording.#id);
      throw error;
    }
    return recording;
  }

  get begun(): TrackRecordingEvents['started'] | null {
    return this.#begun;
  }

  get result(): TrackRecordingResult | null {
    return this.#result;
  }

  async stop(): Promise<TrackRecordingResult> {
    if (this.#result) return this.#result;
    const result = await this.#askStop();
    // When it was over before, its end was told before the answer.
    return this.#ended(result ?? this.#result ?? (await this.#lost()));
  }

  async #askStop(): Promise<TrackRecordingResult | null> {
    try {
      return await this.#client.request('stopTrackRecording', { recordingId: this.#id });
    } catch (error) {
      if (error instanceof MediaError && (error.reason === 'closed' || error.reason === 'worker-died')) return null;
      throw error;
    }
  }

  workerEvent(event: WorkerEvent): void {
    if (event.type === 'trackRecordingEnded') this.#ended(event.result);
    else if (event.type === 'trackMediaChanged') this.emit(event.lost ? 'mediaLost' : 'mediaReturned');
    else if (event.type === 'trackRecordingStarted') {
      this.#begun = [event.codec, event.startedAtMs];
      this.emit('started', event.codec, event.startedAtMs);
    }
  }

  workerDied(): void {
    void this.#lost();
  }

  /** The first word counts. */
  #ended(result: TrackRecordingResult): TrackRecordingResult {
    if (this.#result) return this.#result;
    this.#result = result;
    this.#client.detach(this.#id);
    this.emit('ended', result);
    return result;
  }

  /** What a worker that died has left behind. */
  #lost(): Promise<TrackRecordingResult> {
    this.#died ??= this.#salvage().then((result) => this.#ended(result));
    return this.#died;
  }

  async #salvage(): Promise<TrackRecordingResult> {
    const path = trackPath(this.#options);
    const container = this.#options.kind === 'audio' ? 'mka' : 'mkv';
    const left = (await salvageTrack(path)) ?? { durationMs: 0, bytes: 0, codec: null, startedAtMs: null };
    return { reason: 'lost', ...left, container, path };
  }
}
