/** Any rate → 8 kHz through a windowed-sinc low-pass (Blackman, 3.8 kHz at most), polyphase in effect. Run once per file. */
const OUT_RATE_HZ = 8000;
/** Zero crossings of the sinc on each side, at the lower of the two rates. */
const LOBES = 24;
const TABLE_PER_LOBE = 512;
/** Share of the lower rate's half that passes. */
const PASS = 0.94;

let kernel: Float64Array | null = null;

function kernelTable(): Float64Array {
  kernel ??= makeKernel();
  return kernel;
}

function makeKernel(): Float64Array {
  const size = LOBES * TABLE_PER_LOBE;
  const table = new Float64Array(size + 2);
  for (let i = 0; i <= size; i++) {
    const x = i / TABLE_PER_LOBE;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    const t = x / LOBES;
    table[i] = sinc * (0.42 + 0.5 * Math.cos(Math.PI * t) + 0.08 * Math.cos(2 * Math.PI * t));
  }
  return table;
}

/** `input` are samples of any scale at `rateHz`; the result is at 8 kHz, saturated to 16 bit. */
export function toTelephoneRate(input: Float32Array, rateHz: number): Int16Array {
  const resampler = new TelephoneRate(rateHz);
  const [most, rest] = [resampler.push(input), resampler.end()];
  const out = new Int16Array(most.length + rest.length);
  out.set(most);
  out.set(rest, most.length);
  return out;
}

/** The same piece by piece, for what is too long to be held at its own rate. */
export class TelephoneRate {
  readonly #table = kernelTable();
  readonly #rateHz: number;
  /** Sinc argument per input sample: below 1 it is the low-pass of a downward conversion. */
  readonly #scale: number;
  readonly #reach: number;
  /** Input samples that are still needed; the first of them is number `#first`. */
  #input: Float32Array = new Float32Array(0);
  #first = 0;
  #made = 0;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
    this.#scale = Math.min(1, OUT_RATE_HZ / rateHz) * PASS;
    this.#reach = LOBES / this.#scale;
  }

  /** What can be said with what has come so far. */
  push(input: Float32Array): Int16Array {
    if (this.#rateHz === OUT_RATE_HZ) return Int16Array.from(input, saturate);
    this.#append(input);
    const end = this.#first + this.#input.length;
    return this.#make(Math.max(this.#made, Math.floor(((end - this.#reach) * OUT_RATE_HZ) / this.#rateHz)));
  }

  /** The rest. */
  end(): Int16Array {
    if (this.#rateHz === OUT_RATE_HZ) return new Int16Array(0);
    return this.#make(Math.floor(((this.#first + this.#input.length) * OUT_RATE_HZ) / this.#rateHz));
  }

  #append(input: Float32Array): void {
    const needed = Math.max(this.#first, Math.floor((this.#made * this.#rateHz) / OUT_RATE_HZ - this.#reach) - 1);
    const kept = this.#input.subarray(Math.min(needed - this.#first, this.#input.length));
    this.#first += this.#input.length - kept.length;
    const joined = new Float32Array(kept.length + input.length);
    joined.set(kept);
    joined.set(input, kept.length);
    this.#input = joined;
  }

  #make(until: number): Int16Array {
    const out = new Int16Array(Math.max(0, until - this.#made));
    for (let i = 0; i < out.length; i++) out[i] = saturate(this.#sampleAt((this.#made + i) * (this.#rateHz / OUT_RATE_HZ) - this.#first));
    this.#made += out.length;
    return out;
  }

  #sampleAt(centre: number): number {
    const table = this.#table;
    const input = this.#input;
    const first = Math.max(0, Math.ceil(centre - this.#reach));
    const last = Math.min(input.length - 1, Math.floor(centre + this.#reach));
    const step = this.#scale * TABLE_PER_LOBE;
    let sum = 0;
    for (let k = first; k <= last; k++) {
      const x = Math.abs(centre - k) * step;
      const i = x | 0;
      const left = table[i] as number;
      sum += (input[k] as number) * (left + ((table[i + 1] as number) - left) * (x - i));
    }
    return sum * this.#scale;
  }
}

function saturate(sample: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(sample)));
}
