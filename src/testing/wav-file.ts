import { readFileSync } from 'node:fs';
import { decodeWav } from '../media/play/wav.ts';
import { toTelephoneRate } from '../media/play/resample.ts';
import { SAMPLE_RATE_HZ } from './tone.ts';

/** A WAV file of any rate as 8 kHz samples. Throws AudioFileError, or the error of the file system. */
export function readWavFile(path: string): Int16Array {
  const { samples, rateHz } = decodeWav(readFileSync(path));
  return toTelephoneRate(samples, rateHz);
}

/** A WAV file: 8 kHz, mono, 16-bit. */
export function wavBytes(samples: Int16Array): Buffer {
  const dataBytes = samples.length * 2;
  const file = Buffer.alloc(44 + dataBytes);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(36 + dataBytes, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16); // bytes of the format
  file.writeUInt16LE(1, 20); // PCM
  file.writeUInt16LE(1, 22); // channels
  file.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  file.writeUInt32LE(SAMPLE_RATE_HZ * 2, 28); // bytes a second
  file.writeUInt16LE(2, 32); // bytes a sample of all channels
  file.writeUInt16LE(16, 34); // bits
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(dataBytes, 40);
  for (let i = 0; i < samples.length; i++) file.writeInt16LE(samples[i] as number, 44 + i * 2);
  return file;
}
