import { ALLOW, METHODS } from './identity.ts';
import { splitValues } from './message/grammar.ts';
import { isTooBrief, MIN_SE_HEADER } from './dialog/session-timer.ts';
import type { SipRequest } from './message/message.ts';
import { isKnownMethod } from './message/methods.ts';
import { SUPPORTED } from './message/option-tags.ts';
import { unsupportedOf, type MessageCore } from './message/request-core.ts';
import { parseVia, type Via } from './message/via.ts';

/** A final answer that needs no transaction. */
export interface Refusal {
  statusCode: number;
  reasonPhrase?: string;
  headers?: [name: string, value: string][];
}

/**
 * The answer to a request that belongs to no dialog of ours, in the order of RFC 3261 §8.2; null for an INVITE that may
 * become a call and for a REGISTER. OPTIONS is answered here too (§11.2).
 */
export function refusalOutsideDialog(request: SipRequest, core: MessageCore, state: { merged: boolean }): Refusal | null {
  const { method } = request;
  if (!isKnownMethod(method)) return { statusCode: 501, headers: [['Allow', ALLOW]] };
  if (!METHODS.some((known) => known === method)) return { statusCode: 405, headers: [['Allow', ALLOW]] };
  if (core.toTag !== '') return { statusCode: 481 };
  if (state.merged) return { statusCode: 482, reasonPhrase: 'Merged Request' };
  const unsupported = unsupportedOf(request);
  if (unsupported.length > 0) return { statusCode: 420, headers: [['Unsupported', unsupported.join(', ')]] };
  if (method === 'OPTIONS') return { statusCode: 200, headers: [['Allow', ALLOW], ACCEPT, SUPPORTED] };
  if (method === 'REGISTER') return null;
  // Nobody may make us call for them without being in a call with us.
  if (method === 'REFER') return { statusCode: 403 };
  if (method !== 'INVITE') return { statusCode: 481 };
  if (isTooBrief(request)) return { statusCode: 422, headers: [MIN_SE_HEADER] };
  const media = refusalOfMedia(request);
  if (media) return media;
  // RFC 7332: we call on in our own name, so a call that has come round too often ends here. Other methods end at us anyway.
  return Number(request.headers.get('max-forwards') ?? 70) === 0 ? { statusCode: 483 } : null;
}

const ACCEPT: [string, string] = ['Accept', 'application/sdp'];

/** A body nobody above could read is 415, an answer the caller could not read 406 (RFC 3261 §8.2.3, §20.1). */
function refusalOfMedia(request: SipRequest): Refusal | null {
  const { headers } = request;
  const encoding = headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity') return { statusCode: 415, headers: [['Accept-Encoding', 'identity']] };
  const type = mediaType(headers.get('content-type') ?? '');
  if (request.body.length > 0 && type !== 'application/sdp' && !type.startsWith('multipart/')) return { statusCode: 415, headers: [ACCEPT] };
  const accepted = headers.list('accept').map(mediaType);
  const readable = accepted.length === 0 || accepted.some((name) => ['application/sdp', 'application/*', '*/*'].includes(name));
  return readable ? null : { statusCode: 406, headers: [ACCEPT] };
}

/** `Application/SDP ; charset=x` → `application/sdp`. */
function mediaType(value: string): string {
  return value.replace(/;.*$/s, '').replace(/\s+/g, '').toLowerCase();
}

/** The top Via of a request whose other headers are missing or make no sense, if its sender will know the answer: by the branch and CSeq (RFC 3261 §17.1.3, RFC 4475 §3.3.1). */
export function viaOfUnreadable(request: SipRequest): Via | null {
  if (!request.headers.get('cseq') || request.method === 'ACK') return null;
  const via = splitValues(request.headers.get('via') ?? '')[0] ?? '';
  // Where to answer stands before its parameters: those may be the ones that make no sense.
  return parseVia(via) ?? parseVia(via.replace(/;.*$/s, ''));
}
