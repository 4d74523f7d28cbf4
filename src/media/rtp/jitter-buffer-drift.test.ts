import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES, JitterBuffer } from './jitter-buffer.ts';

const HOUR_MS = 3_600_000;
const SECONDS = 3600;
/** A window in which losses would be heard as a burst. */
const BURST_WINDOW_S = 10;

interface Drifted {
  /** Most that was buffered after play-out began, in ms. */
  mostBufferedMs: number;
  /** Frames that were not whole, of each second. */
  missing: Uint8Array;
  discarded: number;
}

/** An hour of a phone whose clock runs `ppm` fast, with up to 4 ms of jitter. */
function hourOf(ppm: number): Drifted {
  const buffer = new JitterBuffer();
  const codes = new Uint8Array(FRAME_SAMPLES).fill(0x90);
  const out = new Int16Array(FRAME_SAMPLES);
  const missing = new Uint8Array(SECONDS);
  const options = { offset: 0, samples: FRAME_SAMPLES, nowMs: 0 };
  const periodMs = 20 / (1 + ppm / 1e6);
  let seed = 7;
  let sent = 0;
  let arrivesMs = 0;
  let mostBuffered = 0;
  for (let nowMs = 5; nowMs < HOUR_MS; nowMs += 20) {
    while (arrivesMs <= nowMs) {
      options.nowMs = arrivesMs;
      buffer.insert((0xffff_0000 + sent * FRAME_SAMPLES) >>> 0, codes, options);
      seed = (seed * 16_807) % 2_147_483_647;
      sent++;
      arrivesMs = Math.max(arrivesMs, sent * periodMs + (4 * seed) / 2_147_483_647);
    }
    if (buffer.pull(out, nowMs) !== 'voice') (missing[Math.floor(nowMs / 1000)] as number)++;
    mostBuffered = Math.max(mostBuffered, buffer.depth);
  }
  return { mostBufferedMs: mostBuffered / 8, missing, discarded: buffer.discarded };
}

function worstBurst(missing: Uint8Array): number {
  let worst = 0;
  for (let at = 0; at < missing.length; at += BURST_WINDOW_S) {
    worst = Math.max(worst, missing.subarray(at, at + BURST_WINDOW_S).reduce((sum, n) => sum + n, 0));
  }
  return worst;
}

describe('the jitter buffer over an hour', () => {
  it.each([200, -200, -500])('plays a phone whose clock is %i ppm off with little delay and no burst of loss', (ppm) => {
    const { mostBufferedMs, missing, discarded } = hourOf(ppm);
    const frames = missing.reduce((sum, n) => sum + n, 0);
    // An hour of drift in frames of 20 ms is all that may be missing of a slow phone; a fast one's surplus is dropped.
    const drifted = (Math.abs(ppm) * HOUR_MS) / 1e6 / 20;
    expect(mostBufferedMs).toBeLessThanOrEqual(60);
    expect(frames).toBeLessThanOrEqual(2 * drifted + 10);
    expect(worstBurst(missing)).toBeLessThanOrEqual(3);
    expect(discarded).toBeLessThanOrEqual(drifted);
  });
});
