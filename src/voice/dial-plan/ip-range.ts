/** Address ranges of access lists (CIDR). Pure; addresses come from sockets or from customers. */

interface Address {
  bits: 32 | 128;
  value: bigint;
}

/** Whether an address lies in `network/prefixLength`. False for text that is no address, and between the two families. */
export function inRange(address: string, { network, prefixLength }: { network: string; prefixLength: number }): boolean {
  const [a, b] = [parseAddress(address), parseAddress(network)];
  if (!a || !b || a.bits !== b.bits || prefixLength < 0 || prefixLength > a.bits) return false;
  const shift = BigInt(a.bits - prefixLength);
  return a.value >> shift === b.value >> shift;
}

const HIGH_OF_IPV4 = new Set([0xffffn, 0x64ff9bn << 64n]);

/** One text for all spellings of an address; IPv4 inside IPv6 (`::ffff:0:0/96`, and `64:ff9b::/96` of RFC 6052) is written as IPv4. Other text stays as it is. */
export function canonicalAddress(text: string): string {
  const address = parseAddress(text);
  if (!address) return text;
  const { bits, value } = address;
  if (bits === 32 || HIGH_OF_IPV4.has(value >> 32n)) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
  if (value <= 1n) return value === 0n ? '::' : '::1';
  return Array.from({ length: 8 }, (_, n) => ((value >> BigInt(112 - 16 * n)) & 0xffffn).toString(16)).join(':');
}

/** Bits of an IPv4 or IPv6 address, null for any other text. */
export function addressBits(text: string): 32 | 128 | null {
  return parseAddress(text)?.bits ?? null;
}

function parseAddress(text: string): Address | null {
  const plain = text.replace(/^::ffff:(?=\d+\.)/i, '');
  return plain.includes(':') ? parseIpv6(plain) : parseIpv4(plain);
}

function parseIpv4(text: string): Address | null {
  if (!/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) return null;
  const bytes = text.split('.').map(Number);
  return bytes.some((byte) => byte > 255) ? null : { bits: 32, value: bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) };
}

function parseIpv6(text: string): Address | null {
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(text)) return null;
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = [groupsOf(halves[0] ?? ''), groupsOf(halves[1] ?? '')];
  if (!head || !tail) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return { bits: 128, value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

/** Groups of one side of `::`; an IPv4 address at its end is two of them. */
function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    const v4 = part.includes('.') ? parseIpv4(part) : null;
    if (v4) groups.push(Number(v4.value >> 16n), Number(v4.value & 0xffffn));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}
