import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** STUN Binding of ICE checks (RFC 8489, RFC 8445 §7): read, checked and written. Pure. */

const MAGIC_COOKIE = 0x2112_a442;
const HEADER_BYTES = 20;
const TRANSACTION_BYTES = 12;
const INTEGRITY_BYTES = 20;
const FINGERPRINT_XOR = 0x5354_554e;
const MAX_PACKET_BYTES = 1280;
const MAX_USERNAME_BYTES = 513;

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const XOR_MAPPED_ADDRESS = 0x0020;
const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const FINGERPRINT = 0x8028;
const ICE_CONTROLLING = 0x802a;

/** RFC 7983: what shares a port with RTP and DTLS is told by its first byte, and STUN by its cookie too. */
export function isStun(packet: Buffer): boolean {
  return packet.length >= HEADER_BYTES && (packet[0] as number) < 4 && packet.readUInt32BE(4) === MAGIC_COOKIE;
}

/** What a check says that its sender's password vouches for. */
export interface BindingRequest {
  transactionId: Buffer;
  /** Receiver's ufrag, colon, sender's ufrag. */
  username: string;
  priority: number;
  /** The sender, who is controlling, chooses this pair. */
  useCandidate: boolean;
}

/** A Binding request of somebody who knows `password`; null for anything else. */
export function readBindingRequest(packet: Buffer, password: string): BindingRequest | null {
  if (!isStun(packet) || packet.length > MAX_PACKET_BYTES || packet.readUInt16BE(0) !== BINDING_REQUEST) return null;
  if (packet.readUInt16BE(2) !== packet.length - HEADER_BYTES) return null;
  const request: BindingRequest = { transactionId: packet.subarray(8, HEADER_BYTES), username: '', priority: 0, useCandidate: false };
  for (let at = HEADER_BYTES; at + 4 <= packet.length; ) {
    const type = packet.readUInt16BE(at);
    const length = packet.readUInt16BE(at + 2);
    const value = at + 4;
    if (value + length > packet.length) return null;
    // What comes after it is vouched for by nobody (RFC 8489 §14.5).
    if (type === MESSAGE_INTEGRITY) return length === INTEGRITY_BYTES && isIntact(packet, at, password) ? request : null;
    if (type === USERNAME && length <= MAX_USERNAME_BYTES) request.username = packet.toString('utf8', value, value + length);
    else if (type === PRIORITY && length === 4) request.priority = packet.readUInt32BE(value);
    else if (type === USE_CANDIDATE) request.useCandidate = true;
    at = value + length + ((4 - (length % 4)) % 4);
  }
  return null;
}

/** RFC 8489 §14.5: the length is counted as if the packet ended with the attribute at `at`. */
function isIntact(packet: Buffer, at: number, password: string): boolean {
  const covered = Buffer.from(packet.subarray(0, at));
  covered.writeUInt16BE(at + 4 + INTEGRITY_BYTES - HEADER_BYTES, 2);
  const expected = createHmac('sha1', password).update(covered).digest();
  return timingSafeEqual(expected, packet.subarray(at + 4, at + 4 + INTEGRITY_BYTES));
}

/** The answer to a check that came from there. */
export function writeBindingSuccess(transactionId: Buffer, from: { address: string; port: number }, password: string): Buffer {
  return sealed(BINDING_SUCCESS, { transactionId, password, attributes: [attribute(XOR_MAPPED_ADDRESS, xoredAddress(transactionId, from))] });
}

/** A check of a controlling agent that chooses the pair at once. */
export function writeNomination(transactionId: Buffer, username: string, password: string): Buffer {
  const priority = Buffer.alloc(4);
  priority.writeUInt32BE(0x7eff_ffff);
  const attributes = [attribute(USERNAME, Buffer.from(username)), attribute(PRIORITY, priority), attribute(ICE_CONTROLLING, Buffer.alloc(8, 0xff)), attribute(USE_CANDIDATE, Buffer.alloc(0))];
  return sealed(BINDING_REQUEST, { transactionId, password, attributes });
}

export function isBindingSuccess(packet: Buffer): boolean {
  return isStun(packet) && packet.readUInt16BE(0) === BINDING_SUCCESS;
}

function sealed(type: number, { transactionId, password, attributes }: { transactionId: Buffer; password: string; attributes: Buffer[] }): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(type, 0);
  header.writeUInt32BE(MAGIC_COOKIE, 4);
  transactionId.copy(header, 8, 0, TRANSACTION_BYTES);
  const body = Buffer.concat([header, ...attributes]);
  body.writeUInt16BE(body.length + 4 + INTEGRITY_BYTES - HEADER_BYTES, 2);
  const whole = Buffer.concat([body, attribute(MESSAGE_INTEGRITY, createHmac('sha1', password).update(body).digest())]);
  whole.writeUInt16BE(whole.length + 8 - HEADER_BYTES, 2);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(whole) ^ FINGERPRINT_XOR) >>> 0);
  return Buffer.concat([whole, attribute(FINGERPRINT, fingerprint)]);
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

/** RFC 8489 §14.2. */
function xoredAddress(transactionId: Buffer, { address, port }: { address: string; port: number }): Buffer {
  const ip = !address.includes(':') ? Buffer.from(address.split('.').map(Number)) : bytesOfIPv6(address);
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(MAGIC_COOKIE);
  transactionId.copy(mask, 4, 0, TRANSACTION_BYTES);
  const value = Buffer.alloc(4 + ip.length);
  value[1] = ip.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 2);
  for (let i = 0; i < ip.length; i++) value[4 + i] = (ip[i] as number) ^ (mask[i] as number);
  return value;
}

/** Of an address as sockets print it; an IPv4 address that was mapped has its own name by now. */
function bytesOfIPv6(address: string): Buffer {
  const text = address.replace(/%.*$/, '');
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const all = tail === undefined ? first : [...first, ...Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
  const bytes = Buffer.alloc(16);
  all.slice(0, 8).forEach((group, n) => bytes.writeUInt16BE(group & 0xffff, n * 2));
  return bytes;
}
