import { describe, expect, it } from 'vitest';
import { PhoneReports } from './phone-reports.ts';
import { RemoteQuality } from './quality.ts';
import { Reception } from './reception.ts';
import { parseRtcp, writeReport, type RtcpReport } from './rtcp.ts';

const BEGIN_MS = Date.UTC(2026, 10, 24, 21);

/** Us, who hear a phone, by a clock of our own. */
class World {
  nowMs = 1000;
  readonly reports = new PhoneReports('phone-1@partyline');
  readonly reception = new Reception();
  readonly sender = { ssrc: 11, timestamp: 0, packets: 0, octets: 0 };
  heard = false;

  hear(ssrc: number, sequences: number[]): void {
    if (!this.heard || ssrc !== this.reception.ssrc) this.reception.restart(ssrc);
    this.heard = true;
    for (const n of sequences) this.reception.packetReceived(n, n * 160, { nowMs: n * 20, clockRateHz: 8000 });
  }

  /** Their SR. */
  told(ssrc: number, wallMs: number): void {
    const buffer = Buffer.alloc(256);
    const length = writeReport(buffer, { ssrc, cname: 'phone', wallMs, sent: { rtpTimestamp: 0, packets: 1, octets: 160 }, received: null, bye: false });
    this.reports.received(buffer.subarray(0, length), this.sender.ssrc, this.nowMs);
  }

  report(bye = false): RtcpReport & { bytes: Buffer } {
    const buffer = Buffer.alloc(256);
    const length = this.reports.write(buffer, { sender: this.sender, reception: this.heard ? this.reception : null, nowMs: this.nowMs, wallMs: BEGIN_MS + this.nowMs, bye });
    const bytes = buffer.subarray(0, length);
    const report = parseRtcp(bytes);
    if (!report) throw new TypeError('no RTCP');
    return { ...report, bytes };
  }
}

describe('reports of ours', () => {
  it('come after 1.25 to 3.75 s, then every 2.5 to 7.5 s, never in step', () => {
    const world = new World();
    const waits: number[] = [];
    world.reports.start(world.nowMs);
    for (let last = world.nowMs; waits.length < 200; ) {
      world.nowMs += 20;
      if (!world.reports.due(world.nowMs)) continue;
      waits.push(world.nowMs - last);
      last = world.nowMs;
      world.report();
    }
    const [first = 0, ...rest] = waits;
    expect(first).toBeGreaterThanOrEqual(1250);
    expect(first).toBeLessThanOrEqual(3770);
    expect(Math.min(...rest)).toBeGreaterThanOrEqual(2500);
    expect(Math.max(...rest)).toBeLessThanOrEqual(7520);
    expect(rest.reduce((a, b) => a + b) / rest.length).toBeGreaterThan(4500);
    expect(new Set(rest).size).toBeGreaterThan(50);
  });

  it('are SR until two intervals have passed without a packet of ours, then RR; each names us, the last says BYE', () => {
    const world = new World();
    world.sender.packets = 50;
    expect([world.report(), world.report(), world.report()].map(({ bytes }) => bytes[1])).toEqual([200, 200, 201]);
    world.sender.packets = 60;
    const last = world.report(true);
    expect([last.bytes[1], last.bye, last.bytes.includes('phone-1@partyline')]).toEqual([200, true, true]);
  });

  it('tell of the stream that is heard now: another SSRC has its own loss, and no SR of the old one', () => {
    const world = new World();
    world.hear(21, [1, 2, 5, 6]);
    world.told(21, BEGIN_MS);
    world.nowMs += 500;
    expect(world.report().blocks).toMatchObject([{ ssrc: 21, lost: 2, fractionLost: 85, delaySinceLastSr: 32_768 }]);
    expect(world.report().blocks).toEqual([]);
    world.hear(22, [100, 101, 102]);
    expect(world.report().blocks).toMatchObject([{ ssrc: 22, lost: 0, fractionLost: 0, lastSr: 0, delaySinceLastSr: 0 }]);
    world.told(22, BEGIN_MS);
    world.nowMs += 1000;
    world.hear(22, [103, 103, 103]);
    expect(world.report().blocks).toMatchObject([{ ssrc: 22, lost: -2, delaySinceLastSr: 65_536 }]);
    expect(world.reception.lost).toBe(2);
  });

  it('let the phone know the round trip, as theirs let us', () => {
    const [us, phone] = [new World(), new World()];
    phone.sender.ssrc = 21;
    us.sender.packets = 1;
    // 40 ms there, 200 ms at the phone, 60 ms back.
    phone.nowMs = us.nowMs + 40;
    phone.hear(11, [1, 2]);
    phone.reports.received(us.report().bytes, 21, phone.nowMs);
    phone.nowMs += 200;
    const answer = phone.report().bytes;
    us.nowMs += 300;
    const block = us.reports.received(answer, 11, us.nowMs);
    const quality = new RemoteQuality();
    if (block) quality.reportReceived(block, BEGIN_MS + us.nowMs);
    expect(quality.roundTripMs).toBeCloseTo(100, 0);
  });
});
