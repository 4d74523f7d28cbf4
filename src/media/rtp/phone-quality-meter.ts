import type { PhoneCodec, PhoneQuality } from '../protocol.ts';
import { scoreOf } from './e-model.ts';
import { RemoteQuality } from './quality.ts';

/** Jitter buffer of a phone that none of ours has buffered yet. */
const ASSUMED_BUFFER_MS = 40;

/** What a phone's stream was like, for the score. */
export interface StreamCounts {
  codec: PhoneCodec;
  received: number;
  lost: number;
  /** Of the received ones, too late to be played. */
  late: number;
  /** RTP clock. */
  clockRateHz: number;
  ptimeMs: number;
}

/** Judges one phone over its call: what it sends by ITU-T G.107, what it gets by its own reports. Pure. */
export class PhoneQualityMeter {
  readonly remote = new RemoteQuality();
  #buffers = 0;
  #bufferSumMs = 0;

  /** How much of its voice waits to be played right now. */
  bufferSeen(delayMs: number): void {
    this.#buffers++;
    this.#bufferSumMs += delayMs;
  }

  judge(counts: StreamCounts): PhoneQuality {
    const { codec, received, lost, late, clockRateHz } = counts;
    const { roundTripMs, lost: remoteLost, jitter } = this.remote;
    const lossRatio = (lost + Math.min(received, late)) / Math.max(1, received + lost);
    const { scale, rating, mos } = scoreOf({ codec, lossRatio, delayMs: this.#delayMs(counts) });
    const remoteJitterMs = jitter === null ? null : (jitter * 1000) / clockRateHz;
    return { codec, scale, rating: received === 0 ? null : rating, mos: received === 0 ? null : mos, roundTripMs, remoteLost, remoteJitterMs };
  }

  /** Half the round trip, a packet, and the buffer. */
  #delayMs({ ptimeMs }: StreamCounts): number {
    const bufferMs = this.#buffers === 0 ? ASSUMED_BUFFER_MS : this.#bufferSumMs / this.#buffers;
    return (this.remote.roundTripMs ?? 0) / 2 + ptimeMs + bufferMs;
  }
}
