/** Any rate → 8 kHz through a windowed-sinc low-pass (Blackman, 3.8 kHz at most), polyphase in effect. Run once per file. */
const OUT_RATE_HZ = 8000;
/** Zero crossings of the sinc on each side, at the lower of the two rates. */
const LOBES = 24;
const TABLE_PER_LOBE = 512;
/** Share of the lower rate's half that passes. */
const PASS = 0.94;

function kernelTable(): Float64Array {
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
  if (rateHz === OUT_RATE_HZ) return Int16Array.from(input, saturate);
  const table = kernelTable();
  const length = Math.floor((input.length * OUT_RATE_HZ) / rateHz);
  const out = new Int16Array(length);
  // Sinc argument per input sample: below 1 it is the low-pass of a downward conversion.
  const scale = Math.min(1, OUT_RATE_HZ / rateHz) * PASS;
  const reach = LOBES / scale;
  for (let n = 0; n < length; n++) {
    const centre = (n * rateHz) / OUT_RATE_HZ;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(input.length - 1, Math.floor(centre + reach));
    let sum = 0;
    for (let k = first; k <= last; k++) {
      const x = Math.abs(centre - k) * scale * TABLE_PER_LOBE;
      const i = x | 0;
      const left = table[i] as number;
      sum += (input[k] as number) * (left + ((table[i + 1] as number) - left) * (x - i));
    }
    out[n] = saturate(sum * scale);
  }
  return out;
}

function saturate(sample: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(sample)));
}
