import { describe, expect, it } from 'vitest';
import { muLawOf, muLawToPcm } from '../../testing/rtp-caller.ts';
import { pcma, pcmu } from './g711.ts';
import { dbov, powerOf, SILENCE_DBOV } from './level.ts';

describe('G.711 tables', () => {
  it('decode by the standard', () => {
    // ITU-T G.711 tables 1 and 2: ends and segment borders, scaled to 16 bit.
    const mu: [number, number][] = [[0xff, 0], [0x7f, 0], [0x80, 32_124], [0x00, -32_124], [0xfe, 8], [0x7e, -8], [0xef, 132], [0xdf, 396], [0x8f, 16_764]];
    for (const [code, sample] of mu) expect(pcmu.toPcm[code]).toBe(sample);
    const a: [number, number][] = [[0xd5, 8], [0x55, -8], [0xaa, 32_256], [0x2a, -32_256], [0xd4, 24], [0xc5, 264], [0xf5, 528], [0xe5, 1056], [0xb5, 8448]];
    for (const [code, sample] of a) expect(pcma.toPcm[code]).toBe(sample);
  });

  it('agree with µ-law computed by the book for every sample', () => {
    for (let sample = -32_768; sample < 32_768; sample++) {
      if (pcmu.toCode[sample & 0xffff] !== muLawOf(sample)) expect.fail(`${sample} becomes ${pcmu.toCode[sample & 0xffff]}`);
    }
    for (let code = 0; code < 256; code++) expect(pcmu.toPcm[code]! + 0).toBe(muLawToPcm(code) + 0);
  });

  it.each([pcmu, pcma])('$codec: decoding and encoding again changes no code', ({ toPcm, toCode, codec }) => {
    for (let code = 0; code < 256; code++) {
      const again = toCode[toPcm[code]! & 0xffff]!;
      // µ-law has two zeros.
      if (!(codec === 'PCMU' && code === 0x7f)) expect(again).toBe(code);
    }
  });

  it.each([pcmu, pcma])('$codec: every sample lands on the nearest value of its segment', ({ toPcm, toCode }) => {
    for (let sample = -32_000; sample <= 32_000; sample += 7) {
      const error = Math.abs(toPcm[toCode[sample & 0xffff]!]! - sample);
      expect(error).toBeLessThanOrEqual(Math.max(16, Math.abs(sample) / 16));
    }
  });

  it('know their silence', () => {
    expect(pcmu.silence).toBe(0xff);
    expect(pcma.silence).toBe(0xd5);
  });
});

describe('levels', () => {
  it('are -3 dBov for a full sine, 0 for a full square wave, -127 for nothing', () => {
    const sine = Int16Array.from({ length: 160 }, (_, i) => 32_767 * Math.sin((2 * Math.PI * i) / 8));
    expect(dbov(powerOf(sine))).toBeCloseTo(-3.01, 1);
    expect(dbov(powerOf(new Int16Array(160).fill(-32_768)))).toBeCloseTo(0, 5);
    expect(dbov(powerOf(new Int16Array(160)))).toBe(SILENCE_DBOV);
    expect(dbov(powerOf(new Int16Array(0)))).toBe(SILENCE_DBOV);
  });
});
