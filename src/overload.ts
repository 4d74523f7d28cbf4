import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, Timer } from './base/clock.ts';

interface Limits {
  /** Late by so much for `LATE_SAMPLES` in a row: nothing new is begun … */
  lateMs: number;
  /** … until it has been late by less than this for `CALM_SAMPLES` in a row. */
  calmMs: number;
}

const CONTROL: Limits = { lateMs: 200, calmMs: 50 };
/** Three steps of 20 ms: jitter buffers of phones and browsers still hide that. */
const MEDIA: Limits = { lateMs: 60, calmMs: 20 };
const LATE_SAMPLES = 3;
const CALM_SAMPLES = 3;
const SAMPLE_MS = 1_000;

/** `late`: the control plane; `media-late`: the steps of a media worker. */
export type OverloadReason = 'max-calls' | 'late' | 'media-late';

/** Whether calls that come in can be taken without those that stand suffering. Pure: samples come from outside, one a second. */
export class Overload {
  readonly #maxCalls: number | null;
  readonly #control = new Lateness(CONTROL);
  readonly #media = new Lateness(MEDIA);
  readonly refused: Record<OverloadReason, number> = { 'max-calls': 0, late: 0, 'media-late': 0 };

  constructor(maxCalls: number | null) {
    this.#maxCalls = maxCalls;
  }

  get late(): boolean {
    return this.#control.late;
  }

  get mediaLate(): boolean {
    return this.#media.late;
  }

  /** How late the event loop was on average, ms: one long step of it is no overload. */
  sampled(delayMs: number): void {
    this.#control.sampled(delayMs);
  }

  /** How late the steps of the latest media worker were on average, ms. */
  mediaSampled(delayMs: number): void {
    this.#media.sampled(delayMs);
  }

  /** Null: one more call can be taken, `liveCalls` standing. A refusal is counted. */
  refusal(liveCalls: number): OverloadReason | null {
    const reason = this.#maxCalls !== null && liveCalls >= this.#maxCalls ? 'max-calls' : this.late ? 'late' : this.mediaLate ? 'media-late' : null;
    if (reason) this.refused[reason]++;
    return reason;
  }
}

/** Late or not, with some inertia. */
class Lateness {
  readonly #limits: Limits;
  #inARow = 0;
  late = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  sampled(delayMs: number): void {
    const contrary = this.late ? delayMs < this.#limits.calmMs : delayMs > this.#limits.lateMs;
    this.#inARow = contrary ? this.#inARow + 1 : 0;
    if (this.#inARow < (this.late ? CALM_SAMPLES : LATE_SAMPLES)) return;
    this.late = !this.late;
    this.#inARow = 0;
  }
}

/** Feeds it with the delays of this process; `changed` when it begins or ends to be late. */
export function watchEventLoop(overload: Overload, { clock, changed }: { clock: Clock; changed: (late: boolean, delayMs: number) => void }): { stop: () => void } {
  const histogram = monitorEventLoopDelay({ resolution: 20 });
  histogram.enable();
  let timer: Timer;
  const sample = (): void => {
    const delayMs = Math.max(0, (histogram.count === 0 ? 0 : histogram.mean) / 1e6 - 20);
    histogram.reset();
    const before = overload.late;
    overload.sampled(delayMs);
    if (overload.late !== before) changed(overload.late, delayMs);
    timer = clock.after(SAMPLE_MS, sample);
  };
  timer = clock.after(SAMPLE_MS, sample);
  return {
    stop: () => {
      timer.cancel();
      histogram.disable();
    },
  };
}
