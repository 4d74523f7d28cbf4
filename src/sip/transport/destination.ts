import { isIP } from 'node:net';
import { isLoopback, isPrivateAddress } from './own-address.ts';
import type { SipTransportName } from '../contract.ts';
import { unbracket, type SipUri } from '../message/uri.ts';

/** Where a message goes. `address` is filled in once the host name is resolved, so retransmissions go to the same place. */
export interface Destination {
  readonly transport: SipTransportName;
  /** Name or literal address without brackets. */
  readonly host: string;
  readonly port: number;
  address: string | null;
  /** What the URI left open, so that its name may say it (RFC 3263). Absent: nothing. */
  readonly open?: { transport: boolean; port: boolean; /** A sips URI: TLS or nothing. */ secure: boolean };
}

/** 4 or 6 of a literal address, 0 of anything else. */
export function familyOf(address: string): 0 | 4 | 6 {
  const family = isIP(address);
  return family === 4 || family === 6 ? family : 0;
}

export const DEFAULT_PORT = 5060;
const DEFAULT_TLS_PORT = 5061;

/** RFC 3261 §19.1.2, RFC 3263 §4.2. */
export function defaultPortOf(transport: SipTransportName): number {
  return transport === 'tls' ? DEFAULT_TLS_PORT : DEFAULT_PORT;
}

/** Whether a message needs no repetition and answers go back on the connection. */
export function isReliable(transport: SipTransportName): boolean {
  return transport !== 'udp';
}

/** What says it in a URI; UDP goes without saying. `ws` is also that of WebSockets over TLS (RFC 7118 §5.2). */
export function transportParameter(transport: SipTransportName): string {
  return transport === 'udp' ? '' : `;transport=${transport}`;
}

/** RFC 3261 §18.1.1 with the URI's own words only: transport parameter (default UDP; TLS for sips), maddr, port (default 5060, 5061 for TLS). */
export function destinationOf(uri: SipUri): Destination {
  const host = unbracket(uri.params.get('maddr') || uri.host);
  const transport = transportOf(uri);
  const open = { transport: !uri.params.has('transport'), port: uri.port === null, secure: uri.scheme === 'sips' };
  return { transport, host, port: uri.port ?? defaultPortOf(transport), address: null, open };
}

const NAMED = new Map<string, SipTransportName>([['udp', 'udp'], ['tcp', 'tcp'], ['tls', 'tls'], ['ws', 'ws'], ['wss', 'ws']]);

/** A sips URI goes over TLS whatever it says of TCP (RFC 3261 §26.2.2). */
export function transportOf(uri: Pick<SipUri, 'scheme' | 'params'>): SipTransportName {
  const named = NAMED.get(uri.params.get('transport')?.toLowerCase() ?? '') ?? 'udp';
  return uri.scheme === 'sips' && named !== 'ws' ? 'tls' : named;
}

/** IPv4 inside IPv6 (`::ffff:1.2.3.4`) is written as IPv4. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** `::` takes IPv4 as well, unless `0.0.0.0` has a socket of its own. */
export function ipv6OnlyBeside(address: string, all: readonly string[]): boolean {
  return address === '::' && all.some((other) => other.includes('.'));
}

/**
 * Whether a phone behind NAT names itself by an address that only its own network knows, while its packets come from a
 * public one. Deviation from RFC 3261 §12.2.1.1: requests within its dialog go to where the packets come from.
 */
export function behindNat(target: string, sourceAddress: string): boolean {
  return isPrivateAddress(target) && !isPrivateAddress(sourceAddress) && !isLoopback(sourceAddress) && /^[\d.]+$|:/.test(sourceAddress);
}
