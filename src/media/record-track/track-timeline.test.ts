import { describe, expect, it } from 'vitest';
import { TrackTimeline, type TimeReport } from './track-timeline.ts';

const RATE_HZ = 48_000;

/** A publisher of 20 ms packets, its clock, its path to us, and where its sound lands. */
class Sender {
  readonly timeline = new TrackTimeline(RATE_HZ);
  timestamp = 4_294_900_000;
  ssrc = 1;
  report: TimeReport | null = null;

  /** The packet made until `madeMs` (our clock) arrives `delayMs` later; returns where its end lies by our clock. */
  packet(madeMs: number, delayMs: number): number {
    const packet = { ssrc: this.ssrc, timestamp: this.timestamp >>> 0, arrivalMs: madeMs + delayMs, durationMs: 20 };
    this.timestamp += 960;
    return this.timeline.place(packet, this.report) + 20 + this.timeline.startMs;
  }
}

describe('the time line of a track', () => {
  it('lies on the fastest packet, over the wrap of time stamps, however unsteady the path', () => {
    const sender = new Sender();
    const late: number[] = [];
    for (let i = 1; i <= 1000; i++) late.push(sender.packet(i * 20, 30 + ((i * 37) % 50)) - i * 20);
    // 30 ms is the shortest delay; nobody can know of it.
    expect(late.slice(100).every((ms) => Math.abs(ms - 30) < 1)).toBe(true);
  });

  it('leaves gaps where nothing was said', () => {
    const sender = new Sender();
    sender.packet(1000, 5);
    sender.timestamp += 480_000 - 960;
    expect(sender.packet(11_000, 5)).toBeCloseTo(11_005, 0);
  });

  it('follows a clock that runs fast without a step', () => {
    const sender = new Sender();
    let [worst, widest, before] = [0, 0, 0];
    for (let i = 1; i <= 180_000; i++) {
      // 100 ppm: an hour has 360 ms more.
      const madeMs = i * 20 * (1 - 1e-4);
      const at = sender.packet(madeMs, (i * 7) % 20);
      worst = Math.max(worst, Math.abs(at - madeMs));
      widest = Math.max(widest, at - before);
      before = at;
    }
    expect(worst).toBeLessThan(20);
    expect(widest).toBeLessThan(50);
  });

  it('believes a sender report that shows the packets as delayed, and none that is absurd', () => {
    const sender = new Sender();
    for (let i = 1; i <= 400; i++) {
      // Pictures are encoded for 40 ms before they go; the report is not.
      if (i === 100) sender.report = { ssrc: 1, rtpTimestamp: sender.timestamp >>> 0, receivedMs: i * 20 - 20 };
      if (i === 300) sender.report = { ssrc: 1, rtpTimestamp: 12_345, receivedMs: i * 20 };
      const offMs = sender.packet(i * 20, 40) - i * 20;
      expect(offMs).toBeCloseTo(i < 100 ? 40 : 0, 0);
    }
  });

  it('finds a phone again whose time stamps stood still while it was held, and one that began anew', () => {
    const sender = new Sender();
    for (let i = 1; i <= 100; i++) sender.packet(i * 20, 5);
    let at = 0;
    for (let i = 400; i <= 500; i++) at = sender.packet(i * 20, 5);
    expect(at).toBeCloseTo(10_005, 0);
    sender.ssrc = 2;
    sender.timestamp = 77;
    expect(sender.packet(20_000, 5)).toBeCloseTo(20_005, 0);
  });

  it('takes a layer by its sender report, or finds its place within seconds when its first packet was slow', () => {
    const sender = new Sender();
    for (let i = 1; i <= 1000; i++) sender.packet(i * 20, 5);
    sender.ssrc = 2;
    sender.timestamp = 1_000_000;
    sender.report = { ssrc: 2, rtpTimestamp: 1_000_000 - 48_000 + 960, receivedMs: 20_000 - 980 };
    expect(sender.packet(20_020, 305) - 20_020).toBeCloseTo(0, 0);
    sender.report = null;
    sender.ssrc = 3;
    expect(sender.packet(20_040, 305) - 20_040).toBeCloseTo(305, 0);
    for (let i = 1003; i <= 1200; i++) sender.packet(i * 20, 5);
    expect(sender.packet(24_020, 5) - 24_020).toBeCloseTo(5, 0);
  });

  it('is not taken in by a stall of the network', () => {
    const sender = new Sender();
    for (let i = 1; i <= 100; i++) sender.packet(i * 20, 5);
    // Three seconds come at once.
    for (let i = 101; i <= 250; i++) expect(sender.packet(i * 20, 5 + (250 - i) * 20)).toBeCloseTo(i * 20 + 5, 0);
    for (let i = 251; i <= 400; i++) expect(sender.packet(i * 20, 5)).toBeCloseTo(i * 20 + 5, 0);
  });
});
