import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { CycleFinder } from './cycle-finder.ts';

/** Gain at the beginning, and at the end of the first, second and third frame that is missing in a row; then there is silence. */
const GAINS = [1, 0.85, 0.45, 0];

/**
 * Covers lost frames as ITU-T G.711 Appendix I does: the last cycle of the voice goes on, fading out over 60 ms, and goes over into
 * what comes next. Unlike there nothing is delayed for it: where the cycle does not meet the last sample, the step is led away over
 * a quarter of a cycle.
 */
export class Concealment {
  readonly #frame: number;
  /** The last two frames, as they were heard. */
  readonly #history: Int16Array;
  readonly #finder: CycleFinder;
  readonly #cycle: Float32Array;
  #known = 0;
  #period = 0;
  #phase = 0;
  #missed = 0;
  /** What the next sample of the cycle is off, and how fast that goes. */
  #step = 0;
  #stepDecay = 0;

  /** `samples`: of a frame of 20 ms. */
  constructor(samples = FRAME_SAMPLES) {
    this.#frame = samples;
    this.#history = new Int16Array(2 * samples);
    this.#finder = new CycleFinder(this.#history, samples);
    this.#cycle = new Float32Array(samples);
  }

  reset(): void {
    this.#known = 0;
    this.#missed = 0;
  }

  /** A frame that came; its beginning is led over from what stood in for the ones before it. */
  heard(pcm: Int16Array): void {
    if (this.#missed > 0) this.#leadOver(pcm);
    this.#missed = 0;
    this.#keep(pcm);
  }

  /** Writes the stand-in to `pcm`; false when it is silence. */
  conceal(pcm: Int16Array): boolean {
    const from = GAINS[this.#missed];
    const to = GAINS[this.#missed + 1];
    if (this.#known === 0 || from === undefined || to === undefined) {
      pcm.fill(0);
      return false;
    }
    if (this.#missed === 0) this.#takeCycle();
    this.#missed++;
    const slope = (to - from) / pcm.length;
    for (let i = 0; i < pcm.length; i++) pcm[i] = clipped(this.#next() * (from + slope * i));
    this.#keep(pcm);
    return true;
  }

  #keep(pcm: Int16Array): void {
    const frame = this.#frame;
    this.#history.copyWithin(0, frame);
    this.#history.set(pcm, frame);
    this.#known = Math.min(2 * frame, this.#known + frame);
  }

  #takeCycle(): void {
    const history = this.#history;
    const period = this.#finder.find(this.#known);
    const start = history.length - period;
    const cycle = this.#cycle;
    for (let i = 0; i < period; i++) cycle[i] = history[start + i] as number;
    // Its end becomes what stood before its beginning, so that it can follow itself.
    const quarter = period >> 2;
    for (let i = 0; i < quarter; i++) {
      const at = period - quarter + i;
      const share = (i + 1) / (quarter + 1);
      cycle[at] = (cycle[at] as number) * (1 - share) + (history[start - quarter + i] as number) * share;
    }
    this.#period = period;
    this.#phase = 0;
    this.#step = (history[history.length - 1] as number) - (history[start - 1] as number);
    this.#stepDecay = this.#step / Math.max(1, quarter);
  }

  #next(): number {
    const sample = (this.#cycle[this.#phase] as number) + this.#step;
    if (++this.#phase === this.#period) this.#phase = 0;
    this.#step = Math.abs(this.#step) <= Math.abs(this.#stepDecay) ? 0 : this.#step - this.#stepDecay;
    return sample;
  }

  #leadOver(pcm: Int16Array): void {
    const samples = this.#frame >> 2;
    const gain = GAINS[this.#missed] ?? 0;
    for (let i = 0; i < samples; i++) {
      const share = (i + 1) / (samples + 1);
      pcm[i] = clipped((pcm[i] as number) * share + this.#next() * gain * (1 - share));
    }
  }
}

function clipped(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample)));
}
