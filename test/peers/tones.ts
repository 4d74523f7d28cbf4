import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** What a recording holds: WAV files and the tones in them. */

export interface Sound {
  sampleRateHz: number;
  /** First channel, 16-bit. */
  samples: Int16Array;
}

/** Reads a 16-bit PCM WAV file, also one that is still being written (its data size is then not in the header yet). */
export function readWav(path: string): Sound {
  const bytes = readFileSync(path);
  let sampleRateHz = 8000;
  let channels = 1;
  let offset = 12;
  while (offset + 8 <= bytes.length) {
    const id = bytes.toString('latin1', offset, offset + 4);
    const size = bytes.readUInt32LE(offset + 4);
    const body = offset + 8;
    if (id === 'fmt ') {
      channels = bytes.readUInt16LE(body + 2);
      sampleRateHz = bytes.readUInt32LE(body + 4);
    }
    if (id === 'data') return { sampleRateHz, samples: firstChannel(bytes.subarray(body), channels) };
    offset = body + size + (size & 1);
  }
  return { sampleRateHz, samples: new Int16Array(0) };
}

function firstChannel(data: Buffer, channels: number): Int16Array {
  const samples = new Int16Array(Math.floor(data.length / 2 / channels));
  for (let i = 0; i < samples.length; i++) samples[i] = data.readInt16LE(i * 2 * channels);
  return samples;
}

/** Amplitude (0–1, sine) of one frequency in samples[from, from+count). */
export function toneAmplitude(sound: Sound, frequencyHz: number, from = 0, count = sound.samples.length): number {
  const omega = (2 * Math.PI * frequencyHz) / sound.sampleRateHz;
  const coefficient = 2 * Math.cos(omega);
  let s1 = 0;
  let s2 = 0;
  for (let i = from; i < from + count; i++) {
    const s0 = (sound.samples[i] ?? 0) / 32768 + coefficient * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  return (Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - coefficient * s1 * s2)) * 2) / count;
}

export interface ToneReport {
  /** Windows of 100 ms looked at. */
  windows: number;
  /** Share (0–1) of the windows in which the tone is clearly there: amplitude above 0.01 and a tenth of the power or more. */
  share: number;
  /** Mean amplitude over the windows, 0–1. */
  amplitude: number;
}

const WINDOW_SECONDS = 0.1;

/** How much of each tone is in the sound from `fromSeconds` (default 0) to `toSeconds` (default its end). */
export function tonesIn(sound: Sound, frequenciesHz: number[], span: { fromSeconds?: number; toSeconds?: number } = {}): Record<number, ToneReport> {
  const size = Math.floor(sound.sampleRateHz * WINDOW_SECONDS);
  const begin = Math.floor((span.fromSeconds ?? 0) * sound.sampleRateHz);
  const end = Math.min(sound.samples.length, Math.floor((span.toSeconds ?? Infinity) * sound.sampleRateHz));
  const report: Record<number, ToneReport> = Object.fromEntries(frequenciesHz.map((hz) => [hz, { windows: 0, share: 0, amplitude: 0 }]));
  let windows = 0;
  for (let at = begin; at + size <= end; at += size) {
    windows++;
    const power = meanPower(sound, at, size);
    for (const hz of frequenciesHz) {
      const entry = report[hz]!;
      const amplitude = toneAmplitude(sound, hz, at, size);
      entry.amplitude += amplitude;
      if (amplitude > 0.01 && (amplitude * amplitude) / 2 >= 0.1 * power) entry.share++;
    }
  }
  for (const entry of Object.values(report)) {
    entry.windows = windows;
    entry.share = windows === 0 ? 0 : entry.share / windows;
    entry.amplitude = windows === 0 ? 0 : entry.amplitude / windows;
  }
  return report;
}

function meanPower(sound: Sound, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += ((sound.samples[i] ?? 0) / 32768) ** 2;
  return sum / count;
}

function sine(frequencyHz: number, seconds: number, amplitude: number, rateHz = 8000): Int16Array {
  return Int16Array.from({ length: rateHz * seconds }, (_, i) => Math.round(32767 * amplitude * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz)));
}

/** Writes `tone-<hz>.wav` (mono, 16 bit) into the folder, once; returns its path. */
export function writeToneWav(folder: string, frequencyHz: number, { seconds = 120, amplitude = 0.4, rateHz = 8000 } = {}): string {
  const path = `${folder}/tone-${frequencyHz}.wav`;
  if (!existsSync(path)) writeFileSync(path, wavBytes(sine(frequencyHz, seconds, amplitude, rateHz), rateHz));
  return path;
}

/** A WAV file, mono, 16 bit. */
export function wavBytes(samples: Int16Array, rateHz = 8000): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples.length * 2, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rateHz, 24);
  header.writeUInt32LE(rateHz * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.length * 2, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}

export const toneWav = (frequencyHz: number, seconds: number): Buffer => wavBytes(sine(frequencyHz, seconds, 0.4));

/** Writes `tone-<hz>.ul` (8 kHz µ-law without header, what sipp streams); returns its path. */
export function writeToneUlaw(folder: string, frequencyHz: number, seconds = 10): string {
  const path = `${folder}/tone-${frequencyHz}.ul`;
  if (!existsSync(path)) writeFileSync(path, Uint8Array.from(sine(frequencyHz, seconds, 0.4), ulaw));
  return path;
}

/** Writes `keys.ul`: half a second of silence, then each key as its two tones (ITU-T Q.23), 100 ms on and 100 ms off. */
export function writeKeysUlaw(folder: string, keys: string): void {
  const sound = [silentMs(500), ...[...keys].flatMap((key) => [keySound(key, 100), silentMs(100)])];
  writeFileSync(`${folder}/keys.ul`, Buffer.concat(sound.map((samples) => Uint8Array.from(samples, ulaw))));
}

const silentMs = (ms: number): Int16Array => new Int16Array(8 * ms);

function keySound(key: string, ms: number): Int16Array {
  const at = '123A456B789C*0#D'.indexOf(key);
  const [low, high] = [[697, 770, 852, 941][at >> 2]!, [1209, 1336, 1477, 1633][at & 3]!];
  const phase = (hz: number, i: number): number => Math.sin((2 * Math.PI * hz * i) / 8000);
  return Int16Array.from({ length: 8 * ms }, (_, i) => Math.round(7000 * phase(low, i) + 8000 * phase(high, i)));
}

/** ITU-T G.711 µ-law of one sample. */
function ulaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(32635, Math.abs(sample)) + 132;
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}
