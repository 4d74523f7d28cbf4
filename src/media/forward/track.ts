import type { TrackSid } from '../../base/sid.ts';
import type { RtpView } from '../rtp/packet.ts';
import type { RtpCodec, TrackKind } from '../protocol.ts';
import type { LayerSelector } from './layer-selector.ts';
import type { ReceiveStream } from './receive-stream.ts';
import type { SourceClock } from './source-clock.ts';

/**
 * Inside a media worker, where phones, browsers, mixer and forwarder meet. A source is one published track; each sink is
 * one subscription to it. Phones and browsers feed `PublishedTrack.packetReceived`, the sinks write to their transports.
 */
export interface TrackSink {
  /**
   * One packet of the source, in arrival order (not re-ordered). `codec` is the codec of the payload in lower case, so that
   * the sink can choose its own payload type. `view` is valid during the call only. Never throws.
   */
  packetForwarded(view: RtpView, codec: string, nowMs: number): void;
  /** The source has ended. */
  sourceEnded(): void;
  /** Whether it can do anything with a codec; absent: with any. */
  takes?(codec: string): boolean;
  /** Which layer of several it takes; the source keeps its streams up to date. Without: the highest that comes steadily. */
  readonly layers?: LayerSelector;
}

/** How a sink reaches back to the publisher. */
export interface TrackSource {
  readonly trackSid: TrackSid;
  readonly kind: TrackKind;
  addSink(sink: TrackSink): void;
  removeSink(sink: TrackSink): void;
  /**
   * Asks the publisher for a key frame (PLI), rate-limited; nothing for audio. With a sink: of the layer it takes or waits for,
   * without: of the one that goes to sinks that do not choose.
   */
  requestKeyFrame(sink?: TrackSink): void;
  /** Layers as they come from the publisher, lowest first; absent for a phone. */
  readonly streams?: readonly ReceiveStream[];
  /** Codec of the packet being forwarded, as the publisher described it; absent where the name says all. */
  readonly currentCodec?: RtpCodec | null;
  /** Clock of the stream being forwarded; null before its first report, absent for a source that sends none (a phone). */
  readonly sourceClock?: SourceClock | null;
}

/** What the room (its registry of sources, its mixer) gives to a transport that publishes into it. */
export interface TrackRegistry {
  /** Announces a source; sinks that wait for its SID are attached. */
  addSource(source: TrackSource): void;
  removeSource(source: TrackSource): void;
  /** The source of a SID; null when it is not (or not yet) there. */
  source(trackSid: TrackSid): TrackSource | null;
  /** Attaches as soon as the source is there; the returned function detaches again. */
  subscribe(trackSid: TrackSid, sink: TrackSink): () => void;
  /** Who speaks; absent where nobody listens for that. */
  readonly activeSpeaker?: TrackSid | null;
}
