import type { Clock, Timer } from '../base/clock.ts';

interface Entry {
  dueMs: number;
  order: number;
  fn: () => void;
}

/** A clock that moves only when told: minutes of retransmission in a millisecond of test time. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #entries = new Set<Entry>();
  #epochMs: number;

  constructor(options: { epochMs?: number } = {}) {
    this.#epochMs = options.epochMs ?? Date.UTC(2026, 0, 1);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    const entry: Entry = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#entries.add(entry);
    return { cancel: () => void this.#entries.delete(entry) };
  }

  /** Moves time on by `ms`, firing what falls due in order. Timers started on the way fire too when they fall due. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      let next: Entry | undefined;
      for (const e of this.#entries) {
        if (e.dueMs <= endMs && (!next || e.dueMs < next.dueMs || (e.dueMs === next.dueMs && e.order < next.order))) next = e;
      }
      if (!next) break;
      this.#entries.delete(next);
      this.#nowMs = next.dueMs;
      next.fn();
    }
    this.#nowMs = endMs;
  }

  /** As `advance`, but lets promises settle between timers. */
  async advanceAsync(ms: number, stepMs = 10): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Number of pending timers; 0 shows that nothing leaks. */
  get pending(): number {
    return this.#entries.size;
  }
}
