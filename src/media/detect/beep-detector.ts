import { powerOf } from '../codec/level.ts';

const RATE_HZ = 8000;
const LOWEST_HZ = 400;
const HIGHEST_HZ = 2500;
/** -40 dBov: mean square of the faintest beep. */
const FAINTEST_POWER = 1e-4;
/** What may be left of a frame once its best sine is taken away, as a share of it. */
const IMPURITY = 0.02;
/** 5 ms: a second tone beside the first shows as a beat between them. */
const PART_SAMPLES = 40;
const PARTS_RATIO = 1.7;
/** How far frequency (of the tone) and power may stray from frame to frame. */
const FREQUENCY_DRIFT = 0.02;
const POWER_RATIO = 1.6;
/** Whole frames within 0.2 s, wherever it begins. */
const LEAST_FRAMES = 9;
/** A frame that holds both the tone and its end. */
const RAGGED_FRAMES = 1;

/**
 * A steady single tone of 0.2 s or more, as answering machines give it before they record. Per 20 ms frame the one sine that
 * fits best is found by linear prediction: a sine obeys x[n] + x[n-2] = 2 cos(w) x[n-1], speech and chords do not. Pure.
 */
export class BeepDetector {
  #frames = 0;
  #frequencyHz = 0;
  #power = 0;
  #ragged = 0;

  /** True when a beep has just ended. */
  frame(pcm: Int16Array): boolean {
    const power = powerOf(pcm);
    const frequencyHz = power > FAINTEST_POWER && isEven(pcm) ? pureToneHz(pcm) : 0;
    if (frequencyHz > 0 && this.#goesOn(frequencyHz, power)) {
      this.#frames++;
      this.#ragged = 0;
      return false;
    }
    const wasBeep = this.#frames >= LEAST_FRAMES;
    // The frame in which it ends is neither tone nor silence; one more of the tone after it would be a dropout.
    if (wasBeep && this.#ragged++ < RAGGED_FRAMES) return false;
    this.#begin(frequencyHz, power);
    return wasBeep;
  }

  #goesOn(frequencyHz: number, power: number): boolean {
    if (this.#frames === 0) return false;
    const drift = Math.abs(frequencyHz - this.#frequencyHz) / this.#frequencyHz;
    return drift < FREQUENCY_DRIFT && power < this.#power * POWER_RATIO && power * POWER_RATIO > this.#power;
  }

  #begin(frequencyHz: number, power: number): void {
    this.#frames = frequencyHz > 0 ? 1 : 0;
    this.#frequencyHz = frequencyHz;
    this.#power = power;
    this.#ragged = 0;
  }
}

/** Equally loud throughout. */
function isEven(pcm: Int16Array): boolean {
  let least = Infinity;
  let most = 0;
  for (let from = 0; from + PART_SAMPLES <= pcm.length; from += PART_SAMPLES) {
    let sum = 0;
    for (let i = from; i < from + PART_SAMPLES; i++) sum += (pcm[i] as number) ** 2;
    least = Math.min(least, sum);
    most = Math.max(most, sum);
  }
  return most <= least * PARTS_RATIO;
}

/** Frequency of the sine that a frame consists of; 0 when it is none, or out of the range of beeps. */
function pureToneHz(pcm: Int16Array): number {
  let cross = 0;
  let square = 0;
  let sums = 0;
  for (let i = 2; i < pcm.length; i++) {
    const sum = (pcm[i] as number) + (pcm[i - 2] as number);
    const middle = pcm[i - 1] as number;
    cross += sum * middle;
    square += middle * middle;
    sums += sum * sum;
  }
  const cosine = cross / (2 * square);
  // Of the least squares fit: what is left is sums - cross² / square.
  if (!(Math.abs(cosine) < 1) || sums - (cross * cross) / square > IMPURITY * square) return 0;
  const frequencyHz = (Math.acos(cosine) * RATE_HZ) / (2 * Math.PI);
  return frequencyHz >= LOWEST_HZ && frequencyHz <= HIGHEST_HZ ? frequencyHz : 0;
}
