import { randomInt } from 'node:crypto';
import type { Reception } from './reception.ts';
import { parseRtcp, writeReport, type ReportBlock, type RtcpReport } from './rtcp.ts';

/** RFC 3550 §6.2: the least there is between two reports; half of it before the first. Each time it is half to one and a half of it. */
const INTERVAL_MS = 5000;

/** What we send: a `PhoneSender`. */
export interface ReportedSender {
  ssrc: number;
  timestamp: number;
  packets: number;
  octets: number;
}

export interface ReportNow {
  sender: ReportedSender;
  /** Null: nothing was heard yet. */
  reception: Reception | null;
  nowMs: number;
  wallMs: number;
  bye: boolean;
}

/** The RTCP of one phone leg: when a report of ours is due and what it says, and what theirs say. Pure but for the dice. */
export class PhoneReports {
  readonly #cname: string;
  #nextMs = Infinity;
  /** Packets we had sent at our last report, and at the one before. */
  #sentAtLast = 0;
  #sentBefore = 0;
  #receivedAtLast = 0;
  /** Of their last SR. */
  #lastSr = 0;
  #lastSrSsrc = 0;
  #lastSrMs = 0;

  constructor(cname: string) {
    this.#cname = cname;
  }

  start(nowMs: number): void {
    this.#nextMs = nowMs + randomInt(INTERVAL_MS / 4, INTERVAL_MS * 0.75);
  }

  due(nowMs: number): boolean {
    return nowMs >= this.#nextMs;
  }

  /** Writes our report into `buffer` (256 bytes do); returns its length. */
  write(buffer: Buffer, now: ReportNow): number {
    const { sender, reception } = now;
    this.#nextMs = now.nowMs + randomInt(INTERVAL_MS / 2, INTERVAL_MS * 1.5);
    // §6.4: who has sent since the report before the last one is a sender.
    const sends = sender.packets !== this.#sentBefore;
    this.#sentBefore = this.#sentAtLast;
    this.#sentAtLast = sender.packets;
    const received = reception && reception.received !== this.#receivedAtLast ? this.#block(reception, now.nowMs) : null;
    this.#receivedAtLast = reception?.received ?? 0;
    return writeReport(buffer, {
      ssrc: sender.ssrc,
      cname: this.#cname,
      wallMs: now.wallMs,
      sent: sends ? { rtpTimestamp: sender.timestamp, packets: sender.packets, octets: sender.octets } : null,
      received,
      bye: now.bye,
    });
  }

  #block(reception: Reception, nowMs: number): ReportBlock {
    // Of an SR of another source there is nothing to tell (§6.4.1).
    const known = this.#lastSr !== 0 && this.#lastSrSsrc === reception.ssrc;
    return {
      ssrc: reception.ssrc,
      fractionLost: reception.fractionLost(),
      lost: reception.lostOfSsrc,
      extendedHighest: reception.extendedHighest,
      jitter: reception.jitter,
      lastSr: known ? this.#lastSr : 0,
      delaySinceLastSr: known ? Math.round((nowMs - this.#lastSrMs) * 65.536) : 0,
    };
  }

  /** Their packet; returns what it says of our stream `ownSsrc`, null when nothing. */
  received(packet: Buffer, ownSsrc: number, nowMs: number): RtcpReport['blocks'][number] | null {
    const report = parseRtcp(packet);
    if (!report) return null;
    if (report.senderReport !== null) {
      this.#lastSr = report.senderReport;
      this.#lastSrSsrc = report.senderSsrc;
      this.#lastSrMs = nowMs;
    }
    return report.blocks.find(({ ssrc }) => ssrc === ownSsrc) ?? null;
  }
}
