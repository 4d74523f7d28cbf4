import type { TrackSid } from '../../base/sid.ts';
import type { TrackSink, TrackSource } from '../forward/track.ts';
import type { RtpView } from '../rtp/packet.ts';

/** A phone as the others of its room subscribe to it: its voice packets go on as they come, neither buffered nor decoded. */
export class PhoneTrack implements TrackSource {
  readonly kind = 'audio';
  readonly trackSid: TrackSid;
  readonly #sinks: TrackSink[] = [];

  constructor(trackSid: TrackSid) {
    this.trackSid = trackSid;
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

  packetReceived(view: RtpView, codec: string, nowMs: number): void {
    for (let i = 0; i < this.#sinks.length; i++) (this.#sinks[i] as TrackSink).packetForwarded(view, codec, nowMs);
  }

  /** It left the room. */
  ended(): void {
    for (const sink of this.#sinks.splice(0)) sink.sourceEnded();
  }
}
