import { AudioFileError } from './wav.ts';

/**
 * GSM full rate (ETSI EN 300 961, once GSM 06.10) as files hold it: frames of 33 bytes, each of 20 ms at 8 kHz. Decoder only,
 * in the 16-bit fixed point of its §5.3, bit for bit.
 */
const GSM_FRAME_BYTES = 33;
const FRAME_SAMPLES = 160;
/** Longer files are not prompts. */
const MAX_FRAMES = 4 * 3600 * 50;
const SUBFRAMES = 4;
const SUBFRAME_SAMPLES = 40;
const PULSES = 13;
const LONGEST_LAG = 120;
const ORDER = 8;
/** The first four bits of each frame. */
const SIGNATURE = 0xd;
const DE_EMPHASIS = 28_180;

const LAR_BITS = [6, 6, 5, 5, 4, 4, 3, 3];
const LAR_LEAST = [-32, -32, -16, -16, -8, -8, -4, -4];
const LAR_OFFSET = [0, 0, 2048, -2560, 94, -1792, -341, -1144];
const LAR_INVERSE = [13_107, 13_107, 13_107, 13_107, 19_223, 17_476, 31_454, 29_708];
const LAG_GAIN = [3277, 11_469, 21_299, 32_767];
const PULSE_STEP = [18_431, 20_479, 22_527, 24_575, 26_623, 28_671, 30_719, 32_767];
/** Where the filter changes within a frame, and the share of the frame before, in quarters. */
const PARTS: readonly [until: number, quartersOfLast: number][] = [[13, 3], [27, 2], [40, 1], [FRAME_SAMPLES, 0]];

/** Samples at 8 kHz. What is no whole frame at the end is left out. Throws AudioFileError. */
export function decodeGsm(file: Buffer): Int16Array {
  const frames = Math.floor(file.length / GSM_FRAME_BYTES);
  if (frames > MAX_FRAMES) throw new AudioFileError('broken', 'the GSM file lasts longer than 4 hours');
  const out = new Int16Array(frames * FRAME_SAMPLES);
  const decoder = new GsmDecoder();
  for (let n = 0; n < frames; n++) decoder.frame(file.subarray(n * GSM_FRAME_BYTES, (n + 1) * GSM_FRAME_BYTES), out.subarray(n * FRAME_SAMPLES, (n + 1) * FRAME_SAMPLES));
  if (frames === 0) throw new AudioFileError('broken', 'the GSM file has no frame');
  return out;
}

/** The first two frames begin as such. */
export function looksLikeGsm(file: Buffer): boolean {
  return [0, GSM_FRAME_BYTES].every((at) => file.length >= GSM_FRAME_BYTES && (at >= file.length || (file[at] as number) >> 4 === SIGNATURE));
}

class BitReader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  take(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++, this.#at++) value = (value << 1) | (((this.#bytes[this.#at >> 3] as number) >> (7 - (this.#at & 7))) & 1);
    return value;
  }
}

class GsmDecoder {
  /** Excitation: 120 samples of the past, then the subframe. */
  readonly #excitation = new Int16Array(LONGEST_LAG + SUBFRAME_SAMPLES);
  readonly #pulses = new Int16Array(SUBFRAME_SAMPLES);
  readonly #lattice = new Int16Array(ORDER + 1);
  readonly #reflection = new Int16Array(ORDER);
  #lastLar = new Int16Array(ORDER);
  #lar = new Int16Array(ORDER);
  #lag = SUBFRAME_SAMPLES;
  #emphasis = 0;

  frame(bytes: Buffer, out: Int16Array): void {
    const bits = new BitReader(bytes);
    if (bits.take(4) !== SIGNATURE) throw new AudioFileError('broken', 'a frame of the GSM file does not begin as one');
    [this.#lastLar, this.#lar] = [this.#lar, this.#lastLar];
    for (let i = 0; i < ORDER; i++) this.#lar[i] = logAreaRatio(i, bits.take(LAR_BITS[i] as number));
    for (let n = 0; n < SUBFRAMES; n++) {
      this.#subframe(bits);
      out.set(this.#excitation.subarray(LONGEST_LAG), n * SUBFRAME_SAMPLES);
    }
    this.#synthesize(out);
    this.#deEmphasize(out);
  }

  /** Regular pulses and long-term prediction: §5.3.1, §5.3.2. */
  #subframe(bits: BitReader): void {
    const lag = bits.take(7);
    const gain = LAG_GAIN[bits.take(2)] as number;
    this.#readPulses(bits);
    if (lag >= SUBFRAME_SAMPLES && lag <= LONGEST_LAG) this.#lag = lag;
    const excitation = this.#excitation;
    excitation.copyWithin(0, SUBFRAME_SAMPLES);
    for (let k = 0; k < SUBFRAME_SAMPLES; k++) {
      const predicted = multiply(gain, excitation[LONGEST_LAG + k - this.#lag] as number);
      excitation[LONGEST_LAG + k] = add(this.#pulses[k] as number, predicted);
    }
  }

  #readPulses(bits: BitReader): void {
    const grid = bits.take(2);
    const { exponent, mantissa } = blockMaximum(bits.take(6));
    const step = PULSE_STEP[mantissa] as number;
    const shift = 6 - exponent;
    const half = shift > 0 ? 1 << (shift - 1) : 0;
    this.#pulses.fill(0);
    for (let i = 0; i < PULSES; i++) {
      const value = ((bits.take(3) << 1) - 7) << 12;
      this.#pulses[grid + 3 * i] = add(multiply(step, value), half) >> shift;
    }
  }

  /** The lattice filter, whose coefficients move from the last frame's to this one's: §5.3.3. */
  #synthesize(samples: Int16Array): void {
    let from = 0;
    for (const [until, quarters] of PARTS) {
      for (let i = 0; i < ORDER; i++) this.#reflection[i] = reflection(between(this.#lastLar[i] as number, this.#lar[i] as number, quarters));
      for (let k = from; k < until; k++) samples[k] = this.#filter(samples[k] as number);
      from = until;
    }
  }

  #filter(sample: number): number {
    const lattice = this.#lattice;
    let value = sample;
    for (let i = ORDER - 1; i >= 0; i--) {
      const coefficient = this.#reflection[i] as number;
      value = add(value, -multiply(coefficient, lattice[i] as number));
      lattice[i + 1] = add(lattice[i] as number, multiply(coefficient, value));
    }
    lattice[0] = value;
    return value;
  }

  /** §5.3.4, and the 13 bits that GSM has. */
  #deEmphasize(samples: Int16Array): void {
    for (let k = 0; k < FRAME_SAMPLES; k++) {
      this.#emphasis = add(samples[k] as number, multiply(this.#emphasis, DE_EMPHASIS));
      samples[k] = add(this.#emphasis, this.#emphasis) & 0xfff8;
    }
  }
}

function add(a: number, b: number): number {
  const sum = a + b;
  return sum > 32_767 ? 32_767 : sum < -32_768 ? -32_768 : sum;
}

/** Fractions of 15 bits, rounded. */
function multiply(a: number, b: number): number {
  return a === -32_768 && b === -32_768 ? 32_767 : (a * b + 16_384) >> 15;
}

function logAreaRatio(index: number, code: number): number {
  const centred = (code + (LAR_LEAST[index] as number)) << 10;
  const value = multiply(LAR_INVERSE[index] as number, add(centred, -((LAR_OFFSET[index] as number) << 1)));
  return add(value, value);
}

function between(last: number, next: number, quartersOfLast: number): number {
  if (quartersOfLast === 3) return add(add(last >> 2, next >> 2), last >> 1);
  if (quartersOfLast === 2) return add(last >> 1, next >> 1);
  if (quartersOfLast === 1) return add(add(last >> 2, next >> 2), next >> 1);
  return next;
}

function reflection(logAreaRatio: number): number {
  const size = logAreaRatio === -32_768 ? 32_767 : Math.abs(logAreaRatio);
  const value = size < 11_059 ? size << 1 : size < 20_070 ? size + 11_059 : add(size >> 2, 26_112);
  return logAreaRatio < 0 ? -value : value;
}

function blockMaximum(code: number): { exponent: number; mantissa: number } {
  let exponent = code > 15 ? (code >> 3) - 1 : 0;
  let mantissa = code - (exponent << 3);
  if (mantissa === 0) return { exponent: -4, mantissa: 7 };
  while (mantissa <= 7) {
    mantissa = (mantissa << 1) | 1;
    exponent--;
  }
  return { exponent, mantissa: mantissa - 8 };
}
