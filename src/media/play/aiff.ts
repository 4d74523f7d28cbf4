import { pcma, pcmu } from '../codec/g711.ts';
import { AudioFileError, finite, type DecodedAudio } from './wav.ts';

/** EA IFF 85 with Apple's AIFF and AIFF-C: big-endian chunks, an 80-bit sample rate. */

interface AiffFormat {
  channels: number;
  frames: number;
  bits: number;
  rateHz: number;
  /** As AIFF-C names it, in lower case; `none` for plain AIFF. */
  compression: string;
}

export function looksLikeAiff(file: Buffer): boolean {
  return file.length >= 12 && file.toString('latin1', 0, 4) === 'FORM' && /^AIF[FC]$/.test(file.toString('latin1', 8, 12));
}

/** PCM of 8 to 32 bits, float, A-law or µ-law, any rate; channels are averaged. Throws AudioFileError. */
export function decodeAiff(file: Buffer): DecodedAudio {
  if (!looksLikeAiff(file)) throw new AudioFileError('broken', 'not an AIFF file');
  let format: AiffFormat | null = null;
  let data: Buffer | null = null;
  for (let offset = 12; offset + 8 <= file.length; ) {
    const id = file.toString('latin1', offset, offset + 4);
    const size = file.readUInt32BE(offset + 4);
    const chunk = file.subarray(offset + 8, Math.min(file.length, offset + 8 + size));
    if (id === 'COMM') format = readFormat(chunk, file.toString('latin1', 8, 12) === 'AIFC');
    // The sound may come before its description.
    if (id === 'SSND' && chunk.length >= 8) data = chunk.subarray(8 + chunk.readUInt32BE(0));
    offset += 8 + size + (size & 1);
  }
  if (!format || !data) throw new AudioFileError('broken', 'the AIFF file has no sound');
  return { samples: readSamples(data, format), rateHz: format.rateHz };
}

function readFormat(chunk: Buffer, isCompressed: boolean): AiffFormat {
  if (chunk.length < (isCompressed ? 22 : 18)) throw new AudioFileError('broken', 'the format of the AIFF file is cut off');
  const format: AiffFormat = {
    channels: chunk.readUInt16BE(0),
    frames: chunk.readUInt32BE(2),
    bits: chunk.readUInt16BE(6),
    rateHz: extended(chunk, 8),
    compression: isCompressed ? chunk.toString('latin1', 18, 22).trim().toLowerCase() : 'none',
  };
  const { channels, rateHz } = format;
  if (channels < 1 || channels > 64 || !(rateHz >= 1000 && rateHz <= 768_000)) {
    throw new AudioFileError('broken', `an AIFF file of ${channels} channels at ${rateHz} Hz makes no sense`);
  }
  return format;
}

/** IEEE 754 extended precision: sign, 15 bits of exponent, 64 of mantissa with its leading one. */
function extended(chunk: Buffer, offset: number): number {
  const exponent = (chunk.readUInt16BE(offset) & 0x7fff) - 16_383 - 63;
  return Number(chunk.readBigUInt64BE(offset + 2)) * 2 ** exponent;
}

interface SampleFormat {
  bytes: number;
  /** One sample on the 16-bit scale. */
  read(offset: number): number;
}

function sampleFormat(data: Buffer, { compression, bits }: AiffFormat): SampleFormat {
  // Samples of odd sizes are left-justified in whole bytes.
  const bytes = Math.ceil(bits / 8);
  switch (compression) {
    case 'none':
    case 'twos':
      if (bytes >= 1 && bytes <= 4) return { bytes, read: (o) => data.readIntBE(o, bytes) * 256 ** (2 - bytes) };
      break;
    case 'sowt':
      if (bytes >= 1 && bytes <= 4) return { bytes, read: (o) => data.readIntLE(o, bytes) * 256 ** (2 - bytes) };
      break;
    case 'fl32':
      return { bytes: 4, read: (o) => finite(data.readFloatBE(o)) * 32_768 };
    case 'fl64':
      return { bytes: 8, read: (o) => finite(data.readDoubleBE(o)) * 32_768 };
    case 'ulaw':
      return { bytes: 1, read: (o) => pcmu.toPcm[data[o] as number] as number };
    case 'alaw':
      return { bytes: 1, read: (o) => pcma.toPcm[data[o] as number] as number };
  }
  throw new AudioFileError('type', `AIFF compression ${compression} with ${bits} bits is not supported`);
}

function readSamples(data: Buffer, format: AiffFormat): Float32Array {
  const { bytes, read } = sampleFormat(data, format);
  const { channels } = format;
  const samples = new Float32Array(Math.min(format.frames, Math.floor(data.length / (bytes * channels))));
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read((i * channels + c) * bytes);
    samples[i] = sum / channels;
  }
  return samples;
}
