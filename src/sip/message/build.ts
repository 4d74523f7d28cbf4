import { Headers } from './headers.ts';
import { NO_BODY, type SipRequest, type SipResponse } from './message.ts';
import { tagOf } from './name-addr.ts';
import { reasonPhraseOf } from './status.ts';

export interface ResponseOptions {
  reasonPhrase?: string;
  /** Tag for a To that has none. */
  toTag?: string;
  headers?: readonly (readonly [name: string, value: string])[];
  body?: { contentType: string; bytes: Uint8Array };
}

const REPEATED = [['From', 'from'], ['To', 'to'], ['Call-ID', 'call-id'], ['CSeq', 'cseq']] as const;

/** A response to `request` (RFC 3261 §8.2.6). What a broken request lacks, its answer lacks too. */
export function buildResponse(request: SipRequest, statusCode: number, options: ResponseOptions = {}): SipResponse {
  const headers = new Headers().copyFrom(request.headers, 'via');
  if (statusCode < 300) headers.copyFrom(request.headers, 'record-route');
  for (const [name, key] of REPEATED) {
    const value = request.headers.get(key);
    if (value !== undefined) headers.add(name, key === 'to' ? taggedTo(value, options.toTag) : value);
  }
  if (statusCode === 100) headers.copyFrom(request.headers, 'timestamp');
  for (const [name, value] of options.headers ?? []) headers.add(name, value);
  if (options.body) headers.add('Content-Type', options.body.contentType);
  return { kind: 'response', statusCode, reasonPhrase: options.reasonPhrase ?? reasonPhraseOf(statusCode), headers, body: options.body?.bytes ?? NO_BODY };
}

function taggedTo(to: string, tag: string | undefined): string {
  return tag === undefined || tagOf(to) !== '' ? to : `${to};tag=${tag}`;
}

/** ACK for a 300-699, part of the INVITE's own transaction: same branch, same route (RFC 3261 §17.1.1.3). */
export function ackForFailure(invite: SipRequest, response: SipResponse): SipRequest {
  const ack = withinTransaction(invite, 'ACK');
  ack.headers.set('To', response.headers.get('to') ?? '');
  return ack;
}

/** RFC 3261 §9.1. */
export function cancelOf(invite: SipRequest): SipRequest {
  return withinTransaction(invite, 'CANCEL');
}

function withinTransaction(invite: SipRequest, method: string): SipRequest {
  const from = invite.headers;
  const headers = new Headers().add('Via', from.lines('via')[0] ?? '').copyFrom(from, 'route').add('Max-Forwards', '70');
  headers.copyFrom(from, 'from').copyFrom(from, 'to').copyFrom(from, 'call-id');
  headers.add('CSeq', `${Number.parseInt(from.get('cseq') ?? '1', 10)} ${method}`).copyFrom(from, 'user-agent');
  return { kind: 'request', method, uri: invite.uri, headers, body: NO_BODY };
}
