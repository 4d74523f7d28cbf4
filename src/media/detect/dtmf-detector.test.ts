import { describe, expect, it } from 'vitest';
import { g711 } from '../codec/g711.ts';
import { DtmfDetector } from './dtmf-detector.ts';

const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const KEYS = '123A456B789C*0#D';

/** Samples of a moment `i` at 8 kHz. */
type Sound = (i: number) => number;
/** Peak of a sine of this level: 0 dBm0 has 22,300. */
const amplitude = (dbm0: number): number => 22_300 * 10 ** (dbm0 / 20);
const sine = (hz: number, dbm0: number): Sound => (i) => amplitude(dbm0) * Math.sin((2 * Math.PI * hz * i) / 8000);
const silence: Sound = () => 0;

function key(name: string, { low = -10, high = -10, lowOff = 0, highOff = 0 } = {}): Sound {
  const at = KEYS.indexOf(name);
  const tones = [sine((ROWS_HZ[at >> 2] as number) * (1 + lowOff), low), sine((COLUMNS_HZ[at & 3] as number) * (1 + highOff), high)] as const;
  return (i) => tones[0](i) + tones[1](i);
}

/** The same noise in each run. */
function noise(dbm0: number): Sound {
  let state = 4711;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return amplitude(dbm0) * (state / 0x3fff_ffff - 1);
  };
}

/** A vowel with formants that move over all tones of keys, as talk does: harmonics of a wandering pitch. */
function speech(pitchHz: number): Sound {
  return (i) => {
    const t = i / 8000;
    const phase = 2 * Math.PI * pitchHz * t + 3 * Math.sin(2 * Math.PI * 2.3 * t);
    const [first, second] = [650 + 350 * Math.sin(2 * Math.PI * 1.1 * t), 1500 + 500 * Math.sin(2 * Math.PI * 0.7 * t)];
    let sum = 0;
    for (let h = 1; h * pitchHz < 3400; h++) sum += Math.sin(h * phase) / (1 + ((h * pitchHz - first) / 90) ** 2) + (0.6 * Math.sin(h * phase)) / (1 + ((h * pitchHz - second) / 110) ** 2);
    return 6000 * sum * (0.6 + 0.4 * Math.sin(2 * Math.PI * 4 * t));
  };
}

/** What is heard in sounds of [ms, sound] one after the other, through G.711. */
function heard(...parts: [ms: number, sound: Sound][]): string {
  const { toPcm, toCode } = g711('PCMU');
  const all = parts.flatMap(([ms, sound]) => Array.from({ length: Math.round(ms * 8) }, (_, i) => toPcm[toCode[Math.round(sound(i)) & 0xffff] as number] as number));
  const detector = new DtmfDetector();
  let keys = '';
  for (let at = 0; at + 160 <= all.length; at += 160) keys += detector.frame(Int16Array.from(all.slice(at, at + 160))) ?? '';
  return keys;
}

describe('keys in the sound of a phone', () => {
  it.each([...KEYS])('%s is heard once, however long', (name) => {
    expect(heard([103, silence], [40, key(name)], [100, silence], [2000, key(name)], [100, silence])).toBe(name + name);
  });

  it('all in a row at 40 ms with pauses of 40 ms, wherever they begin', () => {
    for (const shiftMs of [0, 3, 7, 11, 16]) expect(heard([shiftMs, silence], ...[...KEYS].flatMap((name): [number, Sound][] => [[40, key(name)], [40, silence]]), [60, silence])).toBe(KEYS);
  });

  it('as faint as -25 dBm0, as loud as -3, and in noise 15 dB below', () => {
    expect(heard([80, key('5', { low: -25, high: -25 })], [80, silence], [80, key('9', { low: -3, high: -3 })], [80, silence])).toBe('59');
    const hiss = noise(-22);
    const five = key('5');
    expect(heard([80, (i) => five(i) + hiss(i)], [80, hiss])).toBe('5');
  });

  it('with a twist that lines give, and not with more', () => {
    expect(heard([80, key('1', { low: -14, high: -10 })], [80, silence], [80, key('2', { low: -8, high: -16 })], [80, silence])).toBe('12');
    expect(heard([80, key('1', { low: -22, high: -10 })], [80, silence], [80, key('2', { low: -8, high: -22 })], [80, silence])).toBe('');
  });

  it('1.5 % off their frequencies, and not 3.5 %', () => {
    for (const name of KEYS) for (const off of [-0.015, -0.011, -0.004, 0.004, 0.011, 0.015]) expect(heard([80, key(name, { lowOff: off, highOff: -off })], [80, silence])).toBe(name);
    for (const name of KEYS) for (const off of [-0.035, 0.035]) expect([heard([80, key(name, { lowOff: off })], [80, silence]), heard([80, key(name, { highOff: off })], [80, silence])]).toEqual(['', '']);
  });

  it('not shorter than 20 ms, and a gap of 10 ms makes no second press', () => {
    expect(heard([100, silence], [18, key('5')], [100, silence])).toBe('');
    expect(heard([60, key('5')], [10, silence], [60, key('5')], [100, silence])).toBe('5');
  });

  it('not in talk, in noise, nor in single tones and chords of other frequencies', () => {
    expect([85, 110, 140, 180, 220, 260].map((pitchHz) => heard([10_000, speech(pitchHz)]))).toEqual(['', '', '', '', '', '']);
    expect(heard([5000, noise(-8)])).toBe('');
    expect(heard([500, sine(697, -8)], [500, sine(1209, -8)], [500, (i) => sine(440, -10)(i) + sine(480, -10)(i)], [500, (i) => sine(350, -10)(i) + sine(440, -10)(i)])).toBe('');
  });
});
