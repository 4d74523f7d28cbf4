import { describe, expect, it } from 'vitest';
import { g711 } from '../codec/g711.ts';
import { BeepDetector } from './beep-detector.ts';
import { VoiceDetector } from './voice-detector.ts';

/** Samples of a moment `i` at 8 kHz. */
type Sound = (i: number) => number;

const tone = (frequencyHz: number, amplitude = 4000): Sound => (i) => amplitude * Math.sin((2 * Math.PI * frequencyHz * i) / 8000);
const together = (...sounds: Sound[]): Sound => (i) => sounds.reduce((sum, sound) => sum + sound(i), 0);
const silence: Sound = () => 0;

/** The same noise in each run. */
function noise(amplitude: number): Sound {
  let state = 12_345;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return amplitude * (state / 0x3fff_ffff - 1);
  };
}

/** A vowel of 120 Hz: harmonics under two formants, a little unsteady, four syllables a second. */
function speech(amplitude = 3000): Sound {
  return (i) => {
    let sum = 0;
    const phase = (2 * Math.PI * 120 * i) / 8000 + 2 * Math.sin((2 * Math.PI * 3 * i) / 8000);
    for (let h = 1; h <= 20; h++) sum += Math.sin(h * phase) / (1 + ((h * 120 - 600) / 300) ** 2) + (0.3 * Math.sin(h * phase)) / (1 + ((h * 120 - 1500) / 300) ** 2);
    return amplitude * sum * Math.max(0, Math.sin((2 * Math.PI * 4 * i) / 8000));
  };
}

/** Frames of [duration, sound] in a row, as G.711 leaves them. */
function* frames(...parts: [ms: number, sound: Sound][]): Generator<Int16Array> {
  const { toPcm, toCode } = g711('PCMU');
  const all = parts.flatMap(([ms, sound]) => Array.from({ length: ms * 8 }, (_, i) => toPcm[toCode[Math.round(sound(i)) & 0xffff]!]!));
  for (let at = 0; at + 160 <= all.length; at += 160) yield Int16Array.from(all.slice(at, at + 160));
}

/** When (ms) the detector said that a beep ended. */
function beeps(...parts: [ms: number, sound: Sound][]): number[] {
  const detector = new BeepDetector();
  return [...frames(...parts)].flatMap((frame, n) => (detector.frame(frame) ? [n * 20 + 20] : []));
}

/** Times (ms) at which speech began and ceased, in turn. */
function changes(...parts: [ms: number, sound: Sound][]): number[] {
  const detector = new VoiceDetector();
  return [...frames(...parts)].flatMap((frame, n) => (detector.frame(frame) ? [n * 20 + 20] : []));
}

describe('a beep', () => {
  it.each([400, 440, 800, 1000, 1400, 2000, 2500])('of %i Hz is heard when it ends', (frequencyHz) => {
    const heard = beeps([500, silence], [300, tone(frequencyHz)], [500, silence]);
    expect(heard).toHaveLength(1);
    expect(heard[0]).toBeGreaterThan(800);
    expect(heard[0]).toBeLessThanOrEqual(860);
  });

  it.each([0, 3, 7, 11, 16])('of 0.2 s is heard wherever in a frame it begins (%i ms)', (ms) => {
    expect(beeps([500 + ms, silence], [200, tone(1000)], [500, silence])).toHaveLength(1);
  });

  it('is heard faint, loud, over line noise, and after speech', () => {
    for (const amplitude of [600, 20_000]) expect(beeps([300, silence], [400, tone(850, amplitude)], [300, silence])).toHaveLength(1);
    expect(beeps([300, noise(60)], [400, together(tone(1000), noise(60))], [300, noise(60)])).toHaveLength(1);
    expect(beeps([3000, speech()], [250, tone(1000)], [300, silence])).toHaveLength(1);
  });

  it('is heard twice when there are two of them', () => {
    expect(beeps([200, silence], [250, tone(1000)], [200, silence], [250, tone(1000)], [200, silence])).toHaveLength(2);
  });

  const others: [string, [ms: number, sound: Sound][]][] = [
    ['one that is too short', [[200, silence], [140, tone(1000)], [200, silence]]],
    ['speech', [[10_000, speech()]]],
    ['noise', [[5000, noise(8000)]]],
    ['a ringing tone', [[2000, together(tone(440), tone(480))], [1000, silence]]],
    ['a dial tone', [[2000, together(tone(350), tone(440))], [1000, silence]]],
    ['a busy tone', [[500, together(tone(480), tone(620))], [500, silence]]],
    ['a key', [[400, together(tone(770), tone(1336))], [400, silence]]],
    ['a hum of the mains', [[2000, tone(50)], [500, silence]]],
    ['a tone too high', [[500, tone(3200)], [500, silence]]],
    ['a siren', [[3000, (i) => 4000 * Math.sin((2 * Math.PI * (600 * i + (i * i) / 20)) / 8000)], [500, silence]]],
    ['a line with an offset', [[2000, () => 3000], [500, silence]]],
  ];
  it.each(others)('is not %s', (_name, parts) => {
    expect(beeps(...parts)).toEqual([]);
  });
});

describe('a voice', () => {
  it('begins within 60 ms and ceases 100 ms after its last sound', () => {
    expect(changes([1000, silence], [2000, tone(300)], [1000, silence])).toEqual([1040, 3100]);
  });

  it('goes on over the gaps between syllables that are shorter than that', () => {
    expect(changes([500, silence], [300, tone(300)], [60, silence], [300, tone(300)], [500, silence])).toHaveLength(2);
  });

  it('is no click, no line noise, no loud hum of a street once it has been heard for a while', () => {
    expect(changes([1000, silence], [15, tone(300)], [1000, silence])).toEqual([]);
    expect(changes([5000, noise(80)])).toEqual([]);
    const street = changes([40_000, noise(700)]);
    expect(street).toHaveLength(2);
    expect(street[1]).toBeLessThan(3000);
  });

  it('is heard over the noise of a street, and quiet on a quiet line', () => {
    const heard = changes([5000, noise(400)], [1000, together(noise(400), tone(300, 6000))], [1000, noise(400)]).filter((ms) => ms > 4000);
    expect(heard).toEqual([5040, 6100]);
    expect(changes([1000, noise(10)], [1000, tone(300, 250)], [1000, noise(10)])).toHaveLength(2);
  });

  it('of long speech is not taken for noise', () => {
    const detector = new VoiceDetector();
    let speaking = 0;
    const all = [...frames([60_000, speech(2000)])];
    for (const frame of all.slice(-500)) {
      detector.frame(frame);
      if (detector.speaking) speaking++;
    }
    expect(speaking / 500).toBeGreaterThan(0.6);
  });
});
