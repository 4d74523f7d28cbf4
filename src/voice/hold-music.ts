import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What waiting callers hear when their application names nothing else: a file of ours, made once and kept. */
export interface HoldMusic {
  /** Rejects with the file system's error. To be played in a loop. */
  file(): Promise<{ path: string; contentType: string }>;
}

export function createHoldMusic(options: { cacheDir: string }): HoldMusic {
  let made: Promise<{ path: string; contentType: string }> | null = null;
  const make = async (): Promise<{ path: string; contentType: string }> => {
    const path = join(options.cacheDir, 'hold-music-1.wav');
    if (!(await access(path).then(() => true, () => false))) {
      await mkdir(options.cacheDir, { recursive: true });
      const part = `${path}.${process.pid}.part`;
      await writeFile(part, wav(melody()));
      await rename(part, path);
    }
    return { path, contentType: 'audio/wav' };
  };
  return {
    file: () => {
      made ??= make();
      // A full disk today need not be one tomorrow.
      made.catch(() => (made = null));
      return made;
    },
  };
}

const RATE_HZ = 8000;
const NOTE_S = 0.4;
/** Loudness of one note, of 1: notes overlap, and it is to stay in the background. */
const LEVEL = 0.12;
const DECAY_PER_S = 2.2;

/** Four chords of eight notes each, in semitones from A3: a slow arpeggio that ends where it begins. */
const CHORDS: readonly (readonly number[])[] = [
  [0, 7, 12, 16, 19, 16, 12, 7],
  [-4, 3, 8, 12, 15, 12, 8, 3],
  [-7, 0, 5, 9, 12, 9, 5, 0],
  [-5, 2, 7, 11, 14, 11, 7, 2],
];

/** 12.8 s that join their own beginning: what still sounds at the end is mixed into the start. */
function melody(): Int16Array {
  const notes = CHORDS.flat();
  const samples = new Float64Array(notes.length * NOTE_S * RATE_HZ);
  notes.forEach((semitones, at) => strike(samples, { startS: at * NOTE_S, frequencyHz: 220 * 2 ** (semitones / 12) }));
  return Int16Array.from(samples, (value) => Math.round(Math.max(-1, Math.min(1, value)) * 32_767));
}

function strike(samples: Float64Array, { startS, frequencyHz }: { startS: number; frequencyHz: number }): void {
  const start = Math.round(startS * RATE_HZ);
  for (let n = 0; n < 2 * RATE_HZ; n++) {
    const s = n / RATE_HZ;
    const envelope = Math.min(1, s / 0.015) * Math.exp(-DECAY_PER_S * s) * Math.min(1, (2 - s) / 0.2);
    const angle = 2 * Math.PI * frequencyHz * s;
    const index = (start + n) % samples.length;
    samples[index] = (samples[index] ?? 0) + LEVEL * envelope * (Math.sin(angle) + 0.3 * Math.sin(2 * angle));
  }
}

function wav(samples: Int16Array): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE_HZ, 24);
  header.writeUInt32LE(RATE_HZ * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer)]);
}
