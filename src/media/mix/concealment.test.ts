import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { Concealment } from './concealment.ts';

const loud = new Int16Array(FRAME_SAMPLES).fill(10_000);

describe('concealment', () => {
  it('repeats the last frame, fading to silence within 60 ms', () => {
    const concealment = new Concealment();
    concealment.heard(loud);
    const pcm = new Int16Array(FRAME_SAMPLES);
    const heard: number[] = [];
    for (let n = 0; n < 3; n++) {
      expect(concealment.conceal(pcm)).toBe(true);
      heard.push(...pcm);
    }
    expect(heard[0]).toBe(10_000);
    expect(heard.every((sample, i) => i === 0 || sample <= heard[i - 1]!)).toBe(true);
    expect(heard.at(-1)).toBeLessThan(100);
    expect(concealment.conceal(pcm)).toBe(false);
    expect(pcm.every((sample) => sample === 0)).toBe(true);
  });

  it('begins with silence, and again after a reset', () => {
    const concealment = new Concealment();
    const pcm = Int16Array.from(loud);
    expect(concealment.conceal(pcm)).toBe(false);
    expect(pcm[0]).toBe(0);
    concealment.heard(loud);
    concealment.reset();
    expect(concealment.conceal(pcm)).toBe(false);
  });

  it('starts afresh with each frame that came', () => {
    const concealment = new Concealment();
    const pcm = new Int16Array(FRAME_SAMPLES);
    concealment.heard(loud);
    concealment.conceal(pcm);
    concealment.conceal(pcm);
    concealment.heard(loud);
    concealment.conceal(pcm);
    expect(pcm[0]).toBe(10_000);
  });
});
