import { isIPv4, isIPv6 } from 'node:net';

const MAPPED = '::ffff:';

/** One spelling per address: IPv6 as sockets print it, IPv4 dotted also where a socket of both families maps it. Others as they are. */
export function canonicalAddress(address: string): string {
  if (!isIPv6(address)) return address;
  const plain = unmapped(address);
  if (plain !== address || address.includes('%')) return plain;
  return unmapped(new URL(`http://[${address}]`).hostname.slice(1, -1));
}

/** `::ffff:192.0.2.1` → `192.0.2.1`. */
function unmapped(address: string): string {
  if (!address.toLowerCase().startsWith(MAPPED)) return address;
  const rest = address.slice(MAPPED.length);
  if (isIPv4(rest)) return rest;
  const [high, low] = rest.split(':').map((group) => parseInt(group, 16));
  return high === undefined || low === undefined || Number.isNaN(high + low) ? address : [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** What senders of a socket are called, without an allocation as long as the same one sends. */
export class SenderNames {
  #raw = '';
  #name = '';

  of(address: string): string {
    if (address === this.#raw) return this.#name;
    this.#raw = address;
    this.#name = unmapped(address);
    return this.#name;
  }
}

/** What a socket of family 6 is to be told for an address of either, as `SenderNames`. */
export class MappedTargets {
  #address = '';
  #mapped = '';

  of(address: string): string {
    if (address === this.#address) return this.#mapped;
    this.#address = address;
    this.#mapped = isIPv4(address) ? `${MAPPED}${address}` : address;
    return this.#mapped;
  }
}
