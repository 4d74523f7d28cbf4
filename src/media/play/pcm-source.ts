import { SILENCE_DBOV } from '../codec/level.ts';

/** Samples at 8 kHz, read once from front to back. */
export interface PcmSource {
  /** Fills `out` from its start, zero-padded; returns how many samples were there. 0 is the end. */
  read(out: Int16Array): number;
}

/** A decoded file, `loops` times; 0 is for ever. */
export class ClipSource implements PcmSource {
  readonly #clip: Int16Array;
  #loopsLeft: number;
  #at = 0;

  constructor(clip: Int16Array, loops: number) {
    this.#clip = clip;
    this.#loopsLeft = clip.length === 0 ? 1 : loops === 0 ? Infinity : loops;
  }

  read(out: Int16Array): number {
    let filled = 0;
    while (filled < out.length) {
      if (this.#at >= this.#clip.length) {
        if (--this.#loopsLeft <= 0) break;
        this.#at = 0;
      }
      const n = Math.min(out.length - filled, this.#clip.length - this.#at);
      out.set(this.#clip.subarray(this.#at, this.#at + n), filled);
      this.#at += n;
      filled += n;
    }
    out.fill(0, filled);
    return filled;
  }
}

/** Peak of a sine of that level: a full-scale sine has -3.01 dBov. */
function amplitude(levelDbov: number): number {
  return levelDbov <= SILENCE_DBOV ? 0 : Math.min(32767, 32768 * Math.SQRT2 * 10 ** (levelDbov / 20));
}

/** A sine, or silence at -127 dBov. */
export class ToneSource implements PcmSource {
  readonly #step: number;
  readonly #amplitude: number;
  #samplesLeft: number;
  #phase = 0;

  constructor(tone: { frequencyHz: number; durationMs: number; levelDbov: number }, loops = 1) {
    this.#step = (2 * Math.PI * tone.frequencyHz) / 8000;
    this.#amplitude = amplitude(tone.levelDbov);
    this.#samplesLeft = Math.round(tone.durationMs * 8) * (loops === 0 ? Infinity : loops) || 0;
  }

  read(out: Int16Array): number {
    const n = Math.min(out.length, this.#samplesLeft);
    for (let i = 0; i < n; i++) {
      out[i] = Math.round(this.#amplitude * Math.sin(this.#phase));
      this.#phase += this.#step;
    }
    if (this.#phase > 1e6) this.#phase %= 2 * Math.PI;
    out.fill(0, n);
    this.#samplesLeft -= n;
    return n;
  }
}

export function silenceSource(durationMs: number, loops = 1): PcmSource {
  return new ToneSource({ frequencyHz: 0, durationMs, levelDbov: SILENCE_DBOV }, loops);
}
