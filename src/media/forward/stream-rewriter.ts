import { randomInt } from 'node:crypto';
import type { RtpView } from '../rtp/packet.ts';

const MAX_AHEAD_S = 10;

/**
 * Makes one continuous RTP stream of whatever a subscription is fed with: other SSRCs (another layer, a publisher that came
 * back), another clock rate, pauses. Gaps and re-ordering within one source stay as they are. Pure.
 */
export class StreamRewriter {
  /** Results of the last `rewrite` that returned true. */
  sequenceNumber = 0;
  timestamp = 0;
  /** The packet begins a new stretch. */
  rebased = false;

  #based = false;
  #ssrc = -1;
  #clockRateHz = 0;
  #sequenceOffset = 0;
  #timestampOffset = 0;
  #highestIn = 0;
  /** Sequence numbers from the base to `#highestIn`. */
  #span = 0;
  #lastSequence: number;
  #lastTimestamp = 0;
  #lastMs = -1;
  #shift: number | null = null;

  constructor(firstSequence = randomInt(0x8000)) {
    this.#lastSequence = (firstSequence - 1) & 0xffff;
  }

  /** False when the packet is older than the source's first forwarded one: it has no number to be sent with. */
  rewrite(view: RtpView, clockRateHz: number, nowMs: number): boolean {
    this.rebased = false;
    if (!this.#based || view.ssrc !== this.#ssrc || clockRateHz !== this.#clockRateHz) this.#rebase(view, clockRateHz, nowMs);
    const step = ((view.sequenceNumber - this.#highestIn) << 16) >> 16;
    if (step < 0 && -step > this.#span) return false;
    this.sequenceNumber = (view.sequenceNumber + this.#sequenceOffset) & 0xffff;
    this.timestamp = (view.timestamp + this.#timestampOffset) >>> 0;
    if (step >= 0) {
      this.#highestIn = view.sequenceNumber;
      this.#span = Math.min(0x7fff, this.#span + step);
      this.#lastSequence = this.sequenceNumber;
      this.#lastTimestamp = this.timestamp;
      this.#lastMs = nowMs;
    }
    return true;
  }

  /** The next packet begins a new stretch: what is left out until then leaves no gap. */
  interrupt(): void {
    this.#based = false;
  }

  /**
   * What is known of the next source: its timestamps are `ticks` ahead of those of the one in use for the same instant. Without,
   * the time of arrival tells.
   */
  align(ticks: number): void {
    this.#shift = ticks;
  }

  #rebase(view: RtpView, clockRateHz: number, nowMs: number): void {
    const first = this.#lastMs < 0;
    const sameSource = view.ssrc === this.#ssrc && clockRateHz === this.#clockRateHz;
    const elapsed = first ? 0 : Math.max(1, Math.round(((nowMs - this.#lastMs) * clockRateHz) / 1000));
    this.#sequenceOffset = (this.#lastSequence + 1 - view.sequenceNumber) & 0xffff;
    // After a pause of the same source its own timestamps tell best how long it was.
    if (!sameSource) this.#timestampOffset = first ? 0 : (this.#alignedOffset(view, clockRateHz) ?? (this.#lastTimestamp + elapsed - view.timestamp) | 0);
    this.#shift = null;
    this.rebased = true;
    this.#based = true;
    this.#ssrc = view.ssrc;
    this.#clockRateHz = clockRateHz;
    this.#highestIn = view.sequenceNumber;
    this.#span = 0;
  }

  /** Null when it would lead back in time or far ahead: then what was known is not so. */
  #alignedOffset(view: RtpView, clockRateHz: number): number | null {
    if (this.#shift === null) return null;
    const offset = (this.#timestampOffset - this.#shift) | 0;
    const ahead = (view.timestamp + offset - this.#lastTimestamp) | 0;
    return ahead > 0 && ahead < MAX_AHEAD_S * clockRateHz ? offset : null;
  }

  /** Source timestamps + this = ours. */
  get timestampOffset(): number {
    return this.#timestampOffset;
  }

  /** SSRC and clock rate of the source in use. */
  get sourceSsrc(): number {
    return this.#ssrc;
  }

  get clockRateHz(): number {
    return this.#clockRateHz;
  }

  /** Our timestamp at `nowMs`, counted on from the last packet. */
  timestampAt(nowMs: number): number {
    return (this.#lastTimestamp + Math.round(((nowMs - this.#lastMs) * this.#clockRateHz) / 1000)) >>> 0;
  }
}
