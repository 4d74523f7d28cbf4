import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { TrackRegistry } from '../forward/track.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type TrackRecordingOptions, type TrackRecordingResult } from '../protocol.ts';
import { TrackRecorder, type TrackRecorderHooks } from './track-recorder.ts';

const TICK_MS = 500;

interface Entry {
  recorder: TrackRecorder;
  room: TrackRegistry;
}

/** The recordings of tracks of one worker, by the control side's number. Those that end by themselves say so with an event. */
export class TrackRecordings {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #emit: (event: WorkerEvent) => void;
  readonly #open = new Map<string, Entry>();
  #timer: Timer | null = null;

  constructor(deps: { clock: Clock; log: Log; emit: (event: WorkerEvent) => void }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#emit = deps.emit;
  }

  /** `isOpen` is asked again once the file is there. Rejects with MediaError `bad-request`, or `closed`. */
  async start(recordingId: string, what: { room: TrackRegistry; trackSid: TrackSid; options: TrackRecordingOptions; isOpen(): boolean }): Promise<void> {
    const { room, trackSid, options } = what;
    const source = room.source(trackSid);
    if (source && source.kind !== options.kind) throw new MediaError('bad-request', `track ${trackSid} is not ${options.kind}`);
    let detach = (): void => {};
    const hooks = this.#hooks(recordingId, () => room.source(trackSid), () => detach());
    const recorder = await TrackRecorder.open(options, hooks, this.#clock);
    if (!what.isOpen()) {
      await recorder.end('phone-closed');
      throw new MediaError('closed', 'the room to be recorded has closed');
    }
    this.#open.set(recordingId, { recorder, room });
    detach = room.subscribe(trackSid, recorder);
    this.#timer ??= this.#clock.after(TICK_MS, () => this.#tick());
  }

  #hooks(recordingId: string, source: TrackRecorderHooks['source'], detach: () => void): TrackRecorderHooks {
    return {
      source,
      started: (codec, startedAtMs) => this.#emit({ type: 'trackRecordingStarted', recordingId, codec, startedAtMs }),
      mediaLost: () => this.#emit({ type: 'trackMediaChanged', recordingId, lost: true }),
      mediaReturned: () => this.#emit({ type: 'trackMediaChanged', recordingId, lost: false }),
      ending: detach,
      ended: (result) => {
        if (this.#open.delete(recordingId)) this.#emit({ type: 'trackRecordingEnded', recordingId, result });
      },
      warned: (why) => this.#log.warn({ recordingId, why }, 'a recording of a track'),
    };
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    for (const { recorder } of [...this.#open.values()]) recorder.tick(nowMs);
    this.#timer = this.#open.size > 0 ? this.#clock.after(TICK_MS, () => this.#tick()) : null;
  }

  /** Rejects with MediaError `closed` when its end has been told already. */
  async stop(recordingId: string): Promise<TrackRecordingResult> {
    const entry = this.#open.get(recordingId);
    if (!entry) throw new MediaError('closed', `recording ${recordingId} is over`);
    return entry.recorder.end('stopped');
  }

  roomClosed(room: TrackRegistry): void {
    for (const entry of [...this.#open.values()]) if (entry.room === room) void entry.recorder.end('phone-closed');
  }

  /** Completes all files. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await Promise.all([...this.#open.values()].map(({ recorder }) => recorder.end('phone-closed')));
  }
}
