import { describe, expect, it } from 'vitest';
import { scoreOf, type HeardAs } from './e-model.ts';

const score = (lossRatio: number, delayMs = 0, codec: HeardAs['codec'] = 'PCMU'): ReturnType<typeof scoreOf> => scoreOf({ codec, lossRatio, delayMs });
const rating = (...heard: Parameters<typeof score>): number => Number(score(...heard).rating.toFixed(1));
const mos = (...heard: Parameters<typeof score>): number => Number(score(...heard).mos.toFixed(2));

describe('a phone of narrow band', () => {
  it('has R 93.2 and MOS 4.41 where nothing is wrong (G.107 §7.7)', () => {
    expect(score(0)).toMatchObject({ scale: 'narrow-band' });
    expect([rating(0), mos(0)]).toEqual([93.2, 4.41]);
  });

  it('falls with loss as G.113 has it for G.711 with concealment', () => {
    // Ie,eff = 95 · Ppl / (Ppl + 25.1): 3.6, 15.8, 27.1, 42.1, 63.2.
    expect([0.01, 0.05, 0.1, 0.2, 0.5].map((loss) => rating(loss))).toEqual([89.6, 77.4, 66.1, 51.1, 30]);
    expect([0.01, 0.05, 0.1, 0.2].map((loss) => mos(loss))).toEqual([4.33, 3.92, 3.41, 2.63]);
    expect(mos(1)).toBeLessThan(1.4);
  });

  it('has the opinion scores of G.107 Table B.1', () => {
    const lossOfRating = (wanted: number): number => ((93.206 - wanted) * 25.1) / (95 - (93.206 - wanted)) / 100;
    const published = [[90, 4.34], [80, 4.03], [70, 3.6], [60, 3.1], [50, 2.58]] as const;
    // The table's 4.03 is 4.024 by its own formula.
    for (const [wanted, opinion] of published) expect(Math.abs(score(lossOfRating(wanted)).mos - opinion), String(wanted)).toBeLessThan(0.0065);
  });

  it('falls with delay as the curve of G.114 does: all is well to 150 ms, many are dissatisfied at 400 ms', () => {
    const byDelay = [0, 50, 100, 150, 177, 200, 300, 400, 1000].map((delay) => rating(0, delay));
    expect(byDelay).toEqual([...byDelay].sort((a, b) => b - a));
    expect(rating(0, 150)).toBeGreaterThan(88);
    expect(rating(0, 400)).toBeLessThan(75);
    expect(rating(0, 400)).toBeGreaterThan(60);
    expect(mos(1, 5000)).toBe(1);
  });
});

describe('a phone of wide band', () => {
  it('is rated up to 129, and its opinion score is of R / 1.29 (G.107.1 Annex A)', () => {
    expect(score(0, 0, 'G722')).toMatchObject({ scale: 'wide-band', rating: 116 });
    // Annex B at 116 / 1.29 = 89.9.
    expect(mos(0, 0, 'G722')).toBe(4.34);
    expect([rating(0, 0, 'OPUS'), mos(0, 0, 'OPUS')]).toEqual([128, 4.49]);
  });

  it('is rated above any phone of narrow band, and falls with loss and delay', () => {
    expect(rating(0, 0, 'G722')).toBeGreaterThan(rating(0));
    expect(rating(0.05, 0, 'OPUS')).toBeGreaterThan(rating(0.05, 0, 'G722'));
    expect(rating(0, 90, 'G722')).toBe(116);
    expect(rating(0, 300, 'G722')).toBeLessThan(105);
    expect(mos(1, 5000, 'G722')).toBe(1);
  });
});
