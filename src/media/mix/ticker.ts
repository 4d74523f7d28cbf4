import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

const SLOTS = 4;
const SLOT_MS = 5;
/** Further behind than this the steps are given up: nobody wants to hear a second of mix at once. */
const MAX_CATCH_UP_MS = 500;
/** A step that is later than this lets the sockets be read first: the packets of the time that was missed wait there. */
const LATE_MS = 10;

/** Something that takes one step per 20 ms. */
export interface Ticked {
  tick(nowMs: number): void;
}

/**
 * The one timer of a worker. Rooms and idle phones are spread over four slots of 5 ms, so that their packets do not leave
 * all at once; steps that were missed are caught up by monotonic time.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #slots: Set<Ticked>[] = Array.from({ length: SLOTS }, () => new Set<Ticked>());
  #timer: Timer | null = null;
  #next = 0;
  #dueMs = 0;
  #yielded = false;
  /** Since the start: how often steps were taken, and by how much they came too late, summed. */
  readonly lateness = { steps: 0, lateMs: 0 };

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  add(ticked: Ticked): void {
    if (this.#slots.some((slot) => slot.has(ticked))) return;
    const emptiest = this.#slots.reduce((a, b) => (b.size < a.size ? b : a));
    emptiest.add(ticked);
    if (this.#timer) return;
    this.#dueMs = this.#clock.nowMs() + SLOT_MS;
    this.#arm();
  }

  remove(ticked: Ticked): void {
    for (const slot of this.#slots) slot.delete(ticked);
  }

  stop(): void {
    for (const slot of this.#slots) slot.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#dueMs - this.#clock.nowMs(), () => this.#run());
  }

  #run(): void {
    const nowMs = this.#clock.nowMs();
    this.#yielded = nowMs - this.#dueMs > LATE_MS && !this.#yielded;
    if (this.#yielded) return this.#arm();
    this.lateness.steps++;
    this.lateness.lateMs += Math.max(0, nowMs - this.#dueMs);
    if (nowMs - this.#dueMs > MAX_CATCH_UP_MS) this.#dueMs = nowMs;
    while (this.#dueMs <= nowMs) {
      this.#step(this.#slots[this.#next] as Set<Ticked>, nowMs);
      this.#next = (this.#next + 1) % SLOTS;
      this.#dueMs += SLOT_MS;
    }
    if (this.#slots.every((slot) => slot.size === 0)) this.#timer = null;
    else this.#arm();
  }

  #step(slot: Set<Ticked>, nowMs: number): void {
    for (const ticked of slot) {
      try {
        ticked.tick(nowMs);
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'a media tick failed');
      }
    }
  }
}
