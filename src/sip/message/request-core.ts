import { parseCSeq, type CSeq } from './cseq.ts';
import { parseNumber, splitValues } from './grammar.ts';
import type { SipMessage, SipRequest } from './message.ts';
import { isKnownMethod } from './methods.ts';
import { OPTION_TAGS } from './option-tags.ts';
import { parseNameAddr, type NameAddr } from './name-addr.ts';
import type { Defect } from './parse.ts';
import { parseSipUri, uriScheme } from './uri.ts';
import { MAGIC_COOKIE, parseVia, type Via } from './via.ts';

/** The five headers without which nothing can be answered or matched (RFC 3261 §8.2.6.2), parsed. */
export interface MessageCore {
  /** Text of the top Via value. */
  viaText: string;
  via: Via;
  from: NameAddr;
  fromTag: string;
  to: NameAddr;
  /** '' when there is none. */
  toTag: string;
  callId: string;
  cseq: CSeq;
}

/** Null when one is missing or malformed. */
export function readCore(message: SipMessage): MessageCore | null {
  const h = message.headers;
  const viaText = splitValues(h.get('via') ?? '')[0] ?? '';
  const via = parseVia(viaText);
  const from = parseNameAddr(h.get('from') ?? '');
  const to = parseNameAddr(h.get('to') ?? '');
  const callId = h.get('call-id') ?? '';
  const cseq = parseCSeq(h.get('cseq') ?? '');
  if (!via || !from || !to || !cseq || !/^\S+$/.test(callId)) return null;
  return { viaText, via, from, fromTag: from.params.get('tag') ?? '', to, toTag: to.params.get('tag') ?? '', callId, cseq };
}

const SINGLE = ['from', 'to', 'call-id', 'cseq', 'max-forwards', 'content-type'];

const bad = (reasonPhrase: string): Defect => ({ statusCode: 400, reasonPhrase });

/** What a request is refused for though its frame and its five headers are sound. Null for nothing. */
export function requestDefect(request: SipRequest, core: MessageCore): Defect | null {
  for (const key of SINGLE) if (request.headers.count(key) > 1) return bad(`More Than One ${request.headers.nameOf(key)}`);
  if (core.cseq.method !== request.method) return isKnownMethod(request.method) ? bad('CSeq Method Mismatch') : { statusCode: 501, reasonPhrase: 'Not Implemented' };
  const maxForwards = request.headers.get('max-forwards');
  if (maxForwards !== undefined && parseNumber(maxForwards, 255) === null) return bad('Malformed Max-Forwards');
  // RFC 3261 §10.3: an address of record is a SIP or SIPS URI.
  if (request.method === 'REGISTER' && !/^sips?:/i.test(core.to.uri)) return bad('To Is No SIP URI');
  return uriDefect(request.uri) ?? addressDefect(request, core);
}

/** RFC 3261 §8.2.2.1: a scheme we do not speak is 416; §19.1.1 forbids headers in a Request-URI. */
function uriDefect(uri: string): Defect | null {
  const scheme = uriScheme(uri);
  if (scheme === null) return bad('Malformed Request-URI');
  if (scheme !== 'sip' && scheme !== 'sips') return { statusCode: 416, reasonPhrase: 'Unsupported URI Scheme' };
  const parsed = parseSipUri(uri);
  if (!parsed) return bad('Malformed Request-URI');
  return parsed.headers.length > 0 ? bad('Headers In Request-URI') : null;
}

function addressDefect(request: SipRequest, core: MessageCore): Defect | null {
  for (const key of ['contact', 'record-route', 'route']) {
    if (!request.headers.has(key)) continue;
    for (const value of request.headers.list(key)) {
      if (value !== '*' && !parseNameAddr(value)) return bad(`Malformed ${request.headers.nameOf(key)}`);
    }
  }
  return request.method === 'INVITE' && !reachable(request, core) ? bad('Contact Missing Or Malformed') : null;
}

/** An INVITE says where its sender is reached (RFC 3261 §8.1.1.8). RFC 2543, without the cookie in the branch, had no such rule. */
function reachable(request: SipRequest, core: MessageCore): boolean {
  const first = request.headers.list('contact')[0];
  if (first === undefined) return !core.via.params.get('branch')?.startsWith(MAGIC_COOKIE);
  return parseSipUri(parseNameAddr(first)?.uri ?? '') !== null;
}

const OF_REGISTER: readonly string[] = ['path', 'outbound'];

function known(method: string): readonly string[] {
  return method === 'REGISTER' ? OF_REGISTER : OPTION_TAGS;
}

/** Option tags of Require that we do not speak (RFC 3261 §8.2.2.3). */
export function unsupportedOf(request: SipRequest): string[] {
  return request.headers.list('require').filter((tag) => !known(request.method).includes(tag.toLowerCase()));
}
