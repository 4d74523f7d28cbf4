import { isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { isWithin, oneSpelling } from './sip/transport/own-address.ts';

/** What of an HTTP request says where it comes from. */
export interface Received {
  headers: IncomingHttpHeaders;
  socket: { remoteAddress?: string | undefined };
}

/** So many are read, from the end: what a client put before them must not choose who it is. */
const MAX_HOPS = 32;

/**
 * Where a request comes from: the other end of its connection; behind a proxy that is trusted (addresses or networks) the last address in
 * X-Forwarded-For that is no trusted proxy's, and where all are, the first. A list that holds anything else counts for nothing. `Forwarded` (RFC 7239) is not
 * read: proxies that write the one pass on the other as the client wrote it.
 */
export function clientAddresses(trusted: readonly string[]): (request: Received) => string {
  const isTrusted = isWithin(trusted);
  return ({ headers, socket }) => {
    const peer = oneSpelling(socket.remoteAddress ?? '');
    const given = headers['x-forwarded-for'];
    if (given === undefined || !isTrusted(peer)) return peer;
    const hops = String(given).split(',').slice(-MAX_HOPS).map(addressOf);
    for (const hop of [...hops].reverse()) {
      if (hop === null) return peer;
      if (!isTrusted(hop)) return hop;
    }
    return hops[0] ?? peer;
  };
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`; null for anything else. */
function addressOf(text: string): string | null {
  const hop = text.trim();
  const address = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(hop)?.[1] ?? /^([\d.]+)(?::\d{1,5})?$/.exec(hop)?.[1] ?? hop;
  return isIP(address) === 0 || address.includes('%') ? null : oneSpelling(address);
}
