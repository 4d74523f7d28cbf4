import type { Clock } from '../../base/clock.ts';

const STEP_PERCENT = 10;

/** Tells of a composition's progress about every ten percent (contract §7.9). */
export class ProgressTeller {
  readonly #durationMs: number;
  readonly #clock: Clock;
  readonly #tell: (parameters: [name: string, value: string][]) => void;
  readonly #startedAtMs: number;
  #nextPercent = STEP_PERCENT;

  constructor(durationMs: number, deps: { clock: Clock; tell: (parameters: [name: string, value: string][]) => void }) {
    this.#durationMs = durationMs;
    this.#clock = deps.clock;
    this.#tell = deps.tell;
    this.#startedAtMs = deps.clock.nowMs();
  }

  /** All of it is told by `composition-available`. */
  moved(doneMs: number): void {
    const share = doneMs / this.#durationMs;
    const percent = Math.floor(share * 100);
    if (percent < this.#nextPercent || percent >= 100) return;
    this.#nextPercent = (Math.floor(percent / STEP_PERCENT) + 1) * STEP_PERCENT;
    const spentMs = this.#clock.nowMs() - this.#startedAtMs;
    this.#tell([['PercentageDone', String(percent)], ['SecondsRemaining', String(Math.ceil((spentMs * (1 - share)) / share / 1000))]]);
  }
}
