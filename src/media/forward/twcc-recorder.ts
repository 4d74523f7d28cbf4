import { ticksOfMs, writeTransportFeedback } from '../rtp/rtcp-feedback-twcc.ts';

const RING = 4096;
/** Entries of one message: far below the MTU also with large deltas. */
const MAX_ENTRIES = 400;
/** A packet that comes this much too late is reported after all, an older one is forgotten. */
const MAX_LATE = 500;

/** Arrival times of one transport's packets by transport-wide sequence number, on their way into feedback. Pure. */
export class TwccRecorder {
  readonly #senderSsrc: number;
  #ticks = new Float64Array(RING).fill(-1);
  #sequence = new Float64Array(RING).fill(-1);
  /** Unwrapped; -1 before the first packet. */
  #highest = -1;
  #nextBase = 0;
  #count = 0;
  #mediaSsrc = 0;
  #fresh = false;

  constructor(senderSsrc: number) {
    this.#senderSsrc = senderSsrc;
  }

  packetReceived(sequence16: number, mediaSsrc: number, nowMs: number): void {
    const sequence = this.#unwrap(sequence16);
    if (sequence < 0) return;
    const slot = sequence % RING;
    if (this.#sequence[slot] === sequence) return;
    this.#sequence[slot] = sequence;
    this.#ticks[slot] = ticksOfMs(nowMs);
    this.#mediaSsrc = mediaSsrc;
    if (sequence < this.#nextBase) {
      if (this.#nextBase - sequence > MAX_LATE) return;
      this.#nextBase = sequence;
    }
    this.#fresh = true;
  }

  #unwrap(sequence16: number): number {
    if (this.#highest < 0) {
      // One cycle up, so that packets before the first stay positive.
      this.#highest = sequence16 + 0x10000;
      this.#nextBase = this.#highest;
      return this.#highest;
    }
    const step = ((sequence16 - this.#highest) << 16) >> 16;
    const sequence = this.#highest + step;
    if (step > 0) this.#highest = sequence;
    return sequence;
  }

  /** The messages for what has come since the last call; empty when nothing has. */
  takeFeedback(): Buffer[] {
    const packets: Buffer[] = [];
    if (!this.#fresh) return packets;
    this.#fresh = false;
    this.#nextBase = Math.max(this.#nextBase, this.#highest - RING + 1);
    while (this.#nextBase <= this.#highest) {
      const packet = this.#write();
      if (packet) packets.push(packet);
    }
    return packets;
  }

  /** Also lost packets at the beginning are told of; only a stretch without any arrival is passed over. */
  #write(): Buffer | null {
    const arrivals: (number | null)[] = [];
    const last = Math.min(this.#highest, this.#nextBase + MAX_ENTRIES - 1);
    for (let sequence = this.#nextBase; sequence <= last; sequence++) arrivals.push(this.#arrival(sequence));
    if (arrivals.every((arrival) => arrival === null)) {
      this.#nextBase = last + 1;
      return null;
    }
    const { packet, written } = writeTransportFeedback({
      senderSsrc: this.#senderSsrc,
      mediaSsrc: this.#mediaSsrc,
      feedbackCount: this.#count,
      baseSequence: this.#nextBase & 0xffff,
      arrivals,
    });
    this.#count = (this.#count + 1) & 0xff;
    this.#nextBase += Math.max(1, written);
    return packet;
  }

  #arrival(sequence: number): number | null {
    const slot = sequence % RING;
    return this.#sequence[slot] === sequence ? (this.#ticks[slot] as number) : null;
  }
}
