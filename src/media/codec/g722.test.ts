import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { G722Decoder, G722Encoder } from './g722.ts';

/** Two seconds of triangles of rising period under noise, soft and loud, in whole numbers, so that it is the same everywhere. */
function sound(): Int16Array {
  let state = 1n;
  return Int16Array.from({ length: 32_000 }, (_, i) => {
    state = (state * 1_103_515_245n + 12_345n) & 0x7fff_ffffn;
    const noise = (Number(state >> 16n) % 2001) - 1000;
    const period = 8 + Math.floor(i / 400);
    const triangle = Math.abs(((i * 7) % (4 * period)) - 2 * period) * Math.floor(8000 / period) - 8000;
    const loudness = Math.floor(i / 4000) % 4;
    return (triangle + noise * (loudness === 3 ? 4 : 1)) >> (loudness === 0 ? 3 : 0);
  });
}

function encoded(pcm: Int16Array): Uint8Array {
  const encoder = new G722Encoder();
  const codes = new Uint8Array(pcm.length / 2);
  for (let at = 0; at < pcm.length; at += 320) encoder.encode(pcm.subarray(at, at + 320), codes.subarray(at / 2, at / 2 + 160));
  return codes;
}

function decoded(codes: Uint8Array): Int16Array {
  const decoder = new G722Decoder();
  const pcm = new Int16Array(codes.length * 2);
  for (let at = 0; at < codes.length; at += 160) decoder.decode(codes, pcm.subarray(2 * at, 2 * at + 320), { offset: at, count: 160 });
  return pcm;
}

const sha256 = (data: Uint8Array | Int16Array): string => createHash('sha256').update(Buffer.from(data.buffer, data.byteOffset, data.byteLength)).digest('hex');

describe('G.722', () => {
  it('codes and decodes bit for bit what libspandsp 0.0.6 makes of the same sound', () => {
    const codes = encoded(sound());
    expect(sha256(codes)).toBe('b8d2aa66519d13cc86840f309ed1dd6c595ced396c45bacbf5f8a44ac0ad4c1f');
    expect(sha256(decoded(codes))).toBe('f402f940accc379402dfd4ff3caa483ab9d0be894a093b19cb6fb96bbe81c32d');
  });

  it('is decoded by ffmpeg to the samples that we decode', () => {
    const ffmpeg = (args: string[], input: Uint8Array): Buffer => {
      const { status, stdout } = spawnSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...args, '-'], { input, maxBuffer: 1e7 });
      expect(status).toBe(0);
      return stdout;
    };
    const codes = encoded(sound());
    const theirs = ffmpeg(['-f', 'g722', '-i', '-', '-f', 's16le'], codes);
    const ours = decoded(codes);
    expect(theirs.length).toBeGreaterThan(60_000);
    expect(theirs.equals(Buffer.from(ours.buffer, 0, theirs.length))).toBe(true);
  });

  it('saturates where it is driven too hard', () => {
    const square = Int16Array.from({ length: 3200 }, (_, i) => (i % 40 < 20 ? 32_767 : -32_768));
    const heard = decoded(encoded(square));
    for (let i = 200; i < heard.length; i++) if (Math.abs(heard[i]! - heard[i - 1]!) > 64_000) expect.fail(`it wraps around at ${i}`);
  });

  it('goes on where another encoder is, without a seam', () => {
    const pcm = sound();
    const [one, other] = [new G722Encoder(), new G722Encoder()];
    const codes = new Uint8Array(pcm.length / 2);
    for (let at = 0; at < pcm.length; at += 320) {
      const encoder = at < 16_000 ? one : other;
      if (at === 16_000) other.continueFrom(one, false);
      encoder.encode(pcm.subarray(at, at + 320), codes.subarray(at / 2, at / 2 + 160));
    }
    expect(Buffer.from(codes).equals(Buffer.from(encoded(pcm)))).toBe(true);
  });
});
