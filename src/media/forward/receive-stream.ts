import { Reception } from '../rtp/reception.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import type { SenderInfo } from '../rtp/rtcp-feedback.ts';
import type { RtpView } from '../rtp/packet.ts';
import type { FrameSize } from './frame-size.ts';
import { NackGenerator } from './nack-generator.ts';
import { KeyFrameRequester } from './key-frame-requester.ts';
import { RateMeter } from './rate-meter.ts';
import { SequenceWindow } from './sequence-window.ts';
import type { SourceClock } from './source-clock.ts';

/** Without a packet for so long, a stream has ceased. */
const SILENT_MS = 1000;
/** Share of a new value per 50 ms: 2 s to follow. */
const SMOOTHING = 0.025;

/** One SSRC a browser publishes: a whole audio track, or one layer of a video. Pure. */
export class ReceiveStream {
  readonly ssrc: number;
  readonly keyFrames = new KeyFrameRequester();
  readonly nack: NackGenerator | null;
  clock: SourceClock | null = null;
  lastArrivalMs = -Infinity;
  /** Since when packets have come without a pause of 1 s. */
  steadySinceMs = 0;
  /** What came on the stream itself, retransmissions left out. */
  readonly rate = new RateMeter();
  /** 0–1, over the last report interval. */
  fractionLost = 0;
  /** Size of its last key frame that told it; 0 before. */
  readonly size: FrameSize = { width: 0, height: 0 };
  /** Its rate without the peaks of key frames; of a stream that has ceased, as it was last. 0 before the first packet. */
  smoothBps = 0;
  #clockRateHz = 0;
  #window = new SequenceWindow();
  #reception = new Reception();

  constructor(ssrc: number, options: { nack: boolean }) {
    this.ssrc = ssrc;
    this.#reception.ssrc = ssrc;
    this.nack = options.nack ? new NackGenerator() : null;
  }

  /** Counts a packet; false for a duplicate. Retransmissions do not count as received: loss is what the path lost. */
  packetReceived(view: RtpView, at: { nowMs: number; clockRateHz: number; repeated: boolean }): boolean {
    if (!this.#window.accept(view.sequenceNumber)) return false;
    if (at.nowMs - this.lastArrivalMs > SILENT_MS) this.steadySinceMs = at.nowMs;
    this.lastArrivalMs = at.nowMs;
    if (!at.repeated) {
      this.#reception.packetReceived(view.sequenceNumber, view.timestamp, at);
      this.rate.add(view.length, at.nowMs);
      this.#clockRateHz = at.clockRateHz;
    }
    this.nack?.packetReceived(view.sequenceNumber, at.nowMs);
    return true;
  }

  /** Packets have come within the last second. */
  isAlive(nowMs: number): boolean {
    return nowMs - this.lastArrivalMs <= SILENT_MS;
  }

  /** Every 50 ms. */
  tick(nowMs: number): void {
    if (!this.isAlive(nowMs)) return;
    const bps = this.rate.bps(nowMs);
    this.smoothBps = this.smoothBps === 0 ? bps : this.smoothBps + (bps - this.smoothBps) * SMOOTHING;
  }

  /** Null before the first packet. */
  get jitterMs(): number | null {
    return this.#clockRateHz > 0 ? (this.#reception.jitter * 1000) / this.#clockRateHz : null;
  }

  senderReportReceived(info: SenderInfo, nowMs: number): void {
    this.clock = { ...info, receivedMs: nowMs };
  }

  /** Null before the first packet. */
  reportBlock(nowMs: number): ReportBlock | null {
    if (this.#reception.received === 0) return null;
    const { clock } = this;
    const fractionLost = this.#reception.fractionLost();
    this.fractionLost = fractionLost / 256;
    return {
      ssrc: this.ssrc,
      fractionLost,
      lost: this.#reception.lost,
      extendedHighest: this.#reception.extendedHighest,
      jitter: this.#reception.jitter,
      lastSr: clock ? ((clock.ntpSeconds << 16) | (clock.ntpFraction >>> 16)) >>> 0 : 0,
      delaySinceLastSr: clock ? Math.round(((nowMs - clock.receivedMs) * 65536) / 1000) : 0,
    };
  }
}
