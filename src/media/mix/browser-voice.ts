import { g711 } from '../codec/g711.ts';
import { dbov, powerOf, SILENCE_DBOV } from '../codec/level.ts';
import { createOpusDecoder, type OpusDecoder } from '../codec/opus.ts';
import type { TrackSink } from '../forward/track.ts';
import { FRAME_SAMPLES, JitterBuffer } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';
import { Concealment } from './concealment.ts';
import type { MixInput } from './room-mixer.ts';
import { TalkDetector } from './talk-detector.ts';

/** A level told by the browser's header extension is believed for this long. */
const LEVEL_FRESH_MS = 200;
const OPUS_UNITS_PER_SAMPLE = 6; // RTP time of Opus counts 48 kHz (RFC 7587 §4.1)
/** More than this in a row is a gap to be forgotten, not a loss to be covered. */
const MAX_CONCEALED_PACKETS = 3;
/** Packets below -70 dBov are not decoded once there were this many of them. */
const QUIET_PACKETS = 25;
const QUIET_LEVEL = 70;

/**
 * A browser's audio track as the room's phones hear it: Opus (or G.711) brought to 8 kHz as it arrives, then the same
 * jitter buffer as a phone's. Nothing is decoded while `needed` is false; the level is followed all the time.
 */
export class BrowserVoice implements MixInput, TrackSink {
  readonly pcm = new Int16Array(FRAME_SAMPLES);
  /** True while a phone in the room listens. */
  needed = false;
  readonly #ended: () => void;
  readonly #buffer = new JitterBuffer();
  readonly #talk = new TalkDetector();
  readonly #concealment = new Concealment();
  readonly #insert = { offset: 0, samples: 0, nowMs: 0 };
  #decoder: OpusDecoder | null = null;
  #decoderAsked = false;
  #closed = false;
  #ssrc = -1;
  #sequence = -1;
  #packetSamples = FRAME_SAMPLES;
  #law: Int16Array = new Int16Array(0);
  #quiet = 0;
  #toldLevel = SILENCE_DBOV;
  #toldMs = -Infinity;
  #heardLevel = SILENCE_DBOV;

  constructor(options: { ended: () => void }) {
    this.#ended = options.ended;
  }

  get levelDbov(): number {
    return this.#heardLevel;
  }

  /** The browser's own word on its level while it is fresh, else what was decoded. */
  levelAt(nowMs: number): number {
    return nowMs - this.#toldMs < LEVEL_FRESH_MS ? this.#toldLevel : this.#heardLevel;
  }

  packetForwarded(view: RtpView, codec: string, nowMs: number): void {
    if (view.audioLevel >= 0) {
      this.#toldLevel = -view.audioLevel;
      this.#toldMs = nowMs;
    }
    if (!this.needed || this.#closed || this.#isQuiet(view) || view.payloadLength === 0) return;
    this.#follow(view);
    this.#insert.nowMs = nowMs;
    if (codec === 'opus') this.#opusReceived(view);
    else if (codec === 'pcmu' || codec === 'pcma') this.#g711Received(view, codec);
  }

  sourceEnded(): void {
    this.close();
    this.#ended();
  }

  close(): void {
    this.#closed = true;
    this.#decoder?.free();
    this.#decoder = null;
  }

  pull(nowMs: number): boolean {
    const pulled = this.#buffer.pull(this.pcm, nowMs);
    const there = pulled === 'voice' || pulled === 'patched';
    if (there) this.#heardLevel = dbov(powerOf(this.pcm));
    else if (pulled === 'idle') this.#heardLevel = SILENCE_DBOV;
    const talking = this.#talk.frame(this.#heardLevel);
    if (!talking) {
      this.#concealment.reset();
      return false;
    }
    if (there) this.#concealment.heard(this.pcm);
    else if (!this.#concealment.conceal(this.pcm)) this.#heardLevel = SILENCE_DBOV;
    return true;
  }

  #isQuiet(view: RtpView): boolean {
    if (view.audioLevel < QUIET_LEVEL) this.#quiet = 0;
    else this.#quiet++;
    return this.#quiet > QUIET_PACKETS;
  }

  #follow(view: RtpView): void {
    if (view.ssrc === this.#ssrc) return;
    this.#ssrc = view.ssrc;
    this.#sequence = -1;
    this.#buffer.reset();
  }

  #opusReceived(view: RtpView): void {
    const decoder = this.#decoder;
    if (!decoder) return this.#askDecoder();
    const step = this.#sequence < 0 ? 1 : (view.sequenceNumber - this.#sequence) & 0xffff;
    if (step === 0 || step >= 0x8000) return; // a twin, or its place has been concealed already
    const packet = view.buffer.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength);
    const at = Math.round(view.timestamp / OPUS_UNITS_PER_SAMPLE);
    if (step > 1 && step <= MAX_CONCEALED_PACKETS + 1) this.#coverLost(decoder, packet, { lost: step - 1, at });
    this.#sequence = view.sequenceNumber;
    const pcm = decoder.decode(packet);
    if (!pcm) return;
    this.#packetSamples = pcm.length;
    this.#write(at, pcm);
  }

  /** The decoder's own stand-ins for lost packets; the last of them from the copy that the next packet may carry. */
  #coverLost(decoder: OpusDecoder, next: Uint8Array, gap: { lost: number; at: number }): void {
    for (let back = gap.lost; back >= 1; back--) {
      const pcm = decoder.decodeLost(this.#packetSamples, back === 1 ? next : null);
      if (pcm) this.#write(gap.at - back * this.#packetSamples, pcm);
    }
  }

  #write(at: number, pcm: Int16Array): void {
    this.#insert.offset = 0;
    this.#insert.samples = pcm.length;
    this.#buffer.insert(at, pcm, this.#insert);
  }

  #g711Received(view: RtpView, codec: 'pcmu' | 'pcma'): void {
    const { toPcm } = g711(codec === 'pcmu' ? 'PCMU' : 'PCMA');
    if (this.#law.length < view.payloadLength) this.#law = new Int16Array(view.payloadLength);
    for (let i = 0; i < view.payloadLength; i++) this.#law[i] = toPcm[view.buffer[view.payloadOffset + i] as number] as number;
    this.#insert.offset = 0;
    this.#insert.samples = view.payloadLength;
    this.#buffer.insert(view.timestamp, this.#law, this.#insert);
  }

  /** Decoders are made asynchronously; packets until then are not heard. */
  #askDecoder(): void {
    if (this.#decoderAsked) return;
    this.#decoderAsked = true;
    void createOpusDecoder().then(
      (decoder) => {
        if (this.#closed) decoder.free();
        else this.#decoder = decoder;
      },
      () => {
        this.#decoderAsked = false;
      },
    );
  }
}
