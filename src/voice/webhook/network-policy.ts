import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** `PARTYLINE_WEBHOOK_PRIVATE_NETWORKS`: all private addresses, none, or those of these networks (CIDR). */
export type PrivateNetworks = 'allow' | 'deny' | readonly string[];

/**
 * Which addresses a customer's URL may lead to. Judged is the address a connection goes to, after DNS, on every redirect: a
 * name that changes its address between two looks gains nothing.
 */
export interface NetworkPolicy {
  allows(address: string): boolean;
}

export const ALLOW_ALL: NetworkPolicy = { allows: () => true };

/** Networks nobody reaches over the Internet: RFC 6890 and its registries, multicast. */
const PRIVATE = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/128', '::1/128', '64:ff9b:1::/48', '100::/64', '2001:db8::/32', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

/** `ownAddresses` are those of this server beside the ones its network interfaces have. */
export function createNetworkPolicy(networks: PrivateNetworks, ownAddresses: readonly string[] = []): NetworkPolicy {
  if (networks === 'allow') return ALLOW_ALL;
  const denied = listOf(PRIVATE);
  const allowed = listOf(networks === 'deny' ? [] : networks);
  const own = new Set(ownAddresses.map((address) => plainAddress(address)));
  return {
    allows(given) {
      const address = plainAddress(given);
      if (isIP(address) === 0) return false;
      if (within(allowed, address)) return true;
      return !within(denied, address) && !own.has(address) && !interfaceAddresses().has(address);
    },
  };
}

/** One network such as `10.0.0.0/8` or `fd00::/8`; a single address counts too. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, Number(bits ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return list;
}

function within(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

function interfaceAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => plainAddress(address))));
}

/** Without brackets and zone; an IPv4 address that an IPv6 one carries (mapped, NAT64, 6to4) is judged as that IPv4 address. */
function plainAddress(text: string): string {
  const address = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '').toLowerCase();
  return isIP(address) === 6 ? (carriedIpv4(groupsOf(address)) ?? address) : address;
}

function carriedIpv4(groups: readonly number[]): string | null {
  const zeros = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  const mapped = zeros(0, 5) && (groups[5] === 0xffff || (groups[5] === 0 && (groups[6] ?? 0) !== 0));
  const nat64 = groups[0] === 0x64 && groups[1] === 0xff9b && zeros(2, 6);
  if (mapped || nat64) return dotted(groups[6] ?? 0, groups[7] ?? 0);
  return groups[0] === 0x2002 ? dotted(groups[1] ?? 0, groups[2] ?? 0) : null;
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight 16-bit groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const numeric = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = numeric.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  return [...first, ...new Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
}
