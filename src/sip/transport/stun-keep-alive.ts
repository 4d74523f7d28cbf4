import { familyOf } from './own-address.ts';

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const MAGIC_COOKIE = 0x2112a442;
const XOR_MAPPED_ADDRESS = 0x0020;
const HEADER_BYTES = 20;
const COOKIE_PORT = MAGIC_COOKIE >>> 16;

/**
 * The answer to a STUN Binding request on the SIP port (RFC 5626 §4.4.2, §5.4; RFC 5389): the address it came from. By it a phone keeps its NAT
 * open and notices when its address changed. Null for what is none: SIP begins with a letter or a line end, STUN with two zero bits.
 */
export function answerToStun(bytes: Buffer, from: { address: string; port: number }): Buffer | null {
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(0) !== BINDING_REQUEST || bytes.readUInt32BE(4) !== MAGIC_COOKIE) return null;
  if (bytes.readUInt16BE(2) !== bytes.length - HEADER_BYTES) return null;
  const address = addressBytes(from.address);
  const answer = Buffer.alloc(HEADER_BYTES + 8 + address.length);
  answer.writeUInt16BE(BINDING_SUCCESS, 0);
  answer.writeUInt16BE(8 + address.length, 2);
  bytes.copy(answer, 4, 4, HEADER_BYTES);
  answer.writeUInt16BE(XOR_MAPPED_ADDRESS, HEADER_BYTES);
  answer.writeUInt16BE(4 + address.length, HEADER_BYTES + 2);
  answer.writeUInt8(address.length === 4 ? 1 : 2, HEADER_BYTES + 5);
  answer.writeUInt16BE(from.port ^ COOKIE_PORT, HEADER_BYTES + 6);
  // RFC 5389 §15.2: the address is hidden behind cookie and transaction id, so that no NAT rewrites it.
  for (const [i, byte] of address.entries()) answer.writeUInt8(byte ^ bytes.readUInt8(4 + i), HEADER_BYTES + 8 + i);
  return answer;
}

function addressBytes(address: string): Uint8Array {
  if (familyOf(address) !== 6) return Uint8Array.from(address.split('.').map(Number));
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const words = (text: string | undefined): number[] => (text ? text.split(':').flatMap(wordsOf) : []);
  const [before, after] = [words(head), words(tail)];
  const all = [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
  return Uint8Array.from(all.slice(0, 8).flatMap((word) => [word >> 8, word & 255]));
}

/** `1.2.3.4` at the end of an IPv6 address is two words. */
function wordsOf(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}
