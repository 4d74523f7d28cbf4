import { readFileSync } from 'node:fs';
import { pcmu } from '../codec/g711.ts';
import { toTelephoneRate } from './resample.ts';
import { AudioFileError, decodeWav, looksLikeWav } from './wav.ts';

/** Longer files are not prompts: 4 hours of G.711. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;

const WAV_TYPES = new Set(['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/x-pn-wav']);
const MULAW_TYPES = new Set(['audio/basic', 'audio/ulaw', 'audio/mulaw', 'audio/x-mulaw', 'audio/pcmu', 'audio/x-basic']);

/** Reads a file whole and brings it to 8 kHz mono. Throws AudioFileError. MP3 has its place here once it is decoded. */
export function decodeFile(path: string, contentType: string): Int16Array {
  const type = (contentType.split(';')[0] as string).trim().toLowerCase();
  const isWav = WAV_TYPES.has(type);
  if (!isWav && !MULAW_TYPES.has(type)) throw new AudioFileError('type', `audio of type ${type || '(none)'} cannot be played`);
  const file = readWhole(path);
  if (file.length === 0) throw new AudioFileError('broken', 'the audio file is empty');
  // Some web servers call every audio file audio/basic: the file's own word counts for more.
  if (!isWav && !looksLikeWav(file)) return looksLikeAu(file) ? decodeAu(file) : Int16Array.from(file, (code) => pcmu.toPcm[code] as number);
  const { samples, rateHz } = decodeWav(file);
  return toTelephoneRate(samples, rateHz);
}

function readWhole(path: string): Buffer {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new AudioFileError('broken', `the audio file cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (file.length > MAX_FILE_BYTES) throw new AudioFileError('broken', `the audio file has more than ${MAX_FILE_BYTES} bytes`);
  return file;
}

function looksLikeAu(file: Buffer): boolean {
  return file.length >= 24 && file.toString('latin1', 0, 4) === '.snd';
}

const AU_MULAW = 1;

/** Sun/NeXT audio: what `audio/basic` was before it lost its header. µ-law of one channel only. */
function decodeAu(file: Buffer): Int16Array {
  const start = file.readUInt32BE(4);
  const encoding = file.readUInt32BE(12);
  const rateHz = file.readUInt32BE(16);
  if (encoding !== AU_MULAW || file.readUInt32BE(20) !== 1) throw new AudioFileError('type', `.au audio of encoding ${encoding} is not supported`);
  if (start < 24 || start > file.length || rateHz < 1000 || rateHz > 768_000) throw new AudioFileError('broken', 'the header of the .au file makes no sense');
  return toTelephoneRate(Float32Array.from(file.subarray(start), (code) => pcmu.toPcm[code] as number), rateHz);
}
