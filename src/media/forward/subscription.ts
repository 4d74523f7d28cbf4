import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { RtpCodec, SendTrack, TrackKind } from '../protocol.ts';
import { RTP_HEADER_BYTES, writeRtpHeader } from '../rtp/packet.ts';
import type { RtpView } from '../rtp/packet.ts';
import type { ReportBlock } from '../rtp/rtcp.ts';
import { writeSenderReport } from '../rtp/rtcp-feedback.ts';
import { matchCodec } from './codec-match.ts';
import { beginsKeyFrame } from './key-frame.ts';
import { LayerSelector } from './layer-selector.ts';
import { PacketCache } from './packet-cache.ts';
import type { PacketScratch } from './packet-scratch.ts';
import { PictureIds } from './picture-ids.ts';
import { AUDIO_LEVEL_URI, VIDEO_ORIENTATION_URI } from './published-track.ts';
import { RateMeter } from './rate-meter.ts';
import type { ReceiveStream } from './receive-stream.ts';
import { wrapRtx } from './rtx.ts';
import { ReportClock } from './report-clock.ts';
import { StreamRewriter } from './stream-rewriter.ts';
import type { SourceClock } from './source-clock.ts';
import type { TrackRegistry, TrackSink, TrackSource } from './track.ts';

export const TRANSPORT_CC_URI = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';
/** Behind RTP header, extension head and the element's own head. */
const STAMP_AT = RTP_HEADER_BYTES + 5;
const PADDING_BYTES = 255;

/** Where a subscription's packets go: one browser's transport. */
export interface SubscriberOutput {
  /** ICE and DTLS are up. */
  readonly open: boolean;
  readonly scratch: PacketScratch;
  /**
   * Sends an RTP packet; it is copied before the call returns. At `stampAt`, when it is not 0, two bytes are overwritten with the
   * transport-wide sequence number.
   */
  sendRtp(packet: Buffer, stampAt: number): void;
}

/**
 * One track on its way to one browser: under an SSRC, payload type and header extensions of that browser's own, with
 * retransmission, key-frame requests upstream and sender reports.
 */
export class Subscription implements TrackSink {
  #track: SendTrack;
  #registry: TrackRegistry;
  #output: SubscriberOutput;
  #clock: Clock;
  #detach: () => void = () => {};
  /** Which layer it takes, and is to take. */
  readonly layers = new LayerSelector();
  #rewriter = new StreamRewriter();
  #pictures = new PictureIds();
  #range = { at: 0, end: 0, rebased: false };
  /** The layer that was forwarded last. */
  #layer: ReceiveStream | null = null;
  #reports = new ReportClock();
  #cache: PacketCache | null;
  #source: TrackSource | null = null;
  #waitsForKeyFrame: boolean;
  #codecName = '';
  #sourceCodec: RtpCodec | null = null;
  #codec: RtpCodec | null = null;
  #transportId = 0;
  #audioLevelId = 0;
  #orientationId = 0;
  #rtxSequence = randomInt(0x8000);
  #packetsSent = 0;
  #paused = false;
  /** What is sent, retransmissions left out. */
  readonly rate = new RateMeter();
  /** As the browser last reported; null before. */
  jitterMs: number | null = null;
  /** 0–1, over its last report interval; null before the first. */
  fractionLost: number | null = null;
  #octetsSent = 0;
  #header = { payloadType: 0, marker: false, sequenceNumber: 0, timestamp: 0, ssrc: 0 };
  #payload = { offset: 0, length: 0 };

  constructor(track: SendTrack, options: { registry: TrackRegistry; output: SubscriberOutput; clock: Clock }) {
    this.#track = track;
    this.#registry = options.registry;
    this.#output = options.output;
    this.#clock = options.clock;
    this.#cache = track.kind === 'video' ? new PacketCache() : null;
    this.#waitsForKeyFrame = track.kind === 'video';
    this.#describe(track);
    this.#attach();
  }

  get ssrc(): number {
    return this.#track.ssrc;
  }

  get trackSid(): TrackSid {
    return this.#track.trackSid;
  }

  get kind(): TrackKind {
    return this.#track.kind;
  }

  /** What it may get and could use; off, the browser gets nothing of it, and it goes on with a key frame. */
  setLimit(grant: { limit: number; desired: number }): void {
    this.layers.limit = grant.limit;
    this.layers.desired = grant.desired;
    const paused = grant.limit < 0;
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#startOver();
    this.keyFrameRequested();
  }

  get rtxSsrc(): number | undefined {
    return this.#track.rtxSsrc;
  }

  /** A later SDP: other numbers, or another source under the same SSRC, which goes on without a gap. */
  update(track: SendTrack): void {
    const moved = track.trackSid !== this.#track.trackSid;
    this.#track = track;
    this.#describe(track);
    if (!moved) return;
    this.#detach();
    this.#source = null;
    this.#layer = null;
    this.layers.current = null;
    this.#startOver();
    this.#attach();
  }

  #attach(): void {
    this.#detach = this.#registry.subscribe(this.#track.trackSid, this);
    this.keyFrameRequested();
  }

  /** Looked up again after the source has ended: a publisher may come back under its SID. */
  #currentSource(): TrackSource | null {
    this.#source ??= this.#registry.source(this.#track.trackSid);
    return this.#source;
  }

  #describe(track: SendTrack): void {
    this.#codecName = '';
    this.#header.ssrc = track.ssrc;
    // One-byte form only (RFC 8285 §4.2).
    this.#transportId = oneByteId(track.extensions[TRANSPORT_CC_URI]);
    this.#audioLevelId = oneByteId(track.extensions[AUDIO_LEVEL_URI]);
    this.#orientationId = oneByteId(track.extensions[VIDEO_ORIENTATION_URI]);
  }

  /** The browser can hear us now; what went before is lost to it. */
  transportConnected(): void {
    this.#startOver();
    this.keyFrameRequested();
  }

  #startOver(): void {
    this.#rewriter.interrupt();
    this.#waitsForKeyFrame = this.#track.kind === 'video';
  }

  packetForwarded(view: RtpView, codec: string, nowMs: number): void {
    if (!this.#output.open || this.#paused) return;
    const target = this.#targetCodec(codec);
    if (!target) return this.#rewriter.interrupt();
    if (this.#waitsForKeyFrame && !this.#keyFrameBegins(view, codec)) return;
    this.#waitsForKeyFrame = false;
    if (this.layers.current !== this.#layer) this.#layerChanged(target.clockRateHz);
    if (!this.#rewriter.rewrite(view, target.clockRateHz, nowMs)) return;
    const packet = this.#write(view, target.payloadType, codec);
    if (!packet) return;
    this.#cache?.store(this.#rewriter.sequenceNumber, packet);
    this.#packetsSent++;
    this.rate.add(packet.length, nowMs);
    this.#octetsSent += view.payloadLength;
    this.#output.sendRtp(packet, this.#stampAt);
  }

  takes(codec: string): boolean {
    return this.#track.codecs.some((known) => known.name === codec);
  }

  get #stampAt(): number {
    return this.#transportId > 0 ? STAMP_AT : 0;
  }

  /** Transport-wide congestion control is negotiated. */
  get stamped(): boolean {
    return this.#transportId > 0;
  }

  /** Both layers' reports tell how their time lines lie to each other. */
  #layerChanged(clockRateHz: number): void {
    const before = this.#layer?.clock;
    const after = this.layers.current?.clock;
    this.#layer = this.layers.current;
    if (!before || !after) return;
    const apartS = ((after.ntpSeconds - before.ntpSeconds) | 0) + (after.ntpFraction - before.ntpFraction) / 0x1_0000_0000;
    this.#rewriter.align((after.rtpTimestamp - before.rtpTimestamp - Math.round(apartS * clockRateHz)) | 0);
  }

  #keyFrameBegins(view: RtpView, codec: string): boolean {
    this.#payload.offset = view.payloadOffset;
    this.#payload.length = view.payloadLength;
    return beginsKeyFrame(codec, view.buffer, this.#payload);
  }

  /** Looked up when name or description change, not per packet. */
  #targetCodec(name: string): RtpCodec | null {
    const described = this.#currentSource()?.currentCodec ?? null;
    if (name !== this.#codecName || described !== this.#sourceCodec) {
      this.#codecName = name;
      this.#sourceCodec = described;
      this.#codec = matchCodec(this.#track.codecs, name, described);
    }
    return this.#codec;
  }

  /** Null when the packet is too long. */
  #write(view: RtpView, payloadType: number, codec: string): Buffer | null {
    const { scratch } = this.#output;
    const header = this.#header;
    header.payloadType = payloadType;
    header.marker = view.marker;
    header.sequenceNumber = this.#rewriter.sequenceNumber;
    header.timestamp = this.#rewriter.timestamp;
    writeRtpHeader(scratch.buffer, header);
    const start = this.#writeExtensions(view, scratch.buffer);
    const end = start + view.payloadLength;
    if (end + 2 > scratch.buffer.length) return null;
    view.buffer.copy(scratch.buffer, start, view.payloadOffset, view.payloadOffset + view.payloadLength);
    this.#range.at = start;
    this.#range.end = end;
    this.#range.rebased = this.#rewriter.rebased;
    this.#pictures.rewrite(codec, scratch.buffer, this.#range);
    return scratch.view(end);
  }

  /** Transport-wide number (filled in later), and the one of audio level or orientation; returns where the payload begins. */
  #writeExtensions(view: RtpView, buffer: Buffer): number {
    const value = this.#audioLevelId > 0 ? view.audioLevel : this.#orientationId > 0 ? view.videoOrientation : -1;
    if (value < 0 && this.#transportId === 0) return RTP_HEADER_BYTES;
    const words = value >= 0 && this.#transportId > 0 ? 2 : 1;
    buffer[0] = 0x90;
    buffer.writeUInt32BE(0xbede0000 + words, RTP_HEADER_BYTES);
    let o = RTP_HEADER_BYTES + 4;
    const end = o + words * 4;
    if (this.#transportId > 0) {
      buffer[o] = (this.#transportId << 4) | 1;
      o += 3;
    }
    if (value >= 0) {
      buffer[o] = (this.#audioLevelId > 0 ? this.#audioLevelId : this.#orientationId) << 4;
      buffer[o + 1] = value;
      o += 2;
    }
    buffer.fill(0, o, end);
    return end;
  }

  /** The browser misses packets (RFC 4585 §6.2.1): sent again as RTX where it understands that, else as they were. */
  nackReceived(sequenceNumbers: readonly number[], nowMs: number): void {
    if (!this.#cache || !this.#output.open) return;
    for (const sequenceNumber of sequenceNumbers) {
      const packet = this.#cache.take(sequenceNumber, nowMs);
      if (packet) this.#resend(packet);
    }
  }

  /**
   * Sends one of the latest packets again as RTX to fill a probe, or bare padding where nothing was sent yet or a small packet is
   * asked for; returns its length, 0 where there is no RTX.
   */
  sendPadding(small: boolean): number {
    if (this.#track.rtxSsrc === undefined || !this.stamped || !this.#output.open) return 0;
    const packet = small ? null : this.#cache?.padding();
    return packet && this.#rtxPayloadType(packet) !== undefined ? this.#resend(packet) : this.#sendBarePadding(this.#track.rtxSsrc);
  }

  /** RFC 3550 §5.1: a packet that is padding only, 255 bytes of it. */
  #sendBarePadding(ssrc: number): number {
    const payloadType = this.#track.codecs.find((codec) => codec.rtxPayloadType !== undefined)?.rtxPayloadType;
    if (payloadType === undefined) return 0;
    this.#rtxSequence = (this.#rtxSequence + 1) & 0xffff;
    const { buffer } = this.#output.scratch;
    writeRtpHeader(buffer, { payloadType, marker: false, sequenceNumber: this.#rtxSequence, timestamp: this.#rewriter.timestamp, ssrc });
    buffer[0] = 0xb0;
    buffer.writeUInt32BE(0xbede0001, RTP_HEADER_BYTES);
    buffer.writeUInt32BE(((this.#transportId << 4) | 1) << 24 >>> 0, RTP_HEADER_BYTES + 4);
    const start = RTP_HEADER_BYTES + 8;
    buffer.fill(0, start, start + PADDING_BYTES - 1);
    buffer[start + PADDING_BYTES - 1] = PADDING_BYTES;
    this.#output.sendRtp(this.#output.scratch.view(start + PADDING_BYTES), STAMP_AT);
    return start + PADDING_BYTES;
  }

  #rtxPayloadType(packet: Buffer): number | undefined {
    const payloadType = (packet[1] as number) & 0x7f;
    return this.#track.codecs.find((codec) => codec.payloadType === payloadType)?.rtxPayloadType;
  }

  /** Returns the length of what was sent. */
  #resend(packet: Buffer): number {
    const { rtxSsrc } = this.#track;
    const rtxPayloadType = this.#rtxPayloadType(packet);
    if (rtxSsrc === undefined || rtxPayloadType === undefined) {
      this.#output.sendRtp(packet, this.#stampAt);
      return packet.length;
    }
    this.#rtxSequence = (this.#rtxSequence + 1) & 0xffff;
    const { scratch } = this.#output;
    const length = wrapRtx(scratch.buffer, packet, { ssrc: rtxSsrc, payloadType: rtxPayloadType, sequenceNumber: this.#rtxSequence });
    if (length > 0) this.#output.sendRtp(scratch.view(length), this.#stampAt);
    return length;
  }

  /** The browser asks for a key frame (PLI or FIR). */
  keyFrameRequested(): void {
    if (!this.#paused) this.#currentSource()?.requestKeyFrame(this);
  }

  /** The next sender report; null when none is due. Every second once packets flow, and with the first of them. */
  takeSenderReport(nowMs: number): Buffer | null {
    if (this.#packetsSent === 0 || !this.#reports.due(nowMs)) return null;
    const info = this.#reports.senderInfo({
      ssrc: this.#track.ssrc,
      source: this.#clockOfSource(),
      rewriter: this.#rewriter,
      nowMs,
      wallMs: this.#clock.wallMs(),
    });
    return info && writeSenderReport(info, { packets: this.#packetsSent, octets: this.#octetsSent });
  }

  #clockOfSource(): SourceClock | null | undefined {
    const clock = this.#source?.sourceClock;
    return clock === undefined ? undefined : (this.#layer?.clock ?? clock);
  }

  /** The layers of its source, lowest first; empty while there is no source. */
  get streams(): readonly ReceiveStream[] {
    return this.#currentSource()?.streams ?? [];
  }

  get cname(): string {
    return this.#track.cname;
  }

  /** Round-trip time the block tells of, null when it answers none of our latest reports. */
  reportReceived(block: ReportBlock, nowMs: number): number | null {
    if (block.ssrc === this.#track.ssrc && this.#rewriter.clockRateHz > 0) {
      this.jitterMs = (block.jitter * 1000) / this.#rewriter.clockRateHz;
      this.fractionLost = block.fractionLost / 256;
    }
    return this.#reports.roundTripMs(block, nowMs);
  }

  sourceEnded(): void {
    this.#source = null;
    this.#layer = null;
    this.#startOver();
  }

  /** The browser is not subscribed any more, or has gone. */
  close(): void {
    this.#detach();
    this.#detach = () => {};
    this.#source = null;
  }
}

function oneByteId(id: number | undefined): number {
  return id !== undefined && id >= 1 && id <= 14 ? id : 0;
}
