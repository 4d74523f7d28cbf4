import { InternalError } from '../base/errors.ts';

/** Tones: made, and found again in what was heard. Everything is 16-bit samples at 8 kHz. Pure. */

export const SAMPLE_RATE_HZ = 8000;
const FULL_SCALE = 32_768;
/** Twice the share of a window's power that a tone must have, since a full-scale sine has half the power of its square. */
const PRESENT_SHARE = 0.1;
/** Power of the faintest tone that counts as there: amplitude 0.01, -43 dBov. */
const PRESENT_POWER = 1e-4;
const DEFAULT_WINDOW_MS = 100;

/**
 * `durationMs` of a sine. Level in dBov: 0 is a full-scale square wave, so the loudest sine is -3.01 (default -12). One
 * second of a whole number of Hz joins itself without a click.
 */
export function toneSamples(tone: { frequencyHz: number; levelDbov?: number }, durationMs: number): Int16Array {
  const { frequencyHz, levelDbov = -12 } = tone;
  if (!(frequencyHz > 0 && frequencyHz < SAMPLE_RATE_HZ / 2)) throw new InternalError(`a tone of ${frequencyHz} Hz does not fit into 8 kHz`);
  const amplitude = Math.min(32_767, 32_767 * Math.SQRT2 * 10 ** (levelDbov / 20));
  const step = (2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ;
  return Int16Array.from({ length: Math.round((durationMs * SAMPLE_RATE_HZ) / 1000) }, (_, i) => Math.round(amplitude * Math.sin(step * i)));
}

/** Square of the amplitude of one frequency: 1.0 for a full-scale sine of it (Goertzel's algorithm under a Hann window). */
export function tonePower(samples: Int16Array, frequencyHz: number): number {
  const { length } = samples;
  if (length === 0) return 0;
  const coefficient = 2 * Math.cos((2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ);
  const turn = (2 * Math.PI) / length;
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < length; i++) {
    const windowed = ((samples[i] as number) / FULL_SCALE) * (1 - Math.cos(turn * (i + 0.5)));
    const s0 = windowed + coefficient * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  return (4 * Math.max(0, s1 * s1 + s2 * s2 - coefficient * s1 * s2)) / length ** 2;
}

/** Mean square, full scale 1.0. */
export function meanPower(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 ? 0 : sum / samples.length / FULL_SCALE ** 2;
}

/** Whether the tone is clearly there: louder than -43 dBov and at least a tenth of all the power. */
export function hasTone(samples: Int16Array, frequencyHz: number): boolean {
  const power = tonePower(samples, frequencyHz);
  return power > PRESENT_POWER && power / 2 >= PRESENT_SHARE * meanPower(samples);
}

/** Share (0–1) of the windows in which the tone is there. 0 when there is not one whole window. */
export function toneShare(samples: Int16Array, frequencyHz: number, windowMs = DEFAULT_WINDOW_MS): number {
  const size = Math.round((windowMs * SAMPLE_RATE_HZ) / 1000);
  const windows = Math.floor(samples.length / size);
  let present = 0;
  for (let n = 0; n < windows; n++) if (hasTone(samples.subarray(n * size, (n + 1) * size), frequencyHz)) present++;
  return windows === 0 ? 0 : present / windows;
}

/** The strongest frequency between 100 and 3,500 Hz, to 1 Hz or so; null when nothing stands out. For people to read. */
export function dominantFrequencyHz(samples: Int16Array): number | null {
  const coarse = strongest(samples.subarray(-800), { fromHz: 100, toHz: 3500, stepHz: 10 });
  const fine = strongest(samples.subarray(-3200), { fromHz: coarse - 15, toHz: coarse + 15, stepHz: 1 });
  return hasTone(samples.subarray(-3200), fine) ? fine : null;
}

function strongest(samples: Int16Array, range: { fromHz: number; toHz: number; stepHz: number }): number {
  let bestHz = range.fromHz;
  let best = -1;
  for (let hz = range.fromHz; hz <= range.toHz; hz += range.stepHz) {
    const power = tonePower(samples, hz);
    if (power <= best) continue;
    best = power;
    bestHz = hz;
  }
  return bestHz;
}
