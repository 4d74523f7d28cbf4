import type { TransportFeedback } from '../rtp/rtcp-feedback-twcc.ts';
import { DelayTrend } from './delay-trend.ts';
import { Probe } from './probe.ts';
import { RateMeter } from './rate-meter.ts';
import { SentPackets } from './sent-packets.ts';

/** What a path is taken to carry before it has shown anything. */
export const START_BPS = 1_500_000;
const MIN_BPS = 50_000;
const MAX_BPS = 50_000_000;
const TICKS_PER_MS = 4;

/** AIMD (draft-ietf-rmcat-gcc-02 §6): down to this part of what arrives, up by this factor per second. */
const BACK_OFF = 0.85;
const GROWTH_PER_S = 1.08;
/** Near the rate where the path was full last, growth is one packet per response time. */
const NEAR = 0.15;
const PACKET_BITS = 9600;
const RESPONSE_MS = 200;
/** Not more than this beyond what has arrived: a path that is not used shows nothing. */
const REACH = 1.5;
const REACH_BPS = 10_000;

const LOSS_WINDOW_MS = 1000;
const LOSS_WINDOW_PACKETS = 50;
/** Above, the rate goes down; between the two it grows slowly (draft-ietf-rmcat-gcc-02 §7). */
const MUCH_LOSS = 0.1;
const SOME_LOSS = 0.02;

/** For so long after a decrease the path counts as congested. */
const CONGESTED_MS = 3000;
const PROBE_TIMEOUT_MS = 1000;

/**
 * What the path to one browser carries, from its transport-wide feedback: down when a queue grows or much is lost, up while
 * neither is so, and in leaps by probes. Pure.
 */
export class BandwidthEstimator {
  #bps: number;
  #sent = new SentPackets();
  #trend = new DelayTrend();
  #arrived = new RateMeter(500);
  /** Arrival rate at the last decreases: where the path was full; null when that is no longer believed. */
  #fullBps: number | null = null;
  #lastChangeMs = -1;
  #lastDecreaseMs = -Infinity;
  #decreases = 0;
  #lastFeedbackMs = -Infinity;
  #lossSinceMs = -1;
  #lossSent = 0;
  #lossLost = 0;
  #loss = 0;
  #probe: Probe | null = null;
  #probes = 0;

  constructor(startBps = START_BPS) {
    this.#bps = startBps;
  }

  /** Bit/s of RTP, headers included. */
  get bps(): number {
    return this.#bps;
  }

  /** 0–1, over the last second or more. */
  get loss(): number {
    return this.#loss;
  }

  congested(nowMs: number): boolean {
    return nowMs - this.#lastDecreaseMs < CONGESTED_MS;
  }

  /** How often in one go it was found so. */
  decreases(nowMs: number): number {
    return this.congested(nowMs) ? this.#decreases : 0;
  }

  /** Feedback has come: without any, the estimate is only its beginning. */
  get alive(): boolean {
    return this.#lastFeedbackMs >= 0;
  }

  /** The transport-wide sequence number to send the packet with. */
  packetSent(bytes: number, nowMs: number): number {
    const probe = this.#probe;
    if (!probe || probe.complete) return this.#sent.add(bytes, nowMs, 0);
    probe.sent(bytes, nowMs);
    return this.#sent.add(bytes, nowMs, probe.id);
  }

  /** A probe is being sent or judged. */
  get probing(): boolean {
    return this.#probe !== null;
  }

  /** All that is sent until `probeSent` is meant to make up `targetBps`. */
  beginProbe(targetBps: number, nowMs: number): void {
    this.#probe = new Probe(++this.#probes, targetBps, nowMs);
  }

  /** Bytes that have gone out as part of the probe. */
  get probeBytes(): number {
    return this.#probe?.sentBytes ?? 0;
  }

  probeSent(): void {
    if (this.#probe) this.#probe.complete = true;
  }

  feedbackReceived(feedback: TransportFeedback, nowMs: number): void {
    this.#lastFeedbackMs = nowMs;
    let arrived = 0;
    let lost = 0;
    for (let i = 0; i < feedback.arrivals.length; i++) {
      if (!this.#sent.find((feedback.baseSequence + i) & 0xffff)) continue;
      const ticks = feedback.arrivals[i] ?? null;
      if (ticks === null) {
        if (this.#sent.lost()) lost++;
        continue;
      }
      if (this.#sent.arrived()) lost--;
      arrived++;
      this.#packetArrived(ticks / TICKS_PER_MS, nowMs);
    }
    this.#countLoss(arrived, lost, nowMs);
    this.#adjust(nowMs);
    this.#judgeProbe(nowMs);
  }

  #packetArrived(arrivalMs: number, nowMs: number): void {
    const { sentMs, bytes, probe } = this.#sent;
    this.#arrived.add(bytes, nowMs);
    if (probe === 0) this.#trend.packet(sentMs, arrivalMs);
    else if (probe === this.#probe?.id) this.#probe.arrived(bytes, arrivalMs);
  }

  #countLoss(arrived: number, lost: number, nowMs: number): void {
    if (this.#lossSinceMs < 0) this.#lossSinceMs = nowMs;
    this.#lossSent += arrived + Math.max(0, lost);
    this.#lossLost += lost;
    if (this.#lossSent < LOSS_WINDOW_PACKETS || nowMs - this.#lossSinceMs < LOSS_WINDOW_MS) return;
    this.#loss = Math.max(0, this.#lossLost / this.#lossSent);
    this.#lossSinceMs = nowMs;
    this.#lossSent = 0;
    this.#lossLost = 0;
    if (this.#loss > MUCH_LOSS) this.#decrease(this.#bps * (1 - this.#loss / 2), nowMs);
  }

  #adjust(nowMs: number): void {
    const sinceMs = this.#lastChangeMs < 0 ? 0 : Math.min(1000, nowMs - this.#lastChangeMs);
    this.#lastChangeMs = nowMs;
    if (this.#trend.use === 'overuse') this.#overused(nowMs);
    else if (this.#trend.use === 'normal' && this.#loss <= MUCH_LOSS) this.#increase(sinceMs, nowMs);
  }

  #overused(nowMs: number): void {
    if (nowMs - this.#lastDecreaseMs < RESPONSE_MS) return;
    const arrivedBps = this.#arrived.bps(nowMs);
    if (arrivedBps <= 0) return;
    this.#fullBps = this.#fullBps === null || Math.abs(arrivedBps - this.#fullBps) > NEAR * this.#fullBps ? arrivedBps : this.#fullBps + (arrivedBps - this.#fullBps) / 10;
    this.#decrease(BACK_OFF * arrivedBps, nowMs);
  }

  #decrease(toBps: number, nowMs: number): void {
    if (toBps < this.#bps) this.#bps = Math.max(MIN_BPS, toBps);
    this.#decreases = this.congested(nowMs) ? this.#decreases + 1 : 1;
    this.#lastDecreaseMs = nowMs;
  }

  #increase(sinceMs: number, nowMs: number): void {
    const reachBps = REACH * this.#arrived.bps(nowMs) + REACH_BPS;
    if (this.#bps >= reachBps) return;
    if (this.#fullBps !== null && this.#bps > (1 + NEAR) * this.#fullBps) this.#fullBps = null;
    const near = this.#fullBps !== null && this.#bps > (1 - NEAR) * this.#fullBps;
    const slow = (PACKET_BITS * sinceMs) / RESPONSE_MS;
    const next = near || this.#loss > SOME_LOSS ? this.#bps + slow : this.#bps * GROWTH_PER_S ** (sinceMs / 1000);
    this.#bps = Math.min(next, reachBps, MAX_BPS);
  }

  #judgeProbe(nowMs: number): void {
    const probe = this.#probe;
    if (!probe || (!probe.answered && nowMs - probe.beganMs < PROBE_TIMEOUT_MS)) return;
    this.#probe = null;
    const bps = probe.resultBps();
    if (bps === null || bps <= this.#bps) return;
    this.#bps = Math.min(bps, MAX_BPS);
    this.#fullBps = null;
  }

  /** A probe whose feedback never came is given up. */
  tick(nowMs: number): void {
    if (this.#probe && nowMs - this.#probe.beganMs >= PROBE_TIMEOUT_MS) this.#judgeProbe(nowMs);
  }
}
