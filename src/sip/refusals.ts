import { ALLOW, METHODS } from './identity.ts';
import { splitValues } from './message/grammar.ts';
import type { SipRequest } from './message/message.ts';
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
 * become a call. OPTIONS is answered here too (§11.2).
 */
export function refusalOutsideDialog(request: SipRequest, core: MessageCore, state: { merged: boolean }): Refusal | null {
  const { method } = request;
  if (!METHODS.some((known) => known === method)) return { statusCode: 405, headers: [['Allow', ALLOW]] };
  if (core.toTag !== '') return { statusCode: 481 };
  if (state.merged) return { statusCode: 482, reasonPhrase: 'Merged Request' };
  const unsupported = unsupportedOf(request);
  if (unsupported.length > 0) return { statusCode: 420, headers: [['Unsupported', unsupported.join(', ')]] };
  if (method === 'OPTIONS') return { statusCode: 200, headers: [['Allow', ALLOW], ['Accept', 'application/sdp'], ['Supported', '']] };
  if (method !== 'INVITE') return { statusCode: 481 };
  // RFC 7332: we call on in our own name, so a call that has come round too often ends here. Other methods end at us anyway.
  return Number(request.headers.get('max-forwards') ?? 70) === 0 ? { statusCode: 483 } : null;
}

/** The top Via of a request whose other headers make no sense, if there is enough to answer it. */
export function viaOfUnreadable(request: SipRequest): Via | null {
  const complete = ['from', 'to', 'call-id', 'cseq'].every((key) => request.headers.get(key));
  if (!complete || request.method === 'ACK') return null;
  return parseVia(splitValues(request.headers.get('via') ?? '')[0] ?? '');
}
