import { createCipheriv, createHmac, timingSafeEqual, type Cipher } from 'node:crypto';
import { ReplayWindow } from './replay-window.ts';

/** SRTP and SRTCP (RFC 3711) with the AES counter mode suites of RFC 4568 §6.2. Packets in, packets out; no sockets, no time. */

export type SrtpSuite = 'AES_CM_128_HMAC_SHA1_80' | 'AES_CM_128_HMAC_SHA1_32';

/** What one direction is protected by. */
export interface SrtpKeying {
  suite: SrtpSuite;
  /** Base64 of the 16 bytes of the master key and the 14 of the master salt (RFC 4568 §6.1). A secret: never in a log. */
  key: string;
}

/** Bytes of master key and salt. */
export const SRTP_KEY_BYTES = 30;
const MASTER_KEY_BYTES = 16;
/** Of RTP; SRTCP has 10 with both suites (RFC 4568 §6.2). */
const TAG_BYTES: Record<SrtpSuite, number> = { AES_CM_128_HMAC_SHA1_80: 10, AES_CM_128_HMAC_SHA1_32: 4 };
const RTCP_TAG_BYTES = 10;
const RTCP_HEADER_BYTES = 8;
const INDEX_BYTES = 4;
/** E bit and 31 bits of index, RFC 3711 §3.4. */
const ENCRYPTED = 0x8000_0000;
const MAX_PACKET_BYTES = 2048;
const BLOCK = 16;
/** Buffers a socket may still hold while the next packets are made. */
const RING = 8;
/** Sources of one direction that are told apart; a new one takes the place of the oldest. */
const MAX_SOURCES = 4;

/** Labels of key derivation, RFC 3711 §4.3.2. */
const RTP_LABELS = { cipher: 0, auth: 1, salt: 2 };
const RTCP_LABELS = { cipher: 3, auth: 4, salt: 5 };

/** True for base64 text of master key and salt. */
export function isSrtpKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{40}$/.test(text);
}

/** One direction's cipher and authentication, for RTP or RTCP: session keys and scratch space. */
class Transform {
  readonly #ecb: Cipher;
  readonly #salt: Buffer;
  readonly #authKey: Buffer;
  readonly #counters = Buffer.alloc(MAX_PACKET_BYTES + BLOCK);
  readonly #index = Buffer.alloc(INDEX_BYTES);

  constructor(key: string, labels: typeof RTP_LABELS) {
    const master = Buffer.from(key, 'base64');
    const masterKey = master.subarray(0, MASTER_KEY_BYTES);
    const masterSalt = master.subarray(MASTER_KEY_BYTES, SRTP_KEY_BYTES);
    this.#ecb = ecb(derive({ masterKey, masterSalt }, labels.cipher, 16));
    this.#authKey = derive({ masterKey, masterSalt }, labels.auth, 20);
    this.#salt = derive({ masterKey, masterSalt }, labels.salt, 14);
  }

  /** Encrypts, or decrypts, `packet` from `from` to `to` in place (RFC 3711 §4.1.1): IV = salt·2^16 ⊕ SSRC·2^64 ⊕ index·2^16. */
  crypt(packet: Buffer, range: { from: number; to: number }, { ssrc, high, low }: { ssrc: number; high: number; low: number }): void {
    const { from, to } = range;
    const blocks = Math.ceil((to - from) / BLOCK);
    const counters = this.#counters;
    const salt = this.#salt;
    for (let block = 0; block < blocks; block++) {
      const at = block * BLOCK;
      salt.copy(counters, at);
      counters.writeUInt32BE((counters.readUInt32BE(at + 4) ^ ssrc) >>> 0, at + 4);
      counters.writeUInt32BE((counters.readUInt32BE(at + 8) ^ high) >>> 0, at + 8);
      counters.writeUInt16BE(counters.readUInt16BE(at + 12) ^ low, at + 12);
      counters.writeUInt16BE(block, at + 14);
    }
    const stream = this.#ecb.update(counters.subarray(0, blocks * BLOCK));
    for (let i = from; i < to; i++) packet[i] = (packet[i] as number) ^ (stream[i - from] as number);
  }

  /** HMAC-SHA1 over the first `length` bytes, and over the roll-over counter unless it is null (§4.2). */
  tag(packet: Buffer, length: number, rollOver: number | null): Buffer {
    const hmac = createHmac('sha1', this.#authKey).update(packet.subarray(0, length));
    if (rollOver === null) return hmac.digest();
    this.#index.writeUInt32BE(rollOver, 0);
    return hmac.update(this.#index).digest();
  }
}

function ecb(key: Buffer): Cipher {
  return createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
}

/** Key derivation with a rate of 0 (§4.3.1): the counter keystream of the master key over salt ⊕ label·2^48. */
export function derive(master: { masterKey: Buffer; masterSalt: Buffer }, label: number, length: number): Buffer {
  const iv = Buffer.alloc(BLOCK);
  master.masterSalt.copy(iv);
  iv[7] = (iv[7] as number) ^ label;
  const counters = Buffer.alloc(Math.ceil(length / BLOCK) * BLOCK);
  for (let at = 0; at < counters.length; at += BLOCK) {
    iv.copy(counters, at);
    counters.writeUInt16BE(at / BLOCK, at + 14);
  }
  return ecb(master.masterKey).update(counters).subarray(0, length);
}

/** Protects what we send. What it returns is valid until the eighth call after. */
export class SrtpSender {
  readonly #rtp: Transform;
  readonly #rtcp: Transform;
  readonly #tagBytes: number;
  readonly #ring = Array.from({ length: RING }, () => Buffer.alloc(MAX_PACKET_BYTES));
  readonly #position = { ssrc: 0, high: 0, low: 0 };
  readonly #range = { from: 0, to: 0 };
  #slot = 0;
  #rollOver = 0;
  #lastSequence = -1;
  #rtcpIndex = 0;

  constructor({ suite, key }: SrtpKeying) {
    this.#rtp = new Transform(key, RTP_LABELS);
    this.#rtcp = new Transform(key, RTCP_LABELS);
    this.#tagBytes = TAG_BYTES[suite];
  }

  /** One stream of a single SSRC, in order. */
  protect(packet: Buffer): Buffer {
    const sequence = packet.readUInt16BE(2);
    if (sequence < this.#lastSequence && this.#lastSequence - sequence > 0x8000) this.#rollOver++;
    this.#lastSequence = sequence;
    const out = this.#next(packet);
    this.#place(out.readUInt32BE(8), this.#rollOver, sequence);
    this.#range.from = rtpHeaderBytes(out);
    this.#range.to = packet.length;
    this.#rtp.crypt(out, this.#range, this.#position);
    this.#rtp.tag(out, packet.length, this.#rollOver).copy(out, packet.length, 0, this.#tagBytes);
    return out.subarray(0, packet.length + this.#tagBytes);
  }

  protectRtcp(packet: Buffer): Buffer {
    this.#rtcpIndex = (this.#rtcpIndex + 1) & 0x7fff_ffff;
    const out = this.#next(packet);
    this.#place(out.readUInt32BE(4), this.#rtcpIndex >>> 16, this.#rtcpIndex & 0xffff);
    this.#range.from = RTCP_HEADER_BYTES;
    this.#range.to = packet.length;
    this.#rtcp.crypt(out, this.#range, this.#position);
    out.writeUInt32BE((ENCRYPTED | this.#rtcpIndex) >>> 0, packet.length);
    const end = packet.length + INDEX_BYTES;
    this.#rtcp.tag(out, end, null).copy(out, end, 0, RTCP_TAG_BYTES);
    return out.subarray(0, end + RTCP_TAG_BYTES);
  }

  #next(packet: Buffer): Buffer {
    this.#slot = (this.#slot + 1) % RING;
    const out = this.#ring[this.#slot] as Buffer;
    packet.copy(out, 0, 0, packet.length);
    return out;
  }

  #place(ssrc: number, high: number, low: number): void {
    this.#position.ssrc = ssrc;
    this.#position.high = high;
    this.#position.low = low;
  }
}

/** What is known of one source that sends to us. */
interface Source {
  ssrc: number;
  rollOver: number;
  /** Sequence number; below 0 until RTP of it came (RTCP may come before). */
  highest: number;
  window: ReplayWindow;
  rtcpWindow: ReplayWindow;
}

/** Checks and opens what comes. Nothing of a packet is believed before its tag was (§3.3). */
export class SrtpReceiver {
  readonly #rtp: Transform;
  readonly #rtcp: Transform;
  readonly #tagBytes: number;
  readonly #sources: Source[] = [];
  readonly #position = { ssrc: 0, high: 0, low: 0 };
  readonly #range = { from: 0, to: 0 };

  constructor({ suite, key }: SrtpKeying) {
    this.#rtp = new Transform(key, RTP_LABELS);
    this.#rtcp = new Transform(key, RTCP_LABELS);
    this.#tagBytes = TAG_BYTES[suite];
  }

  /** The packet in clear, in the same memory; null for one that is forged, broken or was here before. */
  unprotect(packet: Buffer): Buffer | null {
    const end = packet.length - this.#tagBytes;
    if (packet.length > MAX_PACKET_BYTES || end < 12 || rtpHeaderBytes(packet) > end) return null;
    const ssrc = packet.readUInt32BE(8);
    const sequence = packet.readUInt16BE(2);
    const known = this.#source(ssrc);
    const rollOver = known === null || known.highest < 0 ? 0 : guessRollOver(known, sequence);
    if (rollOver < 0) return null;
    const index = rollOver * 0x1_0000 + sequence;
    if (known?.window.seen(index) || !sameTag(this.#rtp.tag(packet, end, rollOver), packet, { at: end, length: this.#tagBytes })) return null;
    const source = known ?? this.#newSource(ssrc);
    if (index >= source.rollOver * 0x1_0000 + source.highest) {
      source.rollOver = rollOver;
      source.highest = sequence;
    }
    source.window.add(index);
    this.#range.from = rtpHeaderBytes(packet);
    this.#range.to = end;
    this.#position.ssrc = ssrc;
    this.#position.high = rollOver;
    this.#position.low = sequence;
    this.#rtp.crypt(packet, this.#range, this.#position);
    return packet.subarray(0, end);
  }

  /** As `unprotect`, for RTCP (§3.4). */
  unprotectRtcp(packet: Buffer): Buffer | null {
    const end = packet.length - RTCP_TAG_BYTES;
    const body = end - INDEX_BYTES;
    if (packet.length > MAX_PACKET_BYTES || body < RTCP_HEADER_BYTES) return null;
    const word = packet.readUInt32BE(body);
    const index = word & 0x7fff_ffff;
    const ssrc = packet.readUInt32BE(4);
    const known = this.#source(ssrc);
    if (known?.rtcpWindow.seen(index) || !sameTag(this.#rtcp.tag(packet, end, null), packet, { at: end, length: RTCP_TAG_BYTES })) return null;
    (known ?? this.#newSource(ssrc)).rtcpWindow.add(index);
    if (word >= ENCRYPTED) {
      this.#range.from = RTCP_HEADER_BYTES;
      this.#range.to = body;
      this.#position.ssrc = ssrc;
      this.#position.high = index >>> 16;
      this.#position.low = index & 0xffff;
      this.#rtcp.crypt(packet, this.#range, this.#position);
    }
    return packet.subarray(0, body);
  }

  #source(ssrc: number): Source | null {
    for (const source of this.#sources) if (source.ssrc === ssrc) return source;
    return null;
  }

  #newSource(ssrc: number): Source {
    const source = { ssrc, rollOver: 0, highest: -1, window: new ReplayWindow(), rtcpWindow: new ReplayWindow() };
    if (this.#sources.length === MAX_SOURCES) this.#sources.shift();
    this.#sources.push(source);
    return source;
  }
}

/** RFC 3711 §3.3.1; below 0 for a packet from before the first roll-over. */
function guessRollOver({ rollOver, highest }: Source, sequence: number): number {
  if (highest < 0x8000) return sequence - highest > 0x8000 ? rollOver - 1 : rollOver;
  return highest - 0x8000 > sequence ? rollOver + 1 : rollOver;
}

/** Fixed header, contributing sources and extension: what stays in clear. More than the packet has when it is broken. */
function rtpHeaderBytes(packet: Buffer): number {
  const first = packet[0] as number;
  const length = 12 + (first & 0x0f) * 4;
  if ((first & 0x10) === 0) return length;
  return length + 4 > packet.length ? Infinity : length + 4 + packet.readUInt16BE(length + 2) * 4;
}

function sameTag(tag: Buffer, packet: Buffer, { at, length }: { at: number; length: number }): boolean {
  return timingSafeEqual(tag.subarray(0, length), packet.subarray(at, at + length));
}
