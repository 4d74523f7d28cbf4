import type { TrackSid } from '../../base/sid.ts';
import { TALK_THRESHOLD_DBOV } from './talk-detector.ts';

const MIN_HOLD_MS = 300;
/** A challenger has to be this much louder than the one who has the floor. */
const MARGIN_DB = 6;
/** Silent for this long, the floor is free. */
const RELEASE_MS = 2000;
/** Above the talk threshold by this much: line noise does not take the floor. */
const SPEECH_DBOV = TALK_THRESHOLD_DBOV + 12;
const SMOOTHING = 0.25;
const FLOOR_DBOV = -90;

interface Entry {
  levelDbov: number;
  spokeMs: number;
}

/** Who has the floor in a room: the loudest, with hysteresis, changing at most every 300 ms. Pure. */
export class ActiveSpeaker {
  readonly #entries = new Map<TrackSid, Entry>();
  #current: TrackSid | null = null;
  #changedMs = -Infinity;

  get current(): TrackSid | null {
    return this.#current;
  }

  remove(trackSid: TrackSid): void {
    this.#entries.delete(trackSid);
  }

  /** The level of one 20 ms frame. */
  level(trackSid: TrackSid, levelDbov: number, nowMs: number): void {
    let entry = this.#entries.get(trackSid);
    if (!entry) this.#entries.set(trackSid, (entry = { levelDbov: FLOOR_DBOV, spokeMs: -Infinity }));
    entry.levelDbov += (Math.max(levelDbov, FLOOR_DBOV) - entry.levelDbov) * SMOOTHING;
    if (entry.levelDbov > SPEECH_DBOV) entry.spokeMs = nowMs;
  }

  /** True when the answer of `current` has changed. */
  decide(nowMs: number): boolean {
    if (nowMs - this.#changedMs < MIN_HOLD_MS) return false;
    const next = this.#choose(nowMs);
    if (next === this.#current) return false;
    this.#current = next;
    this.#changedMs = nowMs;
    return true;
  }

  #choose(nowMs: number): TrackSid | null {
    const holder = this.#current === null ? undefined : this.#entries.get(this.#current);
    let best = holder && nowMs - holder.spokeMs < RELEASE_MS ? this.#current : null;
    let bar = best !== null && holder ? holder.levelDbov + MARGIN_DB : SPEECH_DBOV;
    for (const [trackSid, entry] of this.#entries) {
      if (trackSid === this.#current || entry.levelDbov <= bar) continue;
      best = trackSid;
      bar = entry.levelDbov;
    }
    return best;
  }
}
