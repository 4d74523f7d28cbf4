import type { OutgoingSipCallOptions } from '../contract.ts';
import { wayTo, type SipCore } from '../core.ts';
import { MIN_SESSION_S } from '../dialog/session-timer.ts';
import { SipError } from '../errors.ts';
import { ALLOW, newCallId, newTag } from '../identity.ts';
import { splitValues } from '../message/grammar.ts';
import { headerKey } from '../message/header-names.ts';
import { Headers } from '../message/headers.ts';
import type { SipRequest } from '../message/message.ts';
import { OPTION_TAGS } from '../message/option-tags.ts';
import { parseNameAddr, printNameAddr } from '../message/name-addr.ts';
import { checkHeader } from '../message/serialize.ts';
import { parseSipUri, requestUriOf, type SipUri } from '../message/uri.ts';
import { destinationOf, type Destination } from '../transport/destination.ts';

/** Headers that make the message work: neither a URI (RFC 3261 §19.1.5) nor an option may set them. */
const OURS = new Set([
  ...['via', 'from', 'to', 'call-id', 'cseq', 'contact', 'route', 'record-route', 'max-forwards', 'content-length', 'content-type', 'content-encoding'],
  ...['require', 'proxy-require', 'allow', 'supported', 'authorization', 'session-expires', 'min-se', 'rseq', 'rack', 'proxy-authorization', 'body'],
]);

export interface PreparedInvite {
  /** Without Via. */
  request: SipRequest;
  destination: Destination;
}

/** Throws SipError for a URI or header that cannot go into a message. */
export function prepareInvite(core: SipCore, options: OutgoingSipCallOptions): PreparedInvite {
  const target = sipUri(options.to, 'to');
  sipUri(options.from, 'from');
  const route = routeValues(options.outboundProxy);
  const proxy = route[0] === undefined ? null : sipUri(bareUri(route[0]), 'outboundProxy');
  const destination = destinationOf(proxy ?? target);
  const headers = new Headers();
  if (proxy?.params.has('lr')) for (const hop of route) headers.add('Route', hop.startsWith('<') ? hop : `<${hop}>`);
  headers.add('Max-Forwards', '70');
  headers.add('From', `${printNameAddr(options.fromDisplayName ?? '', requestUriOf(options.from))};tag=${newTag()}`);
  headers.add('To', `<${addressOf(options.to)}>`).add('Call-ID', newCallId()).add('CSeq', '1 INVITE');
  headers.add('Contact', core.identity.contact(wayTo(destination))).add('Allow', ALLOW).add('User-Agent', core.identity.product);
  for (const [name, value] of target.headers) if (!OURS.has(headerKey(name))) headers.add(name, value);
  for (const [name, value] of options.headers ?? []) headers.add(allowed(name), value);
  // A provisional answer that surely arrives could bring an offer, which we would have to answer at once (RFC 3262 §5).
  headers.add('Supported', options.body.length > 0 ? OPTION_TAGS.join(', ') : 'timer');
  if (core.sessionIntervalS > 0) headers.add('Session-Expires', String(Math.max(core.sessionIntervalS, MIN_SESSION_S)));
  if (options.body.length > 0) headers.add('Content-Type', options.contentType);
  headers.each(checkHeader);
  return { request: { kind: 'request', method: 'INVITE', uri: requestUriOf(options.to), headers, body: options.body }, destination };
}

/** `sip:proxy;lr`, or the values of a whole Route. */
function routeValues(text: string | undefined): string[] {
  return text === undefined ? [] : text.includes('<') ? splitValues(text) : [text];
}

/** Without brackets the parameters are the URI's. */
function bareUri(hop: string): string {
  return hop.startsWith('<') ? (parseNameAddr(hop)?.uri ?? hop) : hop;
}

function sipUri(text: string, what: string): SipUri {
  const uri = parseSipUri(text);
  if (!uri) throw new SipError(`not a SIP URI in ${what}: ${JSON.stringify(text.slice(0, 100))}`);
  return uri;
}

function allowed(name: string): string {
  if (OURS.has(headerKey(name))) throw new SipError(`header ${name} is set by the user agent`);
  return name;
}

/** The callee's address without the words that only say how to get there (RFC 3261 §19.1.1, table 1). */
function addressOf(uri: string): string {
  return requestUriOf(uri).replace(/;(transport|maddr|ttl|lr)(=[^;]*)?(?=;|$)/gi, '');
}
