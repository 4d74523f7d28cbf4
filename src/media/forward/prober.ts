import type { Clock, Timer } from '../../base/clock.ts';
import type { BandwidthEstimator } from './bandwidth-estimator.ts';

const STEPS = 5;
const STEP_MS = 8;
/** A probe goes this much beyond the estimate at most. */
const LEAP = 2.5;
const MIN_BPS = 150_000;
/** What is wanted is aimed at with a reserve. */
const RESERVE = 1.25;
const MIN_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 16_000;
/** A probe that raised the estimate by less was in vain. */
const SUCCESS = 1.05;
const MAX_STEP_PACKETS = 100;
/** Below, large packets would be too few, or too many bytes for the path. */
const SMALL_BPS = 1_000_000;
const SMALL_BYTES = 275;

export interface ProberOptions {
  clock: Clock;
  estimator: BandwidthEstimator;
  /** Sends one packet of padding, a small one of some 280 bytes on demand; returns its length, 0 when there is none. */
  sendPadding: (small: boolean) => number;
}

/** Finds out whether the path carries more, while something is held back for want of it. */
export class Prober {
  readonly #options: ProberOptions;
  #timer: Timer | null = null;
  #nextMs = -Infinity;
  #pauseMs = MIN_PAUSE_MS;
  #beforeBps = 0;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** What would carry everything, 0 when nothing is held back. Probes when it is time. */
  wanted(bps: number, nowMs: number): void {
    const { estimator } = this.#options;
    if (bps === 0 || estimator.probing || nowMs < this.#nextMs || estimator.congested(nowMs)) return;
    if (bps * RESERVE <= estimator.bps) return;
    this.#pauseMs = estimator.bps > this.#beforeBps * SUCCESS ? MIN_PAUSE_MS : Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
    this.#beforeBps = estimator.bps;
    this.#nextMs = nowMs + this.#pauseMs;
    const targetBps = Math.min(bps * RESERVE, Math.max(MIN_BPS, estimator.bps * LEAP));
    estimator.beginProbe(targetBps, nowMs);
    this.#step({ targetBps, beganMs: nowMs, step: 1 });
  }

  #step(probe: { targetBps: number; beganMs: number; step: number }): void {
    const { clock, estimator, sendPadding } = this.#options;
    const small = probe.targetBps < SMALL_BPS;
    // A packet a step at least, or there would be nothing to judge by.
    const dueBytes = probe.step * Math.max((probe.targetBps * STEP_MS) / 8000, SMALL_BYTES);
    for (let i = 0; i < MAX_STEP_PACKETS && estimator.probeBytes < dueBytes; i++) if (sendPadding(small) === 0) break;
    if (probe.step === STEPS) return estimator.probeSent();
    probe.step++;
    this.#timer = clock.after(STEP_MS, () => this.#step(probe));
  }

  close(): void {
    this.#timer?.cancel();
  }
}
