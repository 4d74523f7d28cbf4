import { randomBytes } from 'node:crypto';
import { g711 } from '../codec/g711.ts';
import type { PhoneRemote } from '../protocol.ts';
import type { DtmfPacket } from './dtmf.ts';
import { FRAME_SAMPLES } from './jitter-buffer.ts';
import { RTP_HEADER_BYTES, writeRtpHeader } from './packet.ts';

/** Buffers a socket may still hold while the next packets are made. */
const RING = 8;
/** RTP time of 20 ms of Opus. */
export const OPUS_FRAME_UNITS = 960; // RTP time of Opus counts 48 kHz (RFC 7587 §4.1)
const MAX_PAYLOAD = 60 * 8 + FRAME_SAMPLES;

/**
 * Our side of a phone's RTP stream: cuts 20 ms frames of G.711 and G.722 into packets of the negotiated time (a frame of Opus is one), keeps sequence numbers running
 * over hold and re-INVITE and timestamps running with time. Hands complete packets to `send`; allocates nothing per packet.
 */
export class PhoneSender {
  readonly ssrc = randomBytes(4).readUInt32BE(0);
  packets = 0;
  octets = 0;
  readonly #send: (packet: Buffer) => void;
  readonly #ring = Array.from({ length: RING }, () => Buffer.alloc(RTP_HEADER_BYTES + MAX_PAYLOAD));
  /** The ring's buffers cut to a voice packet's length: cutting on the packet's way would allocate. */
  #voiceRing = this.#ring;
  readonly #header = { payloadType: 0, marker: false, sequenceNumber: 0, timestamp: 0, ssrc: this.ssrc };
  #slot = 0;
  /** Not near the end: a phone that hears nothing of the first packets would not know how often they began anew (RFC 3711 §3.3.1). */
  #sequence = randomBytes(2).readUInt16BE(0) & 0x7fff;
  #timestamp = randomBytes(4).readUInt32BE(0);
  #eventTimestamp = 0;
  #filled = 0;
  #marker = true;
  #silence = g711('PCMU').silence;
  /** A frame is a packet, of any length. */
  #whole = false;
  /** RTP time of 20 ms. */
  #frameUnits = FRAME_SAMPLES;
  /** RTP time of an event's 1/8000 s. */
  #eventScale = 1;
  #payloadType = 0;
  #dtmfPayloadType: number | null = null;
  #packetSamples = FRAME_SAMPLES;

  constructor(send: (packet: Buffer) => void) {
    this.#send = send;
  }

  /** RTP time of the frame that is due next. */
  get timestamp(): number {
    return (this.#timestamp + this.#filled) >>> 0;
  }

  configure(remote: PhoneRemote): void {
    this.#dropPartial();
    this.#silence = g711(remote.codec).silence;
    this.#whole = remote.codec === 'OPUS';
    this.#frameUnits = this.#whole ? OPUS_FRAME_UNITS : FRAME_SAMPLES;
    this.#eventScale = (remote.dtmfClockRateHz ?? 8000) / 8000;
    this.#payloadType = remote.payloadType;
    this.#dtmfPayloadType = remote.dtmfPayloadType;
    this.#packetSamples = Math.min(60, Math.max(10, remote.ptimeMs)) * 8;
    this.#voiceRing = this.#ring.map((buffer) => buffer.subarray(0, RTP_HEADER_BYTES + this.#packetSamples));
  }

  /** A frame of the negotiated codec, or null for silence of G.711. */
  frame(codes: Uint8Array | null): void {
    if (this.#whole) return this.#packet(codes);
    const buffer = this.#ring[this.#slot] as Buffer;
    const at = RTP_HEADER_BYTES + this.#filled;
    if (codes === null) buffer.fill(this.#silence, at, at + FRAME_SAMPLES);
    else buffer.set(codes, at);
    this.#filled += FRAME_SAMPLES;
    if (this.#filled === this.#packetSamples) this.#emit(buffer);
    else while (this.#filled >= this.#packetSamples) this.#split();
  }

  /** RFC 7587 §4.2: one frame is one packet. */
  #packet(frame: Uint8Array | null): void {
    if (frame === null || frame.length > MAX_PAYLOAD) return this.skip();
    const buffer = this.#ring[this.#slot] as Buffer;
    buffer.set(frame, RTP_HEADER_BYTES);
    this.#finish(buffer, { payloadType: this.#payloadType, marker: this.#marker, timestamp: this.#timestamp, length: frame.length });
    this.#timestamp = (this.#timestamp + this.#frameUnits) >>> 0;
    this.#marker = false;
  }

  /** Time passes without a packet (hold). The next one carries the marker. */
  skip(): void {
    this.#dropPartial();
    this.#timestamp = (this.#timestamp + this.#frameUnits) >>> 0;
    this.#marker = true;
  }

  /** One event packet in place of 20 ms of voice (RFC 4733 §2.5.1). */
  event(packet: DtmfPacket): void {
    this.#dropPartial();
    if (packet.first) this.#eventTimestamp = this.#timestamp;
    const buffer = this.#ring[this.#slot] as Buffer;
    buffer[RTP_HEADER_BYTES] = packet.event;
    buffer[RTP_HEADER_BYTES + 1] = (packet.ended ? 0x80 : 0) | 10;
    buffer.writeUInt16BE(packet.duration * this.#eventScale, RTP_HEADER_BYTES + 2);
    this.#finish(buffer, { payloadType: this.#dtmfPayloadType ?? 101, marker: packet.first, timestamp: this.#eventTimestamp, length: 4 });
    this.#timestamp = (this.#timestamp + this.#frameUnits) >>> 0;
    this.#marker = true;
  }

  /**
   * A packet that somebody else framed (a pipe): header written anew, payload as it is. Its time is theirs, carried on in
   * ours by `timestampStep` since the last one.
   */
  relay(payload: Buffer, range: { offset: number; length: number; timestampStep: number }): void {
    this.#dropPartial();
    const length = Math.min(range.length, MAX_PAYLOAD);
    const buffer = this.#ring[this.#slot] as Buffer;
    payload.copy(buffer, RTP_HEADER_BYTES, range.offset, range.offset + length);
    this.#finish(buffer, { payloadType: this.#payloadType, marker: this.#marker, timestamp: this.#timestamp, length });
    this.#timestamp = (this.#timestamp + range.timestampStep) >>> 0;
    this.#marker = false;
  }

  #emit(buffer: Buffer): void {
    this.#finish(buffer, { payloadType: this.#payloadType, marker: this.#marker, timestamp: this.#timestamp, length: this.#packetSamples });
    this.#timestamp = (this.#timestamp + this.#packetSamples) >>> 0;
    this.#marker = false;
    this.#filled = 0;
  }

  /** More in the buffer than a packet takes: the rest opens the next one. */
  #split(): void {
    const buffer = this.#ring[this.#slot] as Buffer;
    const rest = this.#filled - this.#packetSamples;
    const next = this.#ring[(this.#slot + 1) % RING] as Buffer;
    const cut = RTP_HEADER_BYTES + this.#packetSamples;
    buffer.copy(next, RTP_HEADER_BYTES, cut, cut + rest);
    this.#emit(buffer);
    this.#filled = rest;
  }

  #dropPartial(): void {
    this.#timestamp = (this.#timestamp + this.#filled) >>> 0;
    this.#filled = 0;
  }

  #finish(buffer: Buffer, packet: { payloadType: number; marker: boolean; timestamp: number; length: number }): void {
    const header = this.#header;
    header.payloadType = packet.payloadType;
    header.marker = packet.marker;
    header.timestamp = packet.timestamp;
    header.sequenceNumber = this.#sequence;
    writeRtpHeader(buffer, header);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const voice = this.#voiceRing[this.#slot] as Buffer;
    this.#slot = (this.#slot + 1) % RING;
    this.packets++;
    this.octets += packet.length;
    const bytes = RTP_HEADER_BYTES + packet.length;
    this.#send(voice.length === bytes ? voice : buffer.subarray(0, bytes));
  }
}
