import { pcma, pcmu } from '../codec/g711.ts';

/** Samples of one channel on the 16-bit scale, at the file's own rate. */
export interface DecodedAudio {
  samples: Float32Array;
  rateHz: number;
}

/** Why a file cannot be played: `type` when it is of a kind we do not decode, `broken` when it is damaged. */
export class AudioFileError extends Error {
  override readonly name = 'AudioFileError';
  readonly kind: 'type' | 'broken';
  constructor(kind: 'type' | 'broken', message: string) {
    super(message);
    this.kind = kind;
  }
}

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_ALAW = 6;
const FORMAT_MULAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;

interface WavFormat {
  tag: number;
  channels: number;
  rateHz: number;
  bits: number;
  blockBytes: number;
}

export function looksLikeWav(file: Buffer): boolean {
  return file.length >= 12 && file.toString('latin1', 0, 4) === 'RIFF' && file.toString('latin1', 8, 12) === 'WAVE';
}

/** RIFF/WAVE with PCM of 8 to 32 bits, float, A-law or µ-law, any rate; channels are averaged. Throws AudioFileError. */
export function decodeWav(file: Buffer): DecodedAudio {
  if (!looksLikeWav(file)) throw new AudioFileError('broken', 'not a RIFF/WAVE file');
  let format: WavFormat | null = null;
  for (let offset = 12; offset + 8 <= file.length; ) {
    const id = file.toString('latin1', offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const start = offset + 8;
    if (id === 'fmt ') format = readFormat(file, start, size);
    if (id === 'data') {
      if (!format) throw new AudioFileError('broken', 'the data of the WAV file comes before its format');
      const end = isUnfinished(file, start, size) ? file.length : start + size;
      return { samples: readSamples(file.subarray(start, end), format), rateHz: format.rateHz };
    }
    offset = start + size + (size & 1);
  }
  throw new AudioFileError('broken', 'the WAV file has no data');
}

/** A file written as a stream says 0 or far too much: everything up to its end is audio. Empty is one whose RIFF size is right. */
function isUnfinished(file: Buffer, start: number, size: number): boolean {
  return start + size > file.length || (size === 0 && file.readUInt32LE(4) + 8 < start);
}

function readFormat(file: Buffer, start: number, size: number): WavFormat {
  if (size < 16 || start + 16 > file.length) throw new AudioFileError('broken', 'the format of the WAV file is cut off');
  let tag = file.readUInt16LE(start);
  if (tag === FORMAT_EXTENSIBLE && size >= 40 && start + 26 <= file.length) tag = file.readUInt16LE(start + 24);
  const channels = file.readUInt16LE(start + 2);
  const rateHz = file.readUInt32LE(start + 4);
  const bits = file.readUInt16LE(start + 14);
  if (channels < 1 || channels > 64 || rateHz < 1000 || rateHz > 768_000) {
    throw new AudioFileError('broken', `a WAV file of ${channels} channels at ${rateHz} Hz makes no sense`);
  }
  return { tag, channels, rateHz, bits, blockBytes: channels * (bits >> 3) };
}

/** Reader of one sample on the 16-bit scale. */
function sampleReader(data: Buffer, format: WavFormat): (offset: number) => number {
  switch (`${format.tag}/${format.bits}`) {
    case `${FORMAT_PCM}/8`:
      return (o) => ((data[o] as number) - 128) * 256;
    case `${FORMAT_PCM}/16`:
      return (o) => data.readInt16LE(o);
    case `${FORMAT_PCM}/24`:
      return (o) => data.readIntLE(o, 3) / 256;
    case `${FORMAT_PCM}/32`:
      return (o) => data.readInt32LE(o) / 65_536;
    case `${FORMAT_FLOAT}/32`:
      return (o) => finite(data.readFloatLE(o)) * 32_768;
    case `${FORMAT_FLOAT}/64`:
      return (o) => finite(data.readDoubleLE(o)) * 32_768;
    case `${FORMAT_MULAW}/8`:
      return (o) => pcmu.toPcm[data[o] as number] as number;
    case `${FORMAT_ALAW}/8`:
      return (o) => pcma.toPcm[data[o] as number] as number;
    default:
      throw new AudioFileError('type', `WAV format ${format.tag} with ${format.bits} bits is not supported`);
  }
}

/** NaN and infinity are no sound. */
export function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

function readSamples(data: Buffer, format: WavFormat): Float32Array {
  const read = sampleReader(data, format);
  const { channels, blockBytes } = format;
  const bytes = format.bits >> 3;
  const samples = new Float32Array(Math.floor(data.length / blockBytes));
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read(i * blockBytes + c * bytes);
    samples[i] = sum / channels;
  }
  return samples;
}
