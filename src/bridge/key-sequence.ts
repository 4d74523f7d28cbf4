/** Pauses between keys that belong together are shorter than this. */
const GAP_MS = 3000;

/** Finds a sequence of keys, such as `*6`, among all that are pressed. */
export class KeySequence {
  readonly #keys: string;
  #pressed = '';
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(keys: string) {
    this.#keys = keys;
  }

  /** True when this key completes the sequence. A key counts for one of them only. */
  pressed(key: string, nowMs: number): boolean {
    const before = nowMs - this.#lastMs > GAP_MS ? '' : this.#pressed;
    this.#lastMs = nowMs;
    this.#pressed = `${before}${key}`.slice(-this.#keys.length);
    if (this.#pressed !== this.#keys) return false;
    this.#pressed = '';
    return true;
  }
}
