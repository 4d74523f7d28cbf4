const RATE_HZ = 8000;
const CADENCE_SECONDS = 6;
const RING_SECONDS = 2;
/** -25 dBov each: -19 dBm0, as ITU-T E.180 and the networks of North America have it. */
const AMPLITUDE = 32_768 * Math.SQRT2 * 10 ** (-25 / 20);

let clip: Int16Array | null = null;

/** One cadence of the United States' ringing tone: 440 + 480 Hz for 2 s, then 4 s of silence. Shared: not to be written to. */
export function ringbackClip(): Int16Array {
  clip ??= Int16Array.from({ length: CADENCE_SECONDS * RATE_HZ }, (_, i) => (i < RING_SECONDS * RATE_HZ ? Math.round(ring(i)) : 0));
  return clip;
}

function ring(i: number): number {
  const turn = (2 * Math.PI * i) / RATE_HZ;
  return AMPLITUDE * (Math.sin(440 * turn) + Math.sin(480 * turn));
}
