/** Voices are between 66 and 400 Hz: in samples of a frame of 20 ms. */
const SHORTEST_PART = 1 / 8;
const LONGEST_PART = 3 / 4;
/** Coarse steps per frame of the first look. */
const LOOKS_PER_FRAME = 80;

/** Finds how long a cycle of the voice is at the end of two frames of 20 ms, by what is most like what came last. */
export class CycleFinder {
  readonly #history: Int16Array;
  readonly #frame: number;

  /** `history`: two frames of `frame` samples, newest last. */
  constructor(history: Int16Array, frame: number) {
    this.#history = history;
    this.#frame = frame;
  }

  /** In samples. `known`: how many of the newest there are, a frame or two. */
  find(known: number): number {
    const frame = this.#frame;
    const whole = known >= 2 * frame;
    const longest = Math.floor(whole ? frame * LONGEST_PART : frame / 2);
    const window = whole ? frame : frame / 2;
    const shortest = frame * SHORTEST_PART;
    const coarse = frame / LOOKS_PER_FRAME;
    const first = this.#best({ from: shortest, to: longest, step: coarse, window, stride: coarse });
    // A quarter of a cycle before its beginning is needed as well: there is that much in any case.
    return this.#best({ from: Math.max(shortest, first - coarse + 1), to: Math.min(longest, first + coarse - 1), step: 1, window, stride: 1 });
  }

  #best(search: { from: number; to: number; step: number; window: number; stride: number }): number {
    let best = search.from;
    let bestLikeness = -Infinity;
    for (let lag = search.from; lag <= search.to; lag += search.step) {
      const likeness = this.#likeness(lag, search.window, search.stride);
      if (likeness <= bestLikeness) continue;
      bestLikeness = likeness;
      best = lag;
    }
    return best;
  }

  /** Correlation of the last `window` samples with those `lag` before, over the root of the energy of these. */
  #likeness(lag: number, window: number, stride: number): number {
    const history = this.#history;
    let product = 0;
    let energy = 1;
    for (let i = history.length - window; i < history.length; i += stride) {
      const before = history[i - lag] as number;
      product += (history[i] as number) * before;
      energy += before * before;
    }
    return product / Math.sqrt(energy);
  }
}
