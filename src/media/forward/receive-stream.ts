import { Reception } from '../rtp/reception.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import type { SenderInfo } from '../rtp/rtcp-feedback.ts';
import type { RtpView } from '../rtp/packet.ts';
import { NackGenerator } from './nack-generator.ts';
import { KeyFrameRequester } from './key-frame-requester.ts';
import { RateMeter } from './rate-meter.ts';
import { SequenceWindow } from './sequence-window.ts';
import type { SourceClock } from './track.ts';

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
    if (at.nowMs - this.lastArrivalMs > 1000) this.steadySinceMs = at.nowMs;
    this.lastArrivalMs = at.nowMs;
    if (!at.repeated) {
      this.#reception.packetReceived(view.sequenceNumber, view.timestamp, at);
      this.rate.add(view.length, at.nowMs);
      this.#clockRateHz = at.clockRateHz;
    }
    this.nack?.packetReceived(view.sequenceNumber, at.nowMs);
    return true;
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
