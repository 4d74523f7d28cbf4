import type { Clock } from '../../base/clock.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { ReceiveTrack, RtpCodec, TrackKind } from '../protocol.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import { extensionDataLength, findExtension } from '../rtp/packet.ts';
import type { RtpView } from '../rtp/packet.ts';
import { beginsKeyFrame } from './key-frame.ts';
import { LayerSelector } from './layer-selector.ts';
import { ReceiveStream } from './receive-stream.ts';
import { rtxOriginalSequence, unwrapRtx } from './rtx.ts';
import type { SourceClock, TrackSink, TrackSource } from './track.ts';

export const AUDIO_LEVEL_URI = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
export const VIDEO_ORIENTATION_URI = 'urn:3gpp:video-orientation';

/** How a published track talks back to its browser. */
export interface PublisherFeedback {
  /** False when nothing could be sent (yet). */
  sendPli(ssrc: number): boolean;
  sendNack(ssrc: number, sequenceNumbers: number[]): void;
  /** Round-trip time to the browser in ms. */
  readonly rttMs: number;
}

/**
 * One track a browser publishes: packets in, packets out to its sinks; key frames and lost packets asked for.
 * Of several layers one is forwarded.
 */
export class PublishedTrack implements TrackSource {
  readonly trackSid: TrackSid;
  readonly kind: TrackKind;
  currentCodec: RtpCodec | null = null;
  #feedback: PublisherFeedback;
  #clock: Clock;
  #sinks: TrackSink[] = [];
  #streams: ReceiveStream[] = [];
  #layers = new LayerSelector();
  #codecByPayloadType = new Map<number, RtpCodec>();
  #codecByRtx = new Map<number, RtpCodec>();
  #audioLevelId = 0;
  #orientationId = 0;
  #payload = { offset: 0, length: 0 };
  #at = { nowMs: 0, clockRateHz: 0, repeated: false };

  constructor(track: ReceiveTrack, options: { feedback: PublisherFeedback; clock: Clock }) {
    this.trackSid = track.trackSid;
    this.kind = track.kind;
    this.#feedback = options.feedback;
    this.#clock = options.clock;
    this.update(track);
  }

  /** What a later offer says of the same track. Streams that stay keep their state. */
  update(track: ReceiveTrack): void {
    this.#codecByPayloadType.clear();
    this.#codecByRtx.clear();
    for (const codec of track.codecs) {
      this.#codecByPayloadType.set(codec.payloadType, codec);
      if (codec.rtxPayloadType !== undefined) this.#codecByRtx.set(codec.rtxPayloadType, codec);
    }
    this.#audioLevelId = track.extensions[AUDIO_LEVEL_URI] ?? 0;
    this.#orientationId = track.extensions[VIDEO_ORIENTATION_URI] ?? 0;
    if (track.encodings.length > 0) {
      const known = new Map(this.#streams.map((stream) => [stream.ssrc, stream]));
      this.#streams = track.encodings.map(({ ssrc }) => known.get(ssrc) ?? this.#newStream(ssrc));
    }
    this.#layers.reset(this.#streams);
  }

  #newStream(ssrc: number): ReceiveStream {
    return new ReceiveStream(ssrc, { nack: this.kind === 'video' });
  }

  /** The stream of an SSRC that the MID extension told us of. The newest one replaces what was learned before. */
  learnStream(ssrc: number): ReceiveStream {
    const known = this.#streams.find((stream) => stream.ssrc === ssrc);
    if (known) return known;
    const stream = this.#newStream(ssrc);
    this.#streams = [stream];
    this.#layers.reset(this.#streams);
    return stream;
  }

  get streams(): readonly ReceiveStream[] {
    return this.#streams;
  }

  isRtxPayloadType(payloadType: number): boolean {
    return this.#codecByRtx.has(payloadType);
  }

  get sourceClock(): SourceClock | null {
    return this.#layers.current?.clock ?? null;
  }

  addSink(sink: TrackSink): void {
    // Never changed in place: a sink may leave while packets are being handed out.
    this.#sinks = [...this.#sinks, sink];
    this.requestKeyFrame();
  }

  removeSink(sink: TrackSink): void {
    this.#sinks = this.#sinks.filter((other) => other !== sink);
  }

  requestKeyFrame(): void {
    if (this.kind !== 'video') return;
    const nowMs = this.#clock.nowMs();
    const stream = this.#layers.current ?? this.#layers.candidate(nowMs);
    // Before the first packet any layer may be the one.
    for (const each of stream ? [stream] : this.#streams) each.keyFrames.request();
    this.#sendPlis(nowMs);
  }

  /** One packet of `stream` in arrival order. */
  packetReceived(view: RtpView, stream: ReceiveStream, nowMs: number): void {
    const codec = this.#codecByPayloadType.get(view.payloadType);
    if (codec) this.#accept(view, stream, { codec, nowMs, repeated: false });
  }

  /** One packet of the retransmission stream that belongs to `stream`. */
  retransmissionReceived(view: RtpView, stream: ReceiveStream, nowMs: number): void {
    const codec = this.#codecByRtx.get(view.payloadType);
    if (!codec || rtxOriginalSequence(view) < 0) return;
    if (unwrapRtx(view, { ssrc: stream.ssrc, payloadType: codec.payloadType })) this.#accept(view, stream, { codec, nowMs, repeated: true });
  }

  #accept(view: RtpView, stream: ReceiveStream, packet: { codec: RtpCodec; nowMs: number; repeated: boolean }): void {
    const { codec, nowMs } = packet;
    this.#at.nowMs = nowMs;
    this.#at.clockRateHz = codec.clockRateHz;
    this.#at.repeated = packet.repeated;
    if (!stream.packetReceived(view, this.#at)) return;
    if (this.kind === 'video') {
      if (stream.nack?.waiting) this.#sendNacks(stream, nowMs);
      const keyFrame = this.#beginsKeyFrame(view, codec);
      if (keyFrame) this.#keyFrameReceived(stream, view);
      if (!this.#layers.accept(stream, keyFrame, nowMs)) return;
    }
    this.#forward(view, codec, nowMs);
  }

  #beginsKeyFrame(view: RtpView, codec: RtpCodec): boolean {
    this.#payload.offset = view.payloadOffset;
    this.#payload.length = view.payloadLength;
    return view.payloadLength > 0 && beginsKeyFrame(codec.name, view.buffer, this.#payload);
  }

  #keyFrameReceived(stream: ReceiveStream, view: RtpView): void {
    stream.keyFrames.keyFrameReceived();
    stream.nack?.keyFrameReceived(view.sequenceNumber);
  }

  #forward(view: RtpView, codec: RtpCodec, nowMs: number): void {
    view.audioLevel = this.#byteOf(view, this.#audioLevelId, 0x7f);
    view.videoOrientation = this.#byteOf(view, this.#orientationId, 0xff);
    this.currentCodec = codec;
    for (const sink of this.#sinks) sink.packetForwarded(view, codec.name, nowMs);
  }

  #byteOf(view: RtpView, extensionId: number, mask: number): number {
    if (extensionId === 0) return -1;
    const offset = findExtension(view, extensionId);
    return offset < 0 || extensionDataLength.value < 1 ? -1 : (view.buffer[offset] as number) & mask;
  }

  /** Repeats what has not been answered. Every 20–50 ms. */
  tick(nowMs: number): void {
    if (this.kind !== 'video') return;
    this.#layers.tick(nowMs);
    for (const stream of this.#streams) if (stream.nack?.waiting) this.#sendNacks(stream, nowMs);
    this.#sendPlis(nowMs);
  }

  #sendNacks(stream: ReceiveStream, nowMs: number): void {
    const { nack } = stream;
    if (!nack) return;
    const missing = nack.due(nowMs, this.#feedback.rttMs);
    if (missing.length > 0) this.#feedback.sendNack(stream.ssrc, missing);
    if (nack.abandoned === 0) return;
    nack.abandoned = 0;
    if (stream === this.#layers.current) stream.keyFrames.request();
  }

  #sendPlis(nowMs: number): void {
    for (const { keyFrames, ssrc } of this.#streams) {
      if (keyFrames.due(nowMs) && this.#feedback.sendPli(ssrc)) keyFrames.sent(nowMs);
    }
  }

  /** Adds up what its streams say; null before the first packet. */
  quality(nowMs: number): { bps: number; jitterMs: number; fractionLost: number } | null {
    const flowing = this.#streams.filter((stream) => stream.jitterMs !== null);
    if (flowing.length === 0) return null;
    return {
      bps: flowing.reduce((sum, stream) => sum + stream.rate.bps(nowMs), 0),
      jitterMs: Math.max(...flowing.map((stream) => stream.jitterMs ?? 0)),
      fractionLost: Math.max(...flowing.map((stream) => stream.fractionLost)),
    };
  }

  /** Blocks for the next receiver report. */
  reportBlocks(nowMs: number, out: ReportBlock[]): void {
    for (const stream of this.#streams) {
      const block = stream.reportBlock(nowMs);
      if (block) out.push(block);
    }
  }

  /** The browser does not publish it any more. */
  end(): void {
    const sinks = this.#sinks;
    this.#sinks = [];
    for (const sink of sinks) sink.sourceEnded();
  }
}
