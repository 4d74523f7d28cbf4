import type { TrackSid } from '../../base/sid.ts';
import { pcma, pcmu } from '../codec/g711.ts';
import type { TrackSink, TrackSource } from '../forward/track.ts';
import type { MixParty } from '../mix/mix-party.ts';
import type { RtpView } from '../rtp/packet.ts';

/**
 * A phone as the browsers of its room subscribe to it: its voice packets go on as they come, neither buffered nor decoded.
 * Of one that not everybody may hear they get silence, packet for packet, so that nothing looks lost.
 */
export class PhoneTrack implements TrackSource {
  readonly kind = 'audio';
  readonly trackSid: TrackSid;
  readonly #party: MixParty;
  readonly #sinks: TrackSink[] = [];

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

  /** The payload is written over with silence while it is not for everybody: whoever else needs it has taken it before. */
  packetReceived(view: RtpView, codec: string, nowMs: number): void {
    if (this.#sinks.length === 0) return;
    if (!this.#party.isPublic) view.buffer.fill((codec === 'pcma' ? pcma : pcmu).silence, view.payloadOffset, view.payloadOffset + view.payloadLength);
    for (let i = 0; i < this.#sinks.length; i++) (this.#sinks[i] as TrackSink).packetForwarded(view, codec, nowMs);
  }

  /** It left the room. */
  ended(): void {
    for (const sink of this.#sinks.splice(0)) sink.sourceEnded();
  }
}
