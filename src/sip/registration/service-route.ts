import type { Headers } from '../message/headers.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import { parseSipUri } from '../message/uri.ts';

const MAX_HOPS = 8;

/** Service-Route of a 2xx to REGISTER (RFC 3608 §5), as values of a Route. Null without one, and for one that does not lead over loose routers alone. */
export function serviceRouteOf(headers: Headers): string | null {
  const hops = headers.list('service-route').map(parseNameAddr);
  if (hops.length === 0 || hops.length > MAX_HOPS) return null;
  const uris = hops.flatMap((hop) => (hop && parseSipUri(hop.uri)?.params.has('lr') ? [`<${hop.uri}>`] : []));
  return uris.length === hops.length ? uris.join(',') : null;
}
