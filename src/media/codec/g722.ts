/**
 * G.722 at 64 kbit/s (ITU-T G.722): 16 kHz samples in, one byte per two of them out. A filter bank splits the sound into two
 * bands of 8 kHz; the low one gets 6 bits a sample, the high one 2, both as adaptive differences to a prediction. Names in
 * upper case are the blocks of the recommendation. Pure; bit-exact with its fixed-point description.
 */

/** Quadrature mirror filter, every second of its 24 coefficients; the others are these in reverse (table 11). */
const QMF = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
/** Decision levels of the low band (table 14). */
const LEVELS = Int32Array.of(
  35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
);
/** Output of the low band's quantizer, 4 bits of it and all 6 (tables 17, 18); signs folded in below. */
const QUANTIZED_4 = Int32Array.of(0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0);
const QUANTIZED_6_MAGNITUDES = [24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728];
const QUANTIZED_6 = Int32Array.from([
  ...[-136, -136, -136, -136],
  ...QUANTIZED_6_MAGNITUDES.map((magnitude) => -magnitude),
  ...QUANTIZED_6_MAGNITUDES,
  ...[432, 136, -432, -136],
]);
const QUANTIZED_2 = Int32Array.of(-7408, -1616, 7408, 1616);
/** What a code adds to the logarithm of the step size (tables 15, 20). */
const LOW_GROWTH = Int32Array.of(-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60);
const HIGH_GROWTH = Int32Array.of(798, -214, 798, -214);
/** Antilogarithm of the step size's fraction (table 19). */
const ANTILOG = Int32Array.of(
  2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
);

function saturate(value: number): number {
  return value > 32767 ? 32767 : value < -32768 ? -32768 : value;
}

/** Where things are in a band's state. */
const SIGNAL = 0; // s: the prediction
const ZERO_PART = 1; // sz
const LOG_STEP = 2; // nb
const STEP = 3; // det
const A1 = 4;
const A2 = 5;
const P1 = 6;
const P2 = 7;
const R1 = 8;
const R2 = 9;
const B = 10; // b1…b6
const D = 16; // d1…d6
const BAND_SIZE = 22;
const HIGH = BAND_SIZE;
const HISTORY = 2 * BAND_SIZE;
const HISTORY_SIZE = 24;
const STATE_SIZE = HISTORY + HISTORY_SIZE;

/** One direction's memory: two bands and the filter bank's last 24 samples. */
function initialState(): Int32Array {
  const state = new Int32Array(STATE_SIZE);
  state[STEP] = 32;
  state[HIGH + STEP] = 8;
  return state;
}

/** LOGSCL, SCALEL; LOGSCH, SCALEH. */
function scale(s: Int32Array, band: number, growth: number): void {
  const isLow = band === 0;
  const most = isLow ? 18_432 : 22_528;
  let nb = (((s[band + LOG_STEP] as number) * 127) >> 7) + growth;
  nb = nb < 0 ? 0 : nb > most ? most : nb;
  s[band + LOG_STEP] = nb;
  const shift = (isLow ? 8 : 10) - (nb >> 11);
  const base = ANTILOG[(nb >> 6) & 31] as number;
  s[band + STEP] = (shift < 0 ? base << -shift : base >> shift) << 2;
}

/** RECONS, PARREC, UPPOL2, UPPOL1, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC: the band learns from the quantized difference `d`. */
function adapt(s: Int32Array, band: number, d: number): void {
  const r = saturate((s[band + SIGNAL] as number) + d);
  const p = saturate((s[band + ZERO_PART] as number) + d);
  adaptPoles(s, band, p);
  adaptZeros(s, band, d);
  s[band + R2] = s[band + R1] as number;
  s[band + R1] = r;
  s[band + P2] = s[band + P1] as number;
  s[band + P1] = p;
  const poles = saturate((((s[band + A1] as number) * saturate(r + r)) >> 15) + (((s[band + A2] as number) * saturate(2 * (s[band + R2] as number))) >> 15));
  let zeros = 0;
  for (let i = 5; i >= 0; i--) zeros += ((s[band + B + i] as number) * saturate(2 * (s[band + D + i] as number))) >> 15;
  s[band + ZERO_PART] = saturate(zeros);
  s[band + SIGNAL] = saturate(poles + (s[band + ZERO_PART] as number));
}

/** The two poles, kept where the filter is stable. */
function adaptPoles(s: Int32Array, band: number, p: number): void {
  const a1 = s[band + A1] as number;
  const a2 = s[band + A2] as number;
  const like1 = p >> 15 === (s[band + P1] as number) >> 15;
  const like2 = p >> 15 === (s[band + P2] as number) >> 15;
  const scaled = saturate(a1 << 2);
  const pull = like1 ? -scaled : scaled;
  let next2 = (like2 ? 128 : -128) + ((pull > 32767 ? 32767 : pull) >> 7) + ((a2 * 32_512) >> 15);
  next2 = next2 > 12_288 ? 12_288 : next2 < -12_288 ? -12_288 : next2;
  const limit = saturate(15_360 - next2);
  let next1 = saturate((like1 ? 192 : -192) + ((a1 * 32_640) >> 15));
  next1 = next1 > limit ? limit : next1 < -limit ? -limit : next1;
  s[band + A1] = next1;
  s[band + A2] = next2;
}

/** The six zeros, and their delay line. */
function adaptZeros(s: Int32Array, band: number, d: number): void {
  const gain = d === 0 ? 0 : 128;
  const sign = d >> 15;
  for (let i = 5; i >= 0; i--) {
    const past = s[band + D + i] as number;
    const b = s[band + B + i] as number;
    s[band + B + i] = saturate((past >> 15 === sign ? gain : -gain) + ((b * 32_640) >> 15));
    s[band + D + i] = i === 0 ? d : (s[band + D + i - 1] as number);
  }
}

function pushHistory(s: Int32Array, first: number, second: number): void {
  s.copyWithin(HISTORY, HISTORY + 2, HISTORY + HISTORY_SIZE);
  s[HISTORY + HISTORY_SIZE - 2] = first;
  s[HISTORY + HISTORY_SIZE - 1] = second;
}

export class G722Encoder {
  readonly #state = initialState();
  /** As it was before the latest `encode`. */
  readonly #before = initialState();

  /** 16 kHz samples, an even number of them; half as many bytes go to `codes`. */
  encode(pcm: Int16Array, codes: Uint8Array): void {
    const s = this.#state;
    this.#before.set(s);
    for (let i = 0, o = 0; i + 1 < pcm.length; i += 2, o++) {
      pushHistory(s, pcm[i] as number, pcm[i + 1] as number);
      let odd = 0;
      let even = 0;
      for (let k = 0, at = HISTORY; k < 12; k++, at += 2) {
        odd += (s[at] as number) * (QMF[k] as number);
        even += (s[at + 1] as number) * (QMF[11 - k] as number);
      }
      codes[o] = (encodeHigh(s, (even - odd) >> 14) << 6) | encodeLow(s, (even + odd) >> 14);
    }
  }

  /** Goes on where `other` is, or was before its latest frame: whoever heard the other's codes hears no seam. */
  continueFrom(other: G722Encoder, beforeLatest: boolean): void {
    this.#state.set(beforeLatest ? other.#before : other.#state);
  }
}

/** SUBTRA, QUANTL, INVQAL. */
function encodeLow(s: Int32Array, sample: number): number {
  const difference = saturate(sample - (s[SIGNAL] as number));
  const step = s[STEP] as number;
  const magnitude = difference >= 0 ? difference : -(difference + 1);
  let level = 0;
  while (level < LEVELS.length && magnitude >= ((LEVELS[level] as number) * step) >> 12) level++;
  // Codes fall from the middle outwards (table 16): 61…32 for what is above, 63, 62, 31…4 below.
  const code = difference >= 0 ? 61 - level : level < 2 ? 63 - level : 33 - level;
  const coarse = code >> 2;
  const d = (step * (QUANTIZED_4[coarse] as number)) >> 15;
  scale(s, 0, LOW_GROWTH[coarse] as number);
  adapt(s, 0, d);
  return code;
}

/** SUBTRA, QUANTH, INVQAH. */
function encodeHigh(s: Int32Array, sample: number): number {
  const difference = saturate(sample - (s[HIGH + SIGNAL] as number));
  const step = s[HIGH + STEP] as number;
  const magnitude = difference >= 0 ? difference : -(difference + 1);
  const isLarge = magnitude >= (564 * step) >> 12;
  const code = difference < 0 ? (isLarge ? 0 : 1) : isLarge ? 2 : 3;
  const d = (step * (QUANTIZED_2[code] as number)) >> 15;
  scale(s, HIGH, HIGH_GROWTH[code] as number);
  adapt(s, HIGH, d);
  return code;
}

export class G722Decoder {
  readonly #state = initialState();

  /** Bytes `offset` to `offset + count` of `codes`; two 16 kHz samples for each go to `pcm`. */
  decode(codes: ArrayLike<number>, pcm: Int16Array, range: { offset: number; count: number }): void {
    const s = this.#state;
    for (let i = 0; i < range.count; i++) {
      const code = codes[range.offset + i] as number;
      const low = decodeLow(s, code & 0x3f);
      const high = decodeHigh(s, (code >> 6) & 3);
      pushHistory(s, low + high, low - high);
      let first = 0;
      let second = 0;
      for (let k = 0, at = HISTORY; k < 12; k++, at += 2) {
        second += (s[at] as number) * (QMF[k] as number);
        first += (s[at + 1] as number) * (QMF[11 - k] as number);
      }
      pcm[2 * i] = saturate(first >> 11);
      pcm[2 * i + 1] = saturate(second >> 11);
    }
  }

  reset(): void {
    this.#state.set(initialState());
  }
}

function limit15(value: number): number {
  return value > 16_383 ? 16_383 : value < -16_384 ? -16_384 : value;
}

function decodeLow(s: Int32Array, code: number): number {
  const step = s[STEP] as number;
  const sample = limit15((s[SIGNAL] as number) + ((step * (QUANTIZED_6[code] as number)) >> 15));
  const coarse = code >> 2;
  const d = (step * (QUANTIZED_4[coarse] as number)) >> 15;
  scale(s, 0, LOW_GROWTH[coarse] as number);
  adapt(s, 0, d);
  return sample;
}

function decodeHigh(s: Int32Array, code: number): number {
  const d = ((s[HIGH + STEP] as number) * (QUANTIZED_2[code] as number)) >> 15;
  const sample = limit15(d + (s[HIGH + SIGNAL] as number));
  scale(s, HIGH, HIGH_GROWTH[code] as number);
  adapt(s, HIGH, d);
  return sample;
}
