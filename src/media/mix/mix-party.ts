import type { TrackSid } from '../../base/sid.ts';
import type { RoomVoice } from '../protocol.ts';

/** Who hears whom: what the mix knows of one phone or one browser's track. */
export class MixParty {
  readonly trackSid: TrackSid;
  #muted = false;
  #held = false;
  #heardBy: ReadonlySet<TrackSid> | null = null;
  #hears: ReadonlySet<TrackSid> | null = null;

  constructor(trackSid: TrackSid) {
    this.trackSid = trackSid;
  }

  setVoice(voice: RoomVoice): void {
    this.#muted = voice.muted;
    this.#held = voice.held;
    this.#heardBy = voice.heardBy === null ? null : new Set(voice.heardBy);
    this.#hears = voice.hears === null ? null : new Set(voice.hears);
  }

  /** Neither heard nor hearing. */
  get held(): boolean {
    return this.#held;
  }

  get silenced(): boolean {
    return this.#muted || this.#held;
  }

  /** Heard by everybody; else by nobody (`silenced`) or by chosen ones. */
  get isPublic(): boolean {
    return !this.silenced && this.#heardBy === null;
  }

  /** Listens to chosen ones only. */
  get isChoosy(): boolean {
    return this.#hears !== null;
  }

  /** A coach and who is coached. */
  speaksTo(listener: MixParty): boolean {
    return !this.silenced && (this.#heardBy === null || this.#heardBy.has(listener.trackSid));
  }

  hears(talker: MixParty): boolean {
    return this.#hears === null || this.#hears.has(talker.trackSid);
  }
}
