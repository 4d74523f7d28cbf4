/** Levels in dBov (RFC 6464 §3): 0 is the level of a full-scale square wave, a full-scale sine has -3.01. */

/** What we call silence when there is no power at all. */
export const SILENCE_DBOV = -127;

/** `meanPower` is the mean square of samples with full scale 1.0. */
export function dbov(meanPower: number): number {
  return meanPower <= 2e-13 ? SILENCE_DBOV : 10 * Math.log10(meanPower);
}

/** Mean square of 16-bit samples, full scale 1.0. */
export function powerOf(pcm: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < pcm.length; i++) {
    const s = pcm[i] as number;
    sum += s * s;
  }
  return pcm.length === 0 ? 0 : sum / pcm.length / 1_073_741_824;
}
