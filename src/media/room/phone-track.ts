import type { TrackSid } from '../../base/sid.ts';
import { silentPayload } from '../codec/silence.ts';
import type { TrackSink, TrackSource } from '../forward/track.ts';
import type { MixParty } from '../mix/mix-party.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';
import { LawCopy } from './law-copy.ts';

/**
 * A phone as the browsers of its room subscribe to it: its voice packets go on as they come, neither buffered nor decoded.
 * G.722 becomes µ-law for those who did not offer it. Of one that not everybody may hear they get silence, packet for packet, so that nothing looks lost.
 */
export class PhoneTrack implements TrackSource {
  readonly kind = 'audio';
  readonly trackSid: TrackSid;
  readonly #party: MixParty;
  readonly #sinks: TrackSink[] = [];
  /** Of one packet: those who cannot take it as it is. */
  readonly #lawSinks: TrackSink[] = [];
  #law: LawCopy | null = null;

  constructor(party: MixParty) {
    this.trackSid = party.trackSid;
    this.#party = party;
  }

  addSink(sink: TrackSink): void {
    if (!this.#sinks.includes(sink)) this.#sinks.push(sink);
  }

  removeSink(sink: TrackSink): void {
    const index = this.#sinks.indexOf(sink);
    if (index >= 0) this.#sinks.splice(index, 1);
  }

  requestKeyFrame(): void {
    // audio has none
  }

  /** The payload gives way to silence while it is not for everybody. */
  packetReceived(view: RtpView, codec: string, nowMs: number): void {
    if (this.#sinks.length === 0) return;
    if (this.#party.isPublic) this.#forward(view, codec, nowMs);
    else this.#forwardSilence(view, { codec, bytes: view.payloadLength }, nowMs);
  }

  /** Browsers do not know comfort noise of phones: they get a frame of silence in its place. */
  noiseReceived(view: RtpView, codec: string, nowMs: number): void {
    if (this.#sinks.length > 0) this.#forwardSilence(view, { codec, bytes: FRAME_SAMPLES }, nowMs);
  }

  #forwardSilence(view: RtpView, silence: { codec: string; bytes: number }, nowMs: number): void {
    view.buffer = silentPayload(silence.codec);
    view.payloadOffset = 0;
    view.payloadLength = silence.codec === 'opus' ? view.buffer.length : Math.min(silence.bytes, view.buffer.length);
    this.#forward(view, silence.codec, nowMs);
  }

  #forward(view: RtpView, codec: string, nowMs: number): void {
    for (let i = 0; i < this.#sinks.length; i++) {
      const sink = this.#sinks[i] as TrackSink;
      if (codec === 'g722' && sink.takes?.(codec) === false) this.#lawSinks.push(sink);
      else sink.packetForwarded(view, codec, nowMs);
    }
    if (this.#lawSinks.length > 0) this.#forwardLaw(view, nowMs);
  }

  #forwardLaw(view: RtpView, nowMs: number): void {
    this.#law ??= new LawCopy();
    const copy = this.#law.of(view);
    for (let i = 0; i < this.#lawSinks.length; i++) (this.#lawSinks[i] as TrackSink).packetForwarded(copy, 'pcmu', nowMs);
    this.#lawSinks.length = 0;
  }

  /** It left the room. */
  ended(): void {
    for (const sink of this.#sinks.splice(0)) sink.sourceEnded();
  }
}
