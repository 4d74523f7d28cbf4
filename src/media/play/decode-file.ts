import { readFileSync } from 'node:fs';
import { pcmu } from '../codec/g711.ts';
import { decodeAiff, looksLikeAiff } from './aiff.ts';
import { decodeGsm, looksLikeGsm } from './gsm.ts';
import { decodeMp3, looksLikeMp3 } from './mp3.ts';
import { toTelephoneRate } from './resample.ts';
import { AudioFileError, decodeWav, looksLikeWav } from './wav.ts';

/** Longer files are not prompts: 4 hours of G.711. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;
/** And not what becomes longer: a low rate makes much of little. */
const MAX_SECONDS = 4 * 3600;

type Kind = 'wav' | 'mulaw' | 'mp3' | 'aiff' | 'gsm';

const KINDS = new Map<string, Kind>([
  ...['wav', 'x-wav', 'wave', 'vnd.wave', 'x-pn-wav'].map((type) => [`audio/${type}`, 'wav'] as const),
  ...['basic', 'ulaw', 'mulaw', 'x-ulaw', 'x-mulaw', 'pcmu', 'x-basic'].map((type) => [`audio/${type}`, 'mulaw'] as const),
  ...['mpeg', 'mp3', 'x-mp3', 'mpeg3', 'x-mpeg', 'x-mpeg-3'].map((type) => [`audio/${type}`, 'mp3'] as const),
  ...['aiff', 'x-aiff', 'aifc', 'x-aifc'].map((type) => [`audio/${type}`, 'aiff'] as const),
  ...['gsm', 'x-gsm'].map((type) => [`audio/${type}`, 'gsm'] as const),
]);
/** Types that say nothing: the file's own word decides. */
const GENERIC_TYPES = new Set(['application/octet-stream', 'binary/octet-stream']);

/** Reads a file whole and brings it to 8 kHz mono: WAV, AIFF, MP3, GSM, µ-law. Rejects with AudioFileError. */
export async function decodeFile(path: string, contentType: string): Promise<Int16Array> {
  const type = (contentType.split(';')[0] as string).trim().toLowerCase();
  const named = KINDS.get(type) ?? null;
  if (!named && !GENERIC_TYPES.has(type)) throw new AudioFileError('type', `audio of type ${type || '(none)'} cannot be played`);
  const file = readWhole(path);
  if (file.length === 0) throw new AudioFileError('broken', 'the audio file is empty');
  const kind = kindOf(file, named);
  if (!kind) throw new AudioFileError('type', `a file of type ${type} that is neither WAV, AIFF, MP3 nor .au cannot be played`);
  if (kind === 'mp3') return decodeMp3(file);
  if (kind === 'gsm') return decodeGsm(file);
  if (kind === 'mulaw') return looksLikeAu(file) ? decodeAu(file) : Int16Array.from(file, (code) => pcmu.toPcm[code] as number);
  const { samples, rateHz } = kind === 'wav' ? decodeWav(file) : decodeAiff(file);
  return atTelephoneRate(samples, rateHz);
}

function atTelephoneRate(samples: Float32Array, rateHz: number): Int16Array {
  if (samples.length / rateHz > MAX_SECONDS) throw new AudioFileError('broken', `the audio file lasts longer than ${MAX_SECONDS / 3600} hours`);
  return toTelephoneRate(samples, rateHz);
}

/** Some web servers call every audio file by one name: the file's own word counts for more where it is clear. */
function kindOf(file: Buffer, named: Kind | null): Kind | null {
  if (looksLikeWav(file)) return 'wav';
  if (looksLikeAiff(file)) return 'aiff';
  if (looksLikeAu(file)) return 'mulaw';
  if (named === 'gsm' && looksLikeGsm(file)) return 'gsm';
  // Codes of µ-law may look like a frame of MP3.
  return named !== 'mulaw' && looksLikeMp3(file) ? 'mp3' : named;
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
  return atTelephoneRate(Float32Array.from(file.subarray(start), (code) => pcmu.toPcm[code] as number), rateHz);
}
