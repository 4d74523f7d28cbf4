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
  if (!isWav && !looksLikeWav(file)) return decodeMuLaw(file);
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

/** Bare µ-law codes, or a Sun/NeXT .au header before them (its data offset is the second word). */
function decodeMuLaw(file: Buffer): Int16Array {
  const hasHeader = file.length >= 24 && file.toString('latin1', 0, 4) === '.snd';
  const start = hasHeader ? Math.min(file.readUInt32BE(4), file.length) : 0;
  const pcm = new Int16Array(file.length - start);
  for (let i = 0; i < pcm.length; i++) pcm[i] = pcmu.toPcm[file[start + i] as number] as number;
  return pcm;
}
