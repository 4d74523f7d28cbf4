import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dominantFrequencyHz, hasTone, meanPower, toneSamples, toneShare } from './tone.ts';
import { readWavFile, wavBytes } from './wav-file.ts';

const silence = (ms: number): Int16Array => new Int16Array(ms * 8);

function joined(...parts: Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

describe('a tone', () => {
  it('has the level asked for', () => {
    expect(10 * Math.log10(meanPower(toneSamples({ frequencyHz: 440, levelDbov: -20 }, 1000)))).toBeCloseTo(-20, 1);
  });

  it('is found, and no other one', () => {
    const sound = toneSamples({ frequencyHz: 620 }, 100);
    expect(hasTone(sound, 620)).toBe(true);
    for (const other of [440, 810, 1000, 1240]) expect(hasTone(sound, other), `${other} Hz`).toBe(false);
  });

  it('is found among three others as loud', () => {
    const sound = toneSamples({ frequencyHz: 440, levelDbov: -20 }, 500);
    for (const hz of [700, 1000, 1300]) toneSamples({ frequencyHz: hz, levelDbov: -20 }, 500).forEach((sample, i) => (sound[i]! += sample));
    for (const hz of [440, 700, 1000, 1300]) expect(toneShare(sound, hz), `${hz} Hz`).toBe(1);
    expect(toneShare(sound, 850)).toBe(0);
  });

  it('is there for the share of the time that it is', () => {
    const sound = joined(silence(600), toneSamples({ frequencyHz: 440 }, 400));
    expect(toneShare(sound, 440)).toBeCloseTo(0.4);
    expect(toneShare(silence(1000), 440)).toBe(0);
  });

  it('stands out by its frequency, silence by none', () => {
    expect(dominantFrequencyHz(toneSamples({ frequencyHz: 873 }, 500))).toBe(873);
    expect(dominantFrequencyHz(silence(500))).toBeNull();
  });
});

it('a WAV file is read as it was written', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'partyline-wav-')), 'tone.wav');
  const samples = toneSamples({ frequencyHz: 440 }, 100);
  writeFileSync(path, wavBytes(samples));
  expect([...readWavFile(path)]).toEqual([...samples]);
});
