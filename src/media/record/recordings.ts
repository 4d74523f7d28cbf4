import { unlink } from 'node:fs/promises';
import type { Log } from '../../base/log.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type RecordingOptions, type RecordingResult } from '../protocol.ts';
import { Recording } from './recording.ts';

/** Puts the recording's ear to its phone or room; returns how it is taken off, or null when that has closed meanwhile. */
export type Attach = (recording: Recording) => (() => void) | null;

/** The recordings of one worker, by the control side's number. Those that end by themselves say so with an event. */
export class Recordings {
  readonly #log: Log;
  readonly #emit: (event: WorkerEvent) => void;
  readonly #open = new Map<string, Recording>();

  constructor(deps: { log: Log; emit: (event: WorkerEvent) => void }) {
    this.#log = deps.log;
    this.#emit = deps.emit;
  }

  /** Rejects with MediaError `bad-request`, or `closed` when there is nobody to be recorded any more. */
  async start(recordingId: string, options: RecordingOptions, attach: Attach): Promise<void> {
    let detach: (() => void) | null = null;
    const recording = await Recording.open(options, {
      ending: () => detach?.(),
      ended: (result) => {
        if (this.#open.delete(recordingId)) this.#emit({ type: 'recordingEnded', recordingId, result });
      },
      failed: (why) => this.#log.error({ recordingId, error: why }, 'a recording is lost'),
    });
    detach = attach(recording);
    if (!detach) {
      await recording.end('phone-closed');
      await unlink(options.path).catch(() => {});
      throw new MediaError('closed', 'the phone or room to be recorded has closed');
    }
    this.#open.set(recordingId, recording);
  }

  pause(recordingId: string, mode: 'skip' | 'silence'): void {
    this.#recording(recordingId).pause(mode);
  }

  resume(recordingId: string): void {
    this.#recording(recordingId).resume();
  }

  /** Rejects with MediaError `closed` when its end has been told already. */
  async stop(recordingId: string): Promise<RecordingResult> {
    return this.#recording(recordingId).end('stopped');
  }

  /** Completes all files. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((recording) => recording.end('phone-closed')));
  }

  #recording(recordingId: string): Recording {
    const recording = this.#open.get(recordingId);
    if (!recording) throw new MediaError('closed', `recording ${recordingId} is over`);
    return recording;
  }
}
