import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Under which addresses a server is reached. */
export interface OwnAddresses {
  /** What its sockets are bound to; `0.0.0.0` and `::` stand for every interface. */
  bind: readonly string[];
  /** What others are told instead, at most one of each family: that of a NAT before the server. */
  public?: readonly string[];
  /** Networks on this side of the NAT (`192.168.0.0/16`): who asks from there is told an address that was bound. */
  local?: readonly string[];
}

export type AddressFamily = 4 | 6;

export interface OwnAddressChoice {
  /** The address to name towards a peer. A peer that is a host name, or '', gets the address of most people: IPv4 when there is one. */
  (peer: string): string;
}

const ANY: Record<AddressFamily, string> = { 4: '0.0.0.0', 6: '::' };
const LOOPBACK: Record<AddressFamily, string> = { 4: '127.0.0.1', 6: '::1' };

/** `fe80::1%eth0` is IPv6 too. Null for a host name. */
export function familyOf(address: string): AddressFamily | null {
  const version = isIP(address.replace(/^\[|\]$/g, ''));
  return version === 0 ? null : version === 6 ? 6 : 4;
}

/** One text for all spellings of an IPv6 address (RFC 5952); IPv4 inside IPv6 (`::ffff:10.0.0.1`, `::ffff:a00:1`) is written as IPv4. Other text stays as it is. */
export function oneSpelling(address: string): string {
  if (isIP(address) !== 6 || address.includes('%')) return address;
  const spelled = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(spelled);
  if (!mapped) return spelled;
  const [high, low] = [parseInt(mapped[1] ?? '', 16), parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.');
}

export function isWildcard(address: string): boolean {
  return address === ANY[4] || address === ANY[6];
}

const PRIVATE = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i;

/** An address that is routed inside a network only (RFC 1918, RFC 6598, RFC 3927, RFC 4193). Loopback is none. */
export function isPrivateAddress(address: string): boolean {
  return PRIVATE.test(address);
}

/** Addresses of a machine's interfaces; tests bring their own. */
export type Interfaces = () => readonly { address: string; family: AddressFamily; internal: boolean }[];

const machine: Interfaces = () =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address, family, internal }) => ({ address, family: family === 'IPv6' ? 6 : 4, internal })));

/**
 * Which of our addresses a peer is told, in Via, Contact and SDP. Of its own family where we have one; the public one, else
 * the one that was bound, else (bound to every interface) that of the first interface, and loopback for this machine itself.
 */
export function chooseOwnAddress(own: OwnAddresses, interfaces: Interfaces = machine): OwnAddressChoice {
  const families = boundFamilies(own.bind);
  const local = networksOf(own.local ?? []);
  const preferred: AddressFamily = families.has(4) || (own.public ?? []).some((address) => familyOf(address) === 4) ? 4 : 6;
  return (peer) => {
    const family = familyOf(peer) ?? preferred;
    const inside = familyOf(peer) !== null && local.check(peer.replace(/%.*$/, ''), family === 6 ? 'ipv6' : 'ipv4');
    const outer = inside ? undefined : own.public?.find((address) => familyOf(address) === family);
    return outer ?? boundAddress(own.bind, { family, loopback: isLoopback(peer), interfaces }) ?? own.public?.[0] ?? own.bind[0] ?? LOOPBACK[family];
  };
}

/** Which families sockets bound to these addresses reach; `::` reaches both. */
export function boundFamilies(bind: readonly string[]): Set<AddressFamily> {
  return new Set(bind.flatMap((address): AddressFamily[] => (address === ANY[6] ? [4, 6] : [familyOf(address) ?? 4])));
}

function boundAddress(bind: readonly string[], { family, loopback, interfaces }: { family: AddressFamily; loopback: boolean; interfaces: Interfaces }): string | undefined {
  const named = bind.filter((address) => familyOf(address) === family && !isWildcard(address));
  const fitting = named.find((address) => isLoopback(address) === loopback);
  if (fitting !== undefined) return fitting;
  if (!bind.some(isWildcard) || !boundFamilies(bind).has(family)) return named[0];
  return loopback ? LOOPBACK[family] : (interfaceAddress(family, interfaces()) ?? LOOPBACK[family]);
}

/** A routable one before a private one of IPv6: every interface has a link-local address. */
function interfaceAddress(family: AddressFamily, all: ReturnType<Interfaces>): string | undefined {
  const outer = all.filter((entry) => !entry.internal && entry.family === family && !/^fe80:/i.test(entry.address));
  return (outer.find(({ address }) => family === 4 || !isPrivateAddress(address)) ?? outer[0])?.address;
}

/** Whether an address is of one of these networks; a host name is of none. */
export function isWithin(networks: readonly string[]): (address: string) => boolean {
  const list = networksOf(networks);
  return (address) => {
    const family = familyOf(address);
    return family !== null && list.check(address.replace(/%.*$/, ''), family === 6 ? 'ipv6' : 'ipv4');
  };
}

/** `10.0.0.0/8` or a single address; what is neither is left out. */
function networksOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', prefix] = text.split('/');
    const family = familyOf(address);
    if (family === null) continue;
    list.addSubnet(address, prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
