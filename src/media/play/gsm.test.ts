import { describe, expect, it } from 'vitest';
import { decodeGsm, looksLikeGsm } from './gsm.ts';

/** What a GSM encoder makes of silence. */
const SILENT = Buffer.from('d820a2e15a50004924924924500049249249245000492492492450004924924924', 'hex');

// That speech and tones come out bit for bit is compared with ffmpeg's decoder in test/interop/media-files.test.ts.
describe('GSM full rate', () => {
  it('makes 160 samples of 33 bytes, and next to nothing of silence', () => {
    const pcm = decodeGsm(Buffer.concat([SILENT, SILENT, SILENT.subarray(0, 20)]));
    expect(pcm).toHaveLength(320);
    expect(Math.max(...pcm.map(Math.abs))).toBeLessThan(100);
  });

  it('survives any bits', () => {
    for (let seed = 0; seed < 256; seed++) {
      const frames = Buffer.from(Array.from({ length: 330 }, (_, i) => (i % 33 === 0 ? 0xd0 | (seed & 15) : (seed * 31 + i * i * 7) & 0xff)));
      expect(decodeGsm(frames)).toHaveLength(1600);
    }
  });

  it('is known by the bits that each frame begins with', () => {
    expect(looksLikeGsm(Buffer.concat([SILENT, SILENT]))).toBe(true);
    expect(looksLikeGsm(Buffer.concat([SILENT, Buffer.alloc(33)]))).toBe(false);
    expect(looksLikeGsm(SILENT.subarray(1))).toBe(false);
    expect(() => decodeGsm(Buffer.concat([SILENT, Buffer.alloc(33)]))).toThrow(expect.objectContaining({ name: 'AudioFileError', kind: 'broken' }) as Error);
    expect(() => decodeGsm(Buffer.alloc(10))).toThrow(expect.objectContaining({ name: 'AudioFileError' }) as Error);
  });
});
