import type { Clock } from '../../base/clock.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { ReceiveTrack, RtpCodec, TrackKind } from '../protocol.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import { extensionDataLength, findExtension } from '../rtp/packet.ts';
import type { RtpView } from '../rtp/packet.ts';
import { beginsKeyFrame } from './key-frame.ts';
import { readFrameSize } from './frame-size.ts';
import { LayerDemand } from './layer-demand.ts';
import { LayerSelector } from './layer-selector.ts';
import { ReceiveStream } from './receive-stream.ts';
import { rtxOriginalSequence, unwrapRtx } from './rtx.ts';
import type { SourceClock } from './source-clock.ts';
import type { TrackSink, TrackSource } from './track.ts';

export const AUDIO_LEVEL_URI = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
export const VIDEO_ORIENTATION_URI = 'urn:3gpp:video-orientation';

/** Between key-frame requests of one track, whatever layers they are for. */
const PLI_SPACING_MS = 300;

/** How a published track talks back to its browser. */
export interface PublisherFeedback {
  /** False when nothing could be sent (yet). */
  sendPli(ssrc: number): boolean;
  sendNack(ssrc: number, sequenceNumbers: number[]): void;
  /** Which layers of a simulcast track somebody wants, when that changes. */
  layersWanted(trackSid: TrackSid, layers: boolean[]): void;
  /** Round-trip time to the browser in ms. */
  readonly rttMs: number;
}

/**
 * One track a browser publishes: packets in, packets out to its sinks; key frames and lost packets asked for.
 * Of several layers each sink gets one.
 */
export class PublishedTrack implements TrackSource {
  readonly trackSid: TrackSid;
  readonly kind: TrackKind;
  currentCodec: RtpCodec | null = null;
  #feedback: PublisherFeedback;
  #clock: Clock;
  #sinks: TrackSink[] = [];
  #streams: ReceiveStream[] = [];
  /** The choice of the sinks that make none. */
  #layers = new LayerSelector();
  #demand = new LayerDemand();
  #codecByPayloadType = new Map<number, RtpCodec>();
  #codecByRtx = new Map<number, RtpCodec>();
  #lastPliMs = -Infinity;
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
    this.#streamsChanged();
  }

  #streamsChanged(): void {
    this.#layers.reset(this.#streams);
    for (const { layers } of this.#sinks) layers?.reset(this.#streams);
    this.#demand.reset(this.#streams.length, this.#clock.nowMs());
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
    this.#streamsChanged();
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
    sink.layers?.reset(this.#streams);
    this.requestKeyFrame(sink);
  }

  removeSink(sink: TrackSink): void {
    this.#sinks = this.#sinks.filter((other) => other !== sink);
  }

  requestKeyFrame(sink?: TrackSink): void {
    if (this.kind !== 'video') return;
    const nowMs = this.#clock.nowMs();
    const layers = sink?.layers ?? this.#layers;
    const stream = layers.awaited(nowMs) ?? layers.current ?? layers.candidate(nowMs);
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
    this.#describe(view, codec);
    if (this.kind === 'audio') {
      for (const sink of this.#sinks) sink.packetForwarded(view, codec.name, nowMs);
      return;
    }
    if (stream.nack?.waiting) this.#sendNacks(stream, nowMs);
    const keyFrame = this.#beginsKeyFrame(view, codec);
    if (keyFrame) this.#keyFrameReceived(stream, view, codec);
    const usual = this.#layers.accept(stream, keyFrame, nowMs);
    for (const sink of this.#sinks) {
      if (sink.layers ? sink.layers.accept(stream, keyFrame, nowMs) : usual) sink.packetForwarded(view, codec.name, nowMs);
    }
  }

  #beginsKeyFrame(view: RtpView, codec: RtpCodec): boolean {
    this.#payload.offset = view.payloadOffset;
    this.#payload.length = view.payloadLength;
    return view.payloadLength > 0 && beginsKeyFrame(codec.name, view.buffer, this.#payload);
  }

  #keyFrameReceived(stream: ReceiveStream, view: RtpView, codec: RtpCodec): void {
    readFrameSize(codec.name, view.buffer.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength), stream.size);
    stream.keyFrames.keyFrameReceived();
    stream.nack?.keyFrameReceived(view.sequenceNumber);
  }

  /** What goes on with a packet to every receiver. */
  #describe(view: RtpView, codec: RtpCodec): void {
    view.audioLevel = this.#byteOf(view, this.#audioLevelId, 0x7f);
    view.videoOrientation = this.#byteOf(view, this.#orientationId, 0xff);
    this.currentCodec = codec;
  }

  #byteOf(view: RtpView, extensionId: number, mask: number): number {
    if (extensionId === 0) return -1;
    const offset = findExtension(view, extensionId);
    return offset < 0 || extensionDataLength.value < 1 ? -1 : (view.buffer[offset] as number) & mask;
  }

  /** Repeats what has not been answered. Every 20–50 ms. */
  tick(nowMs: number): void {
    if (this.kind !== 'video') return;
    for (const stream of this.#streams) {
      stream.tick(nowMs);
      if (stream.nack?.waiting) this.#sendNacks(stream, nowMs);
    }
    if (this.#streams.length > 1) this.#tickLayers(nowMs);
    this.#sendPlis(nowMs);
  }

  /** Asks for the key frames that changes of layer wait for; tells what is wanted. */
  #tickLayers(nowMs: number): void {
    for (const { layers = this.#layers } of this.#sinks) {
      const awaited = layers.limit < 0 ? null : layers.awaited(nowMs);
      if (awaited && !awaited.keyFrames.pending) awaited.keyFrames.request();
      if (layers === this.#layers) this.#demand.allWanted(nowMs);
      else this.#demand.wanted(layers, nowMs);
    }
    const change = this.#demand.change(nowMs);
    if (change) this.#feedback.layersWanted(this.trackSid, change);
  }

  #sendNacks(stream: ReceiveStream, nowMs: number): void {
    const { nack } = stream;
    if (!nack) return;
    const missing = nack.due(nowMs, this.#feedback.rttMs);
    if (missing.length > 0) this.#feedback.sendNack(stream.ssrc, missing);
    if (nack.abandoned === 0) return;
    nack.abandoned = 0;
    if (this.#isForwarded(stream)) stream.keyFrames.request();
  }

  #isForwarded(stream: ReceiveStream): boolean {
    return this.#sinks.some(({ layers = this.#layers }) => layers.current === stream && layers.limit >= 0);
  }

  /**
   * A publisher makes key frames of all layers for a request of one: requests of several are kept apart, and a layer that does not
   * come while others do is not asked at all.
   */
  #sendPlis(nowMs: number): void {
    const someCome = this.#streams.some((stream) => stream.isAlive(nowMs));
    for (const stream of this.#streams) {
      const { keyFrames, ssrc } = stream;
      if (!keyFrames.pending) continue;
      if (someCome && !stream.isAlive(nowMs)) keyFrames.cancel();
      else if (keyFrames.due(nowMs) && nowMs - this.#lastPliMs >= PLI_SPACING_MS && this.#feedback.sendPli(ssrc)) {
        keyFrames.sent(nowMs);
        this.#lastPliMs = nowMs;
      }
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
