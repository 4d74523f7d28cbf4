import { MPEGDecoder } from 'mpg123-decoder';
import { TelephoneRate } from './resample.ts';
import { AudioFileError } from './wav.ts';

/** What is decoded at a time. */
const PIECE_BYTES = 16 * 1024;
const RATE_HZ = 8000;
/** Longer files are not prompts. */
const MAX_SECONDS = 4 * 3600;
const FULL_SCALE = 32_768;

/** An ID3 tag, or the header of a frame of MPEG audio (ISO 11172-3 §2.4.1.3) that makes sense. */
export function looksLikeMp3(file: Buffer): boolean {
  if (file.length < 4) return false;
  if (file.toString('latin1', 0, 3) === 'ID3') return true;
  const [sync, version, rates] = [file[0] as number, file[1] as number, file[2] as number];
  const isSync = sync === 0xff && (version & 0xe0) === 0xe0;
  const isReserved = (version & 0x18) === 0x08 || (version & 0x06) === 0 || (rates & 0xf0) === 0xf0 || (rates & 0x0c) === 0x0c;
  return isSync && !isReserved;
}

/** MPEG audio of any layer and rate as 8 kHz mono. What is broken in the midst is left out. Rejects with AudioFileError. */
export async function decodeMp3(file: Buffer): Promise<Int16Array> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    return decodePieces(decoder, file);
  } finally {
    decoder.free();
  }
}

function decodePieces(decoder: MPEGDecoder, file: Buffer): Int16Array {
  const pieces: Int16Array[] = [];
  let samples = 0;
  let resampler: TelephoneRate | null = null;
  let rateHz = 0;
  const keep = (piece: Int16Array): void => {
    pieces.push(piece);
    samples += piece.length;
  };
  for (let at = 0; at < file.length && samples < MAX_SECONDS * RATE_HZ; at += PIECE_BYTES) {
    const decoded = decoder.decode(file.subarray(at, at + PIECE_BYTES));
    if (decoded.samplesDecoded === 0) continue;
    if (!resampler || decoded.sampleRate !== rateHz) {
      if (resampler) keep(resampler.end());
      rateHz = decoded.sampleRate;
      resampler = new TelephoneRate(rateHz);
    }
    keep(resampler.push(average(decoded.channelData, decoded.samplesDecoded)));
  }
  if (resampler) keep(resampler.end());
  if (samples === 0) throw new AudioFileError('broken', 'the MP3 file has no sound');
  return join(pieces, samples);
}

/** The decoder gives two channels, of a mono file the same twice. */
function average(channels: Float32Array[], length: number): Float32Array {
  const [left, right] = channels;
  const mono = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const l = left?.[i] ?? 0;
    mono[i] = ((l + (right?.[i] ?? l)) / 2) * FULL_SCALE;
  }
  return mono;
}

function join(pieces: Int16Array[], samples: number): Int16Array {
  const all = new Int16Array(samples);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
