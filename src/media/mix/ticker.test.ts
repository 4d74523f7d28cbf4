import { describe, expect, it } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { Ticker, type Ticked } from './ticker.ts';

class Counter implements Ticked {
  readonly atMs: number[] = [];
  tick(nowMs: number): void {
    this.atMs.push(nowMs);
  }
}

function started(count: number): { clock: FakeClock; ticker: Ticker; counters: Counter[] } {
  const clock = new FakeClock();
  const ticker = new Ticker(clock, silentLog);
  const counters = Array.from({ length: count }, () => new Counter());
  for (const counter of counters) ticker.add(counter);
  return { clock, ticker, counters };
}

describe('the worker’s ticker', () => {
  it('steps everybody every 20 ms, spread over four slots', () => {
    const { clock, counters } = started(8);
    clock.advance(1000);
    for (const { atMs } of counters) {
      expect(atMs).toHaveLength(50);
      expect(atMs.every((at, i) => i === 0 || at - atMs[i - 1]! === 20)).toBe(true);
    }
    const phases = counters.map(({ atMs }) => atMs[0]! % 20);
    for (const phase of [0, 5, 10, 15]) expect(phases.filter((p) => p === phase)).toHaveLength(2);
  });

  it('stops its timer with the last one and starts again with the next', () => {
    const { clock, ticker, counters } = started(1);
    clock.advance(100);
    ticker.remove(counters[0]!);
    clock.advance(100);
    expect(clock.pending).toBe(0);
    const next = new Counter();
    ticker.add(next);
    clock.advance(100);
    expect(next.atMs).toHaveLength(5);
    expect(counters[0]!.atMs.length).toBeLessThanOrEqual(5);
    ticker.stop();
    expect(clock.pending).toBe(0);
  });

  it('does not step anybody twice who is added twice', () => {
    const { clock, ticker, counters } = started(1);
    ticker.add(counters[0]!);
    clock.advance(100);
    expect(counters[0]!.atMs).toHaveLength(5);
  });

  it('survives one that throws, and one that removes itself', () => {
    const { clock, ticker, counters } = started(1);
    const broken: Ticked = {
      tick: () => {
        throw new TypeError('on purpose');
      },
    };
    const once: Ticked = { tick: () => ticker.remove(once) };
    ticker.add(broken);
    ticker.add(once);
    clock.advance(200);
    expect(counters[0]!.atMs).toHaveLength(10);
  });
});

/** A clock whose process was stopped for a while: timers fire late, all at the same moment. */
class StalledClock extends FakeClock {
  #skippedMs = 0;
  override nowMs(): number {
    return super.nowMs() + this.#skippedMs;
  }
  stall(ms: number): void {
    this.#skippedMs += ms;
  }
}

describe('a ticker that was held up', () => {
  it('catches up what it missed, after the sockets have been read', () => {
    const clock = new StalledClock();
    const counter = new Counter();
    new Ticker(clock, silentLog).add(counter);
    clock.advance(100);
    expect(counter.atMs).toHaveLength(5);
    clock.stall(200);
    clock.advance(5);
    clock.advance(5);
    expect(counter.atMs.length).toBeGreaterThanOrEqual(15);
    clock.advance(1000);
    expect(counter.atMs.length).toBeGreaterThanOrEqual(64);
    expect(counter.atMs.length).toBeLessThanOrEqual(66);
  });

  it('gives up more than half a second: nobody wants a second of mix at once', () => {
    const clock = new StalledClock();
    const counter = new Counter();
    new Ticker(clock, silentLog).add(counter);
    clock.advance(100);
    clock.stall(60_000);
    clock.advance(20);
    expect(counter.atMs.length).toBeLessThan(10);
  });
});
