/**
 * 8 kHz ↔ 16 kHz through one half-band low-pass (Kaiser window, passes 3.4 kHz, 60 dB down from 4.6 kHz). Every second of its
 * coefficients is zero, the middle one is a half. Each object is one stream's memory; 1.5 ms of delay at 16 kHz.
 */

/** Coefficients on one side of the middle that are not zero. */
const SIDE = 12;
const TAPS = 2 * SIDE;
const KAISER_BETA = 5.65;

/** For the sample k + 0.5 low-rate steps away from the middle, on either side. */
const COEFFICIENTS = Float32Array.from({ length: SIDE }, (_, k) => coefficient(2 * k + 1));

function coefficient(n: number): number {
  const ratio = n / (2 * SIDE);
  const window = bessel0(KAISER_BETA * Math.sqrt(1 - ratio * ratio)) / bessel0(KAISER_BETA);
  return (Math.sin((Math.PI * n) / 2) / (Math.PI * n)) * window;
}

/** Modified Bessel function of the first kind, order 0. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 30; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function saturate(value: number): number {
  return value > 32767 ? 32767 : value < -32768 ? -32768 : value;
}

/** 8 kHz → 16 kHz. */
export class Upsampler {
  #line = new Float32Array(0);

  /** `to` is twice as long as `from`. */
  convert(from: Int16Array, to: Int16Array): void {
    const line = this.#lineFor(from.length);
    line.set(from, TAPS);
    for (let i = 0; i < from.length; i++) {
      to[2 * i] = line[i + SIDE] as number;
      let sum = 0;
      for (let k = 0; k < SIDE; k++) sum += (COEFFICIENTS[k] as number) * ((line[i + SIDE - k] as number) + (line[i + SIDE + 1 + k] as number));
      to[2 * i + 1] = saturate(Math.round(2 * sum));
    }
    line.copyWithin(0, from.length);
  }

  reset(): void {
    this.#line.fill(0);
  }

  #lineFor(length: number): Float32Array {
    if (this.#line.length !== length + TAPS) this.#line = new Float32Array(length + TAPS);
    return this.#line;
  }
}

/** 16 kHz → 8 kHz. */
export class Downsampler {
  #line = new Float32Array(0);

  /** `to` is half as long as `from`. */
  convert(from: Int16Array, to: Int16Array): void {
    const line = this.#lineFor(from.length);
    line.set(from, 2 * TAPS);
    for (let i = 0; i < to.length; i++) {
      const middle = 2 * i + TAPS;
      let sum = (line[middle] as number) / 2;
      for (let k = 0; k < SIDE; k++) sum += (COEFFICIENTS[k] as number) * ((line[middle - 1 - 2 * k] as number) + (line[middle + 1 + 2 * k] as number));
      to[i] = saturate(Math.round(sum));
    }
    line.copyWithin(0, from.length);
  }

  reset(): void {
    this.#line.fill(0);
  }

  #lineFor(length: number): Float32Array {
    if (this.#line.length !== length + 2 * TAPS) this.#line = new Float32Array(length + 2 * TAPS);
    return this.#line;
  }
}
