import { BitReader } from './bit-reader.ts';

/** What a sequence parameter set says of the picture (ITU-T H.264 §7.3.2.1.1). */
export interface SequenceParameters {
  width: number;
  height: number;
  chromaFormat: number;
  lumaBits: number;
  chromaBits: number;
}

/** Profiles whose parameter set says more of colours. */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const MAX_CYCLE = 255;

/** Of a whole NAL unit; null when it cannot be read. */
export function readSequenceParameters(unit: Buffer): SequenceParameters | null {
  const bits = new BitReader(withoutEmulation(unit));
  bits.bits(8);
  const profile = bits.bits(8);
  bits.bits(16); // constraints, level
  bits.unsigned();
  const colours = HIGH_PROFILES.has(profile) ? readColours(bits) : { chromaFormat: 1, lumaBits: 8, chromaBits: 8 };
  bits.unsigned(); // log2_max_frame_num
  skipOrder(bits);
  bits.unsigned(); // max_num_ref_frames
  bits.bits(1);
  const size = readSize(bits, colours.chromaFormat);
  const isGood = !bits.overrun && size.width > 0 && size.height > 0 && size.width <= 16_384 && size.height <= 16_384;
  return isGood ? { ...size, ...colours } : null;
}

function readColours(bits: BitReader): { chromaFormat: number; lumaBits: number; chromaBits: number } {
  const chromaFormat = bits.unsigned();
  if (chromaFormat === 3) bits.bits(1);
  const lumaBits = 8 + bits.unsigned();
  const chromaBits = 8 + bits.unsigned();
  bits.bits(1);
  if (bits.flag()) for (let list = 0; list < (chromaFormat === 3 ? 12 : 8); list++) if (bits.flag()) skipScaling(bits, list < 6 ? 16 : 64);
  return { chromaFormat, lumaBits, chromaBits };
}

/** scaling_list of §7.3.2.1.1.1. */
function skipScaling(bits: BitReader, size: number): void {
  let next = 8;
  for (let i = 0, last = 8; i < size && next !== 0; i++) {
    next = (last + bits.signed() + 256) & 0xff;
    last = next === 0 ? last : next;
  }
}

function skipOrder(bits: BitReader): void {
  const type = bits.unsigned();
  if (type === 0) bits.unsigned();
  if (type !== 1) return;
  bits.bits(1);
  bits.signed();
  bits.signed();
  const cycle = Math.min(bits.unsigned(), MAX_CYCLE);
  for (let i = 0; i < cycle; i++) bits.signed();
}

function readSize(bits: BitReader, chromaFormat: number): { width: number; height: number } {
  const columns = bits.unsigned() + 1;
  const rows = bits.unsigned() + 1;
  const isProgressive = bits.flag();
  if (!isProgressive) bits.bits(1);
  bits.bits(1);
  const fields = isProgressive ? 1 : 2;
  const [cropX, cropY] = [chromaFormat === 1 || chromaFormat === 2 ? 2 : 1, (chromaFormat === 1 ? 2 : 1) * fields];
  const crop = bits.flag() ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()] : [0, 0, 0, 0];
  const [left = 0, right = 0, top = 0, bottom = 0] = crop;
  return { width: columns * 16 - (left + right) * cropX, height: rows * 16 * fields - (top + bottom) * cropY };
}

/** Takes out the bytes that keep start codes away (ITU-T H.264 §7.4.1). */
function withoutEmulation(unit: Buffer): Buffer {
  const out = Buffer.alloc(unit.length);
  let length = 0;
  for (let i = 0, zeros = 0; i < unit.length; i++) {
    const byte = unit[i] as number;
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

/** AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1): lengths of four bytes, one set of each kind. */
export function decoderConfiguration(sps: Buffer, pps: Buffer, parameters: SequenceParameters): Buffer {
  const profile = sps[1] as number;
  const head = Buffer.from([1, profile, sps[2] as number, sps[3] as number, 0xff, 0xe1, sps.length >> 8, sps.length & 0xff]);
  const parts = [head, sps, Buffer.from([1, pps.length >> 8, pps.length & 0xff]), pps];
  if ([100, 110, 122, 144].includes(profile)) {
    parts.push(Buffer.from([0xfc | parameters.chromaFormat, 0xf8 | (parameters.lumaBits - 8), 0xf8 | (parameters.chromaBits - 8), 0]));
  }
  return Buffer.concat(parts);
}
