import { describe, expect, it } from 'vitest';
import { Downsampler, Upsampler } from './half-band.ts';

const sine = (hz: number, rateHz: number, length: number): Int16Array => Int16Array.from({ length }, (_, i) => Math.round(10_000 * Math.sin((2 * Math.PI * hz * i) / rateHz)));

/** Amplitude of a frequency, 1 for that of `sine`; the first 40 ms are left out. */
function amplitude(pcm: Int16Array, hz: number, rateHz: number): number {
  const from = rateHz / 25;
  let re = 0;
  let im = 0;
  for (let i = from; i < pcm.length; i++) {
    re += pcm[i]! * Math.cos((2 * Math.PI * hz * i) / rateHz);
    im += pcm[i]! * Math.sin((2 * Math.PI * hz * i) / rateHz);
  }
  return (2 * Math.hypot(re, im)) / (pcm.length - from) / 10_000;
}

/** In frames of 20 ms, as they come. */
function converted(converter: Upsampler | Downsampler, from: Int16Array, ratio: number): Int16Array {
  const frame = ratio > 1 ? 160 : 320;
  const to = new Int16Array(from.length * ratio);
  for (let at = 0; at < from.length; at += frame) converter.convert(from.subarray(at, at + frame), to.subarray(at * ratio, (at + frame) * ratio));
  return to;
}

describe('the half-band filter', () => {
  it.each([100, 1000, 2500, 3400])('brings %d Hz up and down again as it was', (hz) => {
    const up = converted(new Upsampler(), sine(hz, 8000, 8000), 2);
    expect(amplitude(up, hz, 16_000)).toBeCloseTo(1, 1);
    // The image that doubling the rate would leave.
    expect(amplitude(up, 8000 - hz, 16_000)).toBeLessThan(0.004);
    const down = converted(new Downsampler(), up, 0.5);
    expect(amplitude(down, hz, 8000)).toBeCloseTo(1, 1);
  });

  it.each([4700, 6000, 7500])('does not let %d Hz come down as another tone', (hz) => {
    const down = converted(new Downsampler(), sine(hz, 16_000, 16_000), 0.5);
    expect(amplitude(down, 8000 - hz, 8000)).toBeLessThan(0.004);
  });

  it('saturates', () => {
    const square = Int16Array.from({ length: 1600 }, (_, i) => (i % 10 < 5 ? 32_767 : -32_768));
    const up = converted(new Upsampler(), square, 2);
    for (let i = 200; i < 3000; i++) if (Math.abs(up[i]! - up[i - 1]!) > 60_000) expect.fail(`it wraps around at ${i}`);
    expect(Math.max(...up)).toBe(32_767);
  });
});
