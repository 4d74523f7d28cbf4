import type { G711 } from '../media/codec/g711.ts';
import { dbov } from '../media/codec/level.ts';
import type { RtpView } from '../media/rtp/packet.ts';
import { dominantFrequencyHz, meanPower, SAMPLE_RATE_HZ, toneShare } from './tone.ts';

const SAMPLES_PER_MS = SAMPLE_RATE_HZ / 1000;
const FIRST_CAPACITY = SAMPLE_RATE_HZ * 4;
/** A stream whose time is further off than this from the clock's is laid down anew. */
const MAX_DRIFT = SAMPLE_RATE_HZ;
/** Packets may be on their way for so long before their absence counts as silence. */
const IN_FLIGHT = 100 * SAMPLES_PER_MS;

/**
 * What a phone hears, laid on a time line of 8 kHz samples: each packet at the place its RTP timestamp says, what never
 * came is silence. Deliberately no jitter buffer: it shows what was sent, not what could be saved. Keeps the last
 * `limitMs`.
 */
export class HeardSound {
  /** RTP packets with voice. */
  packets = 0;
  /** Clock time of the first and of the latest packet; null before it. */
  firstPacketMs: number | null = null;
  lastPacketMs: number | null = null;
  readonly #beganMs: number;
  readonly #now: () => number;
  readonly #limit: number;
  #ring = new Int16Array(FIRST_CAPACITY);
  /** Position after the newest sample. */
  #end = 0;
  #ssrc: number | null = null;
  #timestamp = 0;
  #position = 0;

  constructor(options: { now: () => number; limitMs: number }) {
    this.#now = options.now;
    this.#beganMs = options.now();
    this.#limit = Math.max(FIRST_CAPACITY, options.limitMs * SAMPLES_PER_MS);
  }

  packetReceived(view: RtpView, law: G711): void {
    const nowMs = this.#now();
    this.packets++;
    this.firstPacketMs ??= nowMs;
    this.lastPacketMs = nowMs;
    const position = this.#placeOf(view, this.#positionAt(nowMs));
    this.#reserve(position + view.payloadLength);
    this.#write(position, view, law);
  }

  /**
   * Exactly the last `lastMs` up to now, with silence for what was before the beginning or is no longer kept; without it
   * all that is kept.
   */
  samples(lastMs = Infinity): Int16Array {
    const nowAt = this.#positionAt(this.#now());
    const to = nowAt - this.#end < IN_FLIGHT ? this.#end : nowAt;
    const kept = Math.max(0, to - this.#ring.length);
    const from = lastMs === Infinity ? kept : to - Math.round(lastMs * SAMPLES_PER_MS);
    const result = new Int16Array(to - from);
    const known = Math.min(to, this.#end);
    for (let at = Math.max(from, kept); at < known; at++) result[at - from] = this.#ring[at % this.#ring.length] as number;
    return result;
  }

  /** Share (0–1) of the 100 ms windows of the last `lastMs` in which that tone is clearly there. */
  frequencyShare(frequencyHz: number, lastMs = 1000): number {
    return toneShare(this.samples(lastMs), frequencyHz);
  }

  /** Mean level; -127 for silence. */
  levelDbov(lastMs = 1000): number {
    return dbov(meanPower(this.samples(lastMs)));
  }

  /** What stands out, in Hz; null when nothing does. */
  dominantFrequencyHz(lastMs = 500): number | null {
    return dominantFrequencyHz(this.samples(lastMs));
  }

  #positionAt(nowMs: number): number {
    return Math.max(0, Math.floor((nowMs - this.#beganMs) * SAMPLES_PER_MS));
  }

  /** Where the packet's first sample belongs. Its last one has just been spoken when a stream begins. */
  #placeOf(view: RtpView, nowAt: number): number {
    const position = this.#position + ((view.timestamp - this.#timestamp) | 0);
    const drift = Math.abs(position + view.payloadLength - nowAt);
    if (view.ssrc === this.#ssrc && drift <= MAX_DRIFT && position >= 0) return position;
    this.#ssrc = view.ssrc;
    this.#timestamp = view.timestamp;
    this.#position = Math.max(0, nowAt - view.payloadLength);
    return this.#position;
  }

  #reserve(end: number): void {
    if (end <= this.#ring.length || this.#ring.length >= this.#limit) return;
    const grown = new Int16Array(Math.min(this.#limit, Math.max(this.#ring.length * 2, end)));
    grown.set(this.#ring);
    this.#ring = grown;
  }

  #write(position: number, view: RtpView, law: G711): void {
    const ring = this.#ring;
    for (let at = Math.max(this.#end, position - ring.length); at < position; at++) ring[at % ring.length] = 0;
    for (let i = 0; i < view.payloadLength; i++) {
      ring[(position + i) % ring.length] = law.toPcm[view.buffer[view.payloadOffset + i] as number] as number;
    }
    this.#end = Math.max(this.#end, position + view.payloadLength);
  }
}
