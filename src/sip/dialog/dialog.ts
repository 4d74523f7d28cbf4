import type { MessageCore } from '../message/request-core.ts';
import { Headers } from '../message/headers.ts';
import { NO_BODY, type SipMessage, type SipRequest, type SipResponse } from '../message/message.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import { parseSipUri, requestUriOf, type SipUri } from '../message/uri.ts';

/** RFC 3261 §12. Pure state: what it takes to send within the dialog and to judge what comes. */
export interface Dialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From value of our requests, with tag. */
  readonly localAddress: string;
  /** To value of our requests, with tag. */
  readonly remoteAddress: string;
  /** Contact URI of the other side. */
  remoteTarget: string;
  /** Route values in sending order. */
  routeSet: readonly string[];
  localCSeq: number;
  /** Null until a request of the other side was seen. */
  remoteCSeq: number | null;
}

/** `accepted`: our 200 waits for its ACK; `closing`: our BYE for its answer. */
export type DialogPhase = 'early' | 'accepted' | 'confirmed' | 'closing' | 'closed';

/** The dialog an INVITE opens at the side that is called (§12.1.1). */
export function dialogOfServer(request: SipRequest, core: MessageCore, localTag: string): Dialog {
  return {
    callId: core.callId,
    localTag,
    remoteTag: core.fromTag,
    localAddress: `${request.headers.get('to') ?? ''};tag=${localTag}`,
    remoteAddress: request.headers.get('from') ?? '',
    remoteTarget: contactOf(request) ?? core.from.uri,
    routeSet: request.headers.list('record-route'),
    localCSeq: 0,
    remoteCSeq: core.cseq.number,
  };
}

/** The dialog that a 101-299 to our INVITE opens (§12.1.2). Null without a To tag. */
export function dialogOfClient(invite: SipRequest, response: SipResponse, core: MessageCore): Dialog | null {
  if (core.toTag === '') return null;
  return {
    callId: core.callId,
    localTag: core.fromTag,
    remoteTag: core.toTag,
    localAddress: invite.headers.get('from') ?? '',
    remoteAddress: response.headers.get('to') ?? '',
    remoteTarget: contactOf(response) ?? invite.uri,
    routeSet: response.headers.list('record-route').reverse(),
    localCSeq: core.cseq.number,
    remoteCSeq: null,
  };
}

/** First Contact URI of a message, null when absent or not SIP. */
export function contactOf(message: SipMessage): string | null {
  const uri = parseNameAddr(message.headers.list('contact')[0] ?? '')?.uri ?? '';
  return parseSipUri(uri) ? uri : null;
}

/** §12.2.1.1: INVITE and UPDATE move the remote target. */
export function refreshTarget(dialog: Dialog, message: SipMessage): void {
  dialog.remoteTarget = contactOf(message) ?? dialog.remoteTarget;
}

/** False for a request whose CSeq lies behind the last one (§12.2.2). */
export function takeRemoteCSeq(dialog: Dialog, number: number): boolean {
  if (dialog.remoteCSeq !== null && number < dialog.remoteCSeq) return false;
  dialog.remoteCSeq = number;
  return true;
}

export interface DialogRequest {
  request: SipRequest;
  /** Where it goes next: first Route, or the target. Null when neither is a SIP URI. */
  nextHop: SipUri | null;
}

/** A request within the dialog without Via and Contact (§12.2.1.1). `cseq` is given for ACK, else the next one is taken. */
export function requestWithin(dialog: Dialog, method: string, cseq?: number): DialogRequest {
  const number = cseq ?? ++dialog.localCSeq;
  const route = routing(dialog);
  const headers = new Headers();
  for (const value of route.routes) headers.add('Route', value);
  headers.add('Max-Forwards', '70').add('From', dialog.localAddress).add('To', dialog.remoteAddress);
  headers.add('Call-ID', dialog.callId).add('CSeq', `${number} ${method}`);
  return { request: { kind: 'request', method, uri: route.uri, headers, body: NO_BODY }, nextHop: parseSipUri(route.nextHop) };
}

/** Loose: target on the request line. Strict: the first route there, and the target last among the routes. */
function routing(dialog: Dialog): { uri: string; routes: string[]; nextHop: string } {
  const target = requestUriOf(dialog.remoteTarget);
  const first = parseNameAddr(dialog.routeSet[0] ?? '')?.uri;
  if (first === undefined) return { uri: target, routes: [], nextHop: target };
  if (parseSipUri(first)?.params.has('lr')) return { uri: target, routes: [...dialog.routeSet], nextHop: first };
  return { uri: requestUriOf(first), routes: [...dialog.routeSet.slice(1), `<${dialog.remoteTarget}>`], nextHop: first };
}
