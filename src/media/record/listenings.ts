import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { WorkerEvent } from '../ipc.ts';
import type { MediaRoom } from '../room/media-room.ts';
import { Utterances } from './utterances.ts';

/** Who listens to which track in one worker, by the control side's number. */
export class Listenings {
  readonly #deps: { clock: Clock; log: Log; emit: (event: WorkerEvent) => void };
  /** Each with what ends it. */
  readonly #open = new Map<string, () => Promise<void>>();

  constructor(deps: { clock: Clock; log: Log; emit: (event: WorkerEvent) => void }) {
    this.#deps = deps;
  }

  start(room: MediaRoom, { listeningId, trackSid, folder }: { listeningId: string; trackSid: TrackSid; folder: string }): void {
    const { clock, log, emit } = this.#deps;
    const tap = new Utterances(
      { trackSid, folder },
      {
        spoken: (utterance) => emit({ type: 'spoken', listeningId, utterance }),
        ended: () => {
          if (this.#open.delete(listeningId)) emit({ type: 'listeningEnded', listeningId });
        },
        failed: (error) => log.error({ trackSid, error: messageOf(error) }, 'what was said could not be written for the speech recognizer'),
        wallMs: () => clock.wallMs(),
      },
    );
    this.#open.set(listeningId, () => {
      room.removeVoiceTap(tap);
      return tap.finish();
    });
    room.addVoiceTap(tap);
  }

  /** Resolves when the last words are told. */
  async stop(listeningId: string): Promise<void> {
    const end = this.#open.get(listeningId);
    this.#open.delete(listeningId);
    await end?.();
  }
}
