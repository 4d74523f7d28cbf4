import { describe, expect, it } from 'vitest';
import { BandwidthEstimator } from './bandwidth-estimator.ts';

/** A path with one bottleneck and a queue of its own, in steps of 5 ms; the sender sends what the estimate allows. */
class Path {
  readonly estimator: BandwidthEstimator;
  nowMs = 0;
  capacityBps: number;
  delayMs = 25;
  loss = 0;
  jitterMs = 0;
  /** What there is to send at most. */
  appBps = Infinity;
  maxQueueMs = 0;
  #queueFreeMs = 0;
  #credit = 0;
  #flight: { sequence: number; arrivalMs: number | null }[] = [];
  #random = 12345;
  #feedbackAtMs = 100;
  #backMs: { atMs: number; entries: { sequence: number; arrivalMs: number | null }[] }[] = [];
  delivered = 0;

  constructor(options: { capacityBps: number; startBps?: number }) {
    this.capacityBps = options.capacityBps;
    this.estimator = new BandwidthEstimator(options.startBps);
  }

  random(): number {
    this.#random = (Math.imul(this.#random, 1103515245) + 12345) & 0x7fffffff;
    return this.#random / 0x7fffffff;
  }

  send(bytes: number): void {
    const sequence = this.estimator.packetSent(bytes, this.nowMs);
    const startMs = Math.max(this.nowMs, this.#queueFreeMs);
    const dropped = this.random() < this.loss || startMs - this.nowMs > 1000;
    if (!dropped) this.#queueFreeMs = startMs + (bytes * 8000) / this.capacityBps;
    this.maxQueueMs = Math.max(this.maxQueueMs, this.#queueFreeMs - this.nowMs);
    const arrivalMs = dropped ? null : this.#queueFreeMs + this.delayMs + this.random() * this.jitterMs;
    this.#flight.push({ sequence, arrivalMs });
  }

  run(seconds: number): void {
    const endMs = this.nowMs + seconds * 1000;
    while (this.nowMs < endMs) {
      this.nowMs += 5;
      this.#credit += (Math.min(this.estimator.bps, this.appBps) * 5) / 8000;
      while (this.#credit >= 1000) {
        this.send(1000);
        this.#credit -= 1000;
      }
      if (this.nowMs >= this.#feedbackAtMs) this.#feedback();
      while (this.#backMs[0] && this.#backMs[0].atMs <= this.nowMs) this.#tell(this.#backMs.shift()!.entries);
      this.estimator.tick(this.nowMs);
    }
  }

  #feedback(): void {
    this.#feedbackAtMs += 100;
    let ready = 0;
    while (ready < this.#flight.length && (this.#flight[ready]!.arrivalMs ?? 0) <= this.nowMs) ready++;
    // What is lost shows only when something later has come.
    while (ready > 0 && this.#flight[ready - 1]!.arrivalMs === null) ready--;
    if (ready > 0) this.#backMs.push({ atMs: this.nowMs + this.delayMs, entries: this.#flight.splice(0, ready) });
  }

  #tell(entries: { sequence: number; arrivalMs: number | null }[]): void {
    this.delivered += entries.filter((entry) => entry.arrivalMs !== null).length * 8000;
    const arrivals = entries.map((entry) => (entry.arrivalMs === null ? null : Math.round((entry.arrivalMs + 7_000_000) * 4)));
    this.estimator.feedbackReceived({ senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0, baseSequence: entries[0]!.sequence, arrivals }, this.nowMs);
  }

  /** 40 ms of padding at `bps`. */
  probe(bps: number): void {
    this.estimator.beginProbe(bps, this.nowMs);
    const packets = Math.ceil((bps * 0.04) / 8000);
    for (let i = 0; i < packets; i++) {
      this.send(1000);
      this.nowMs += 40 / packets;
    }
    this.estimator.probeSent();
    this.nowMs = Math.ceil(this.nowMs / 5) * 5;
  }
}

const kbps = (path: Path): number => Math.round(path.estimator.bps / 1000);

describe('bandwidth estimate', () => {
  it('finds a bottleneck of 1 Mbit/s from above, without a standing queue', () => {
    const path = new Path({ capacityBps: 1_000_000, startBps: 3_000_000 });
    path.run(5);
    path.maxQueueMs = 0;
    path.delivered = 0;
    path.run(30);
    expect(kbps(path)).toBeGreaterThan(650);
    expect(kbps(path)).toBeLessThan(1100);
    expect(path.maxQueueMs).toBeLessThan(300);
    expect(path.delivered / 30).toBeGreaterThan(700_000);
  });

  it('finds it from below', () => {
    const path = new Path({ capacityBps: 1_000_000, startBps: 300_000 });
    path.run(30);
    expect(kbps(path)).toBeGreaterThan(650);
    expect(kbps(path)).toBeLessThan(1100);
  });

  it('does not collapse under 5 % of random loss and 10 ms of jitter', () => {
    const path = new Path({ capacityBps: 10_000_000, startBps: 1_500_000 });
    path.loss = 0.05;
    path.jitterMs = 10;
    path.run(60);
    expect(kbps(path)).toBeGreaterThan(1_500);
  });

  it('gives way to heavy loss', () => {
    const path = new Path({ capacityBps: 10_000_000, startBps: 1_500_000 });
    path.loss = 0.25;
    path.run(20);
    expect(kbps(path)).toBeLessThan(750);
    expect(path.estimator.congested(path.nowMs)).toBe(true);
  });

  it('recovers when the bottleneck opens', () => {
    const path = new Path({ capacityBps: 500_000, startBps: 1_500_000 });
    path.run(20);
    expect(kbps(path)).toBeLessThan(550);
    path.capacityBps = 3_000_000;
    path.run(30);
    expect(kbps(path)).toBeGreaterThan(1_500);
  });

  it('goes not far beyond what was sent, until a probe shows more', () => {
    const path = new Path({ capacityBps: 5_000_000, startBps: 400_000 });
    path.appBps = 300_000;
    path.run(20);
    expect(kbps(path)).toBeLessThan(500);
    path.probe(1_200_000);
    path.run(1);
    expect(kbps(path)).toBeGreaterThan(1000);
    expect(kbps(path)).toBeLessThanOrEqual(1200);
  });

  it('a probe beyond the capacity finds the capacity, and does not make it congested for long', () => {
    const path = new Path({ capacityBps: 1_000_000, startBps: 300_000 });
    path.appBps = 300_000;
    path.run(5);
    path.probe(2_000_000);
    path.run(1);
    expect(kbps(path)).toBeGreaterThan(600);
    expect(kbps(path)).toBeLessThanOrEqual(1000);
    path.run(5);
    expect(path.estimator.congested(path.nowMs)).toBe(false);
  });

  it('a probe of which nothing comes back changes nothing', () => {
    const path = new Path({ capacityBps: 1_000_000, startBps: 300_000 });
    path.appBps = 300_000;
    path.run(5);
    const before = path.estimator.bps;
    path.loss = 1;
    path.probe(1_000_000);
    path.loss = 0;
    path.run(3);
    expect(path.estimator.probing).toBe(false);
    expect(path.estimator.bps).toBeLessThan(before * 1.5);
    path.probe(600_000);
    path.run(1);
    expect(kbps(path)).toBeGreaterThan(500);
  });
});
