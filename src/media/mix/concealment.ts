import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';

/** Gain at the end of the first, second and third frame that is missing in a row; then there is silence. */
const GAINS = [1, 0.6, 0.25, 0];

/** Covers a lost frame with the one before it, fading out over 60 ms. */
export class Concealment {
  readonly #last: Int16Array;
  #missed = GAINS.length;

  /** `samples`: of a frame. */
  constructor(samples = FRAME_SAMPLES) {
    this.#last = new Int16Array(samples);
  }

  reset(): void {
    this.#missed = GAINS.length;
  }

  heard(pcm: Int16Array): void {
    this.#last.set(pcm);
    this.#missed = 0;
  }

  /** Writes the stand-in to `pcm`; false when it is silence. */
  conceal(pcm: Int16Array): boolean {
    const from = GAINS[this.#missed];
    const to = GAINS[this.#missed + 1];
    if (from === undefined || to === undefined) {
      pcm.fill(0);
      return false;
    }
    this.#missed++;
    const step = (to - from) / pcm.length;
    for (let i = 0; i < pcm.length; i++) pcm[i] = (this.#last[i] as number) * (from + step * i);
    return true;
  }
}
