/** Where a key was seen: as an RTP event, in the sound, or told in signaling. */
export type KeySource = 'event' | 'sound' | 'signaling';

/** The same key from two sources within this time is one press. */
const SAME_PRESS_MS = 200;

/** One press is one key though a phone tells it in more than one way. Pure. */
export class KeySources {
  #digit = '';
  #source: KeySource = 'event';
  #atMs = -Infinity;

  /** Whether this is a press of its own. `heldMs`: for how long it was held before it was told. */
  isNews(digit: string, key: { source: KeySource; nowMs: number; heldMs?: number }): boolean {
    const again = digit === this.#digit && key.source !== this.#source && key.nowMs - (key.heldMs ?? 0) - this.#atMs <= SAME_PRESS_MS;
    if (again) return false;
    this.#digit = digit;
    this.#source = key.source;
    this.#atMs = key.nowMs;
    return true;
  }
}
