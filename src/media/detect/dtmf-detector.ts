const RATE_HZ = 8000;
/** 20 ms are looked at every 10 ms: of a tone of 40 ms two windows are filled wherever it begins. */
const WINDOW = 160;
const HOP = 80;
const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const KEYS = ['123A', '456B', '789C', '*0#D'];
/** Amplitude of either tone, of 32,768: -30 dBm0. Q.24 has receivers work from -25 or -24 dBm. */
const FAINTEST = 700;
/** The high tone may be so much stronger than the low one, and so much weaker, as powers: 6 and 9 dB (Q.24 has 4 to 5, and 8). */
const TWIST = 4;
const REVERSE_TWIST = 8;
/** What the two tones must have of the power of a window. Speech spreads over its harmonics. */
const PURITY = 0.9;
/** Where the peak of a tone is looked for beside its frequency; up to 1.5 % off is a key, from 3.5 % on it is none (Q.24). */
const DETUNING = [-0.045, -0.03, -0.015, -0.0075, 0, 0.0075, 0.015, 0.03, 0.045];
const TOLERANCE = 0.016;
/** Windows in a row that begin a press, and that end it. */
const LEAST_WINDOWS = 2;
/** How far either tone may stray in power from window to window: 3 dB. Formants do, keys do not. */
const STEADY = 2;
const LEAST_GAP_WINDOWS = 4;

/** Coefficient of Goertzel's recursion. */
function coefficient(frequencyHz: number): number {
  return 2 * Math.cos((2 * Math.PI * frequencyHz) / RATE_HZ);
}

const ROWS = ROWS_HZ.map(coefficient);
const COLUMNS = COLUMNS_HZ.map(coefficient);
const AROUND_ROWS = ROWS_HZ.map((hz) => DETUNING.map((off) => coefficient(hz * (1 + off))));
const AROUND_COLUMNS = COLUMNS_HZ.map((hz) => DETUNING.map((off) => coefficient(hz * (1 + off))));

/**
 * Keys in the sound of a phone (ITU-T Q.23, Q.24): two pure tones of 40 ms or more at their frequencies, similar in strength, and
 * little else beside them. Told once per press, some 30 ms after its beginning. Keeps 160 samples. Pure.
 */
export class DtmfDetector {
  readonly #window = new Float64Array(WINDOW);
  readonly #tones: Tones = { low: 0, high: 0 };
  #low = 0;
  #high = 0;
  #candidate: string | null = null;
  #windows = 0;
  #pressed: string | null = null;
  #gaps = 0;

  /** `pcm`: 160 samples at 8 kHz. The key whose press is now certain, else null. */
  frame(pcm: Int16Array): string | null {
    const first = this.#hop(pcm, 0);
    const second = this.#hop(pcm, HOP);
    return first ?? second;
  }

  #hop(pcm: Int16Array, from: number): string | null {
    const window = this.#window;
    window.copyWithin(0, HOP);
    for (let i = 0; i < HOP; i++) window[WINDOW - HOP + i] = pcm[from + i] as number;
    const key = keyIn(window, this.#tones);
    const { low, high } = this.#tones;
    const steady = isNear(low, this.#low) && isNear(high, this.#high);
    this.#low = low;
    this.#high = high;
    return this.#judge(key, steady);
  }

  #judge(key: string | null, steady: boolean): string | null {
    this.#windows = steady && key !== null && key === this.#candidate ? this.#windows + 1 : 1;
    this.#candidate = key;
    if (this.#pressed !== null && key !== this.#pressed && ++this.#gaps >= LEAST_GAP_WINDOWS) this.#pressed = null;
    if (key === this.#pressed) this.#gaps = 0;
    if (key === null || this.#pressed !== null || this.#windows < LEAST_WINDOWS) return null;
    this.#pressed = key;
    this.#gaps = 0;
    return key;
  }
}

/** Squared amplitudes. */
interface Tones {
  low: number;
  high: number;
}

function isNear(power: number, before: number): boolean {
  return power < before * STEADY && before < power * STEADY;
}

/** The key in one window; its tones go into `tones`. */
function keyIn(window: Float64Array, tones: Tones): string | null {
  let energy = 0;
  for (let i = 0; i < WINDOW; i++) energy += (window[i] as number) ** 2;
  // Two tones of the faintest kind; most windows of a call end here.
  if (energy < FAINTEST * FAINTEST * WINDOW * 0.7) return null;
  const row = loudest(window, ROWS);
  const column = loudest(window, COLUMNS);
  const low = peak(window, AROUND_ROWS[row] as number[]);
  const high = peak(window, AROUND_COLUMNS[column] as number[]);
  tones.low = low;
  tones.high = high;
  if (low < FAINTEST ** 2 || high < FAINTEST ** 2 || high > low * TWIST || low > high * REVERSE_TWIST) return null;
  if ((low + high) * (WINDOW / 2) < PURITY * energy) return null;
  return (KEYS[row] as string).charAt(column);
}

function loudest(window: Float64Array, coefficients: readonly number[]): number {
  let best = 0;
  let most = -1;
  for (let n = 0; n < coefficients.length; n++) {
    const power = powerAt(window, coefficients[n] as number);
    if (power <= most) continue;
    most = power;
    best = n;
  }
  return best;
}

/** Squared amplitude of the tone near a frequency of a key; 0 when it lies beside it. */
function peak(window: Float64Array, coefficients: readonly number[]): number {
  const best = loudest(window, coefficients);
  return Math.abs(DETUNING[best] as number) > TOLERANCE ? 0 : powerAt(window, coefficients[best] as number);
}

/** Squared amplitude at one frequency (Goertzel). */
function powerAt(window: Float64Array, c: number): number {
  let before = 0;
  let last = 0;
  for (let i = 0; i < WINDOW; i++) {
    const next = (window[i] as number) + c * last - before;
    before = last;
    last = next;
  }
  return (4 * (last * last + before * before - c * last * before)) / (WINDOW * WINDOW);
}
