import type { Timer } from '../../base/clock.ts';
import type { ReofferAnswer, SipBody, SipReferWatcher, SipSource } from '../contract.ts';
import { sendAlone, sendRequest, wayTo, type SipCore } from '../core.ts';
import { Authorizer } from '../digest/authorizer.ts';
import { ALLOW } from '../identity.ts';
import { bodyOf } from '../message/body.ts';
import { buildResponse, type ResponseOptions } from '../message/build.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import type { MessageCore } from '../message/request-core.ts';
import { unsupportedOf } from '../message/request-core.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import { behindNat, destinationOf, isReliable, type Destination } from '../transport/destination.ts';
import { AnswerRepeat } from './answer-repeat.ts';
import { dialogKey, type DialogUser } from './dialog-table.ts';
import { readReferNotice, referHeaders, Referral } from './referral.ts';
import { refreshTarget, requestWithin, takeRemoteCSeq, type Dialog, type DialogRequest } from './dialog.ts';

/** The call a dialog belongs to. */
export interface SessionOwner {
  /** BYE came and was answered. */
  byeReceived(reason: string | undefined): void;
  /** Returns false when nobody will answer. */
  reoffered(body: SipBody | null, respond: (answer: ReofferAnswer) => void): boolean;
  reofferAnswered(body: SipBody | null): void;
  infoReceived(body: SipBody | null): void;
  /** No ACK in 32 s for a 200 of ours; BYE is on its way. */
  ackMissed(): void;
}

type Phase = 'early' | 'accepted' | 'confirmed' | 'closing' | 'closed';

interface AwaitedAck {
  readonly cseq: number;
  readonly repeat: AnswerRepeat;
  readonly again: () => void;
  readonly acked: (body: SipBody | null) => void;
  timer: Timer | null;
}

export interface SessionParts {
  dialog: Dialog;
  owner: SessionOwner;
  /** `called`: the other side invited us. */
  role: 'called' | 'calling';
  source: SipSource;
  authorizer?: Authorizer;
}

/**
 * One live dialog: answers what comes inside it, repeats our 200 until its ACK, sends ACK and BYE.
 *
 *     early ──2xx──▶ accepted ──ACK──▶ confirmed ──BYE of ours──▶ closing ──answer──▶ closed
 *        ╲──────────────╲─────────────────╲──────────────BYE of theirs, close()──────▶ closed
 */
export class DialogSession implements DialogUser {
  readonly dialog: Dialog;
  readonly #core: SipCore;
  readonly #owner: SessionOwner;
  readonly #role: 'called' | 'calling';
  readonly #source: SipSource;
  readonly #authorizer: Authorizer;
  readonly #key: string;
  readonly #awaited = new Map<number, AwaitedAck>();
  #phase: Phase = 'early';
  #openReoffer: ServerTransaction | null = null;
  #referral: Referral | null = null;
  #byeWhenAcked: { reason: string | undefined } | null = null;

  constructor(core: SipCore, parts: SessionParts) {
    this.#core = core;
    this.dialog = parts.dialog;
    this.#owner = parts.owner;
    this.#role = parts.role;
    this.#source = parts.source;
    this.#authorizer = parts.authorizer ?? new Authorizer(null);
    this.#key = dialogKey(parts.dialog.callId, parts.dialog.localTag, parts.dialog.remoteTag);
    core.dialogs.add(this.#key, this);
  }

  get phase(): Phase {
    return this.#phase;
  }

  // ── what comes ──

  requestReceived(transaction: ServerTransaction): void {
    const { request, core } = transaction;
    if (!takeRemoteCSeq(this.dialog, core.cseq.number)) return this.#reply(transaction, 500, { reasonPhrase: 'CSeq Out Of Order' });
    const unsupported = unsupportedOf(request);
    if (unsupported.length > 0) return this.#reply(transaction, 420, { headers: [['Unsupported', unsupported.join(', ')]] });
    if (request.method === 'BYE') return this.#byeReceived(transaction);
    if (this.#phase === 'closing' || this.#phase === 'closed') return this.#reply(transaction, 481);
    if (request.method === 'INVITE' || request.method === 'UPDATE') return this.#offerReceived(transaction);
    if (request.method === 'OPTIONS') return this.#reply(transaction, 200, { headers: [['Allow', ALLOW]] });
    if (request.method === 'NOTIFY') return this.#notified(transaction);
    if (request.method !== 'INFO') return this.#reply(transaction, 405, { headers: [['Allow', ALLOW]] });
    this.#reply(transaction, 200);
    this.#owner.infoReceived(bodyOf(request));
  }

  #byeReceived(transaction: ServerTransaction): void {
    // RFC 3261 §15: the called side may not end an early dialog by BYE.
    if (this.#phase === 'early' && this.#role === 'calling') return this.#reply(transaction, 481);
    this.#reply(transaction, 200);
    if (this.#phase === 'closing') return;
    this.close();
    this.#owner.byeReceived(transaction.request.headers.get('reason'));
  }

  /** RFC 3261 §14.2, RFC 3311 §5.2. */
  #offerReceived(transaction: ServerTransaction): void {
    const { request } = transaction;
    const body = bodyOf(request);
    refreshTarget(this.dialog, request);
    if (request.method === 'UPDATE' && !body) return this.#reply(transaction, 200, { headers: this.#contactFor(transaction) });
    if (this.#phase === 'early' || this.#openReoffer) return this.#reply(transaction, 500, { headers: [['Retry-After', '1']] });
    if (this.#phase !== 'confirmed') return this.#reply(transaction, 491);
    this.#openReoffer = transaction;
    if (request.method === 'INVITE') this.#reply(transaction, 100);
    const taken = this.#owner.reoffered(body, (answer) => this.#answerReoffer(transaction, answer));
    if (!taken) this.#answerReoffer(transaction, { statusCode: 488 });
  }

  #answerReoffer(transaction: ServerTransaction, answer: ReofferAnswer): void {
    if (this.#openReoffer !== transaction) return;
    this.#openReoffer = null;
    if (answer.statusCode !== 200) return this.#reply(transaction, answer.statusCode, answer.reasonPhrase === undefined ? {} : { reasonPhrase: answer.reasonPhrase });
    const response = this.#response(transaction, 200, { headers: this.#contactFor(transaction), body: answer.body });
    transaction.respond(response);
    if (transaction.request.method !== 'INVITE') return;
    const offerless = transaction.request.body.length === 0;
    this.#awaitAck(transaction, response, (body) => {
      if (offerless) this.#owner.reofferAnswered(body);
    });
  }

  /** Only our own REFER made a subscription (RFC 3515 §2.4.4). */
  #notified(transaction: ServerTransaction): void {
    const notice = readReferNotice(transaction.request);
    if (!notice) return this.#reply(transaction, 489, { headers: [['Allow-Events', 'refer']] });
    if (!this.#referral) return this.#reply(transaction, 481, { reasonPhrase: 'Subscription Does Not Exist' });
    this.#reply(transaction, 200, { headers: this.#contactFor(transaction) });
    this.#referral.notified(notice);
  }

  ackReceived(ack: SipRequest, core: MessageCore): void {
    const awaited = this.#awaited.get(core.cseq.number);
    if (!awaited) return;
    this.#forgetAwaited(awaited);
    awaited.acked(bodyOf(ack));
  }

  // ── what we do ──

  /** 200 to the INVITE that opened the dialog, repeated until ACK. */
  accept(transaction: ServerTransaction, body: SipBody, confirmed: (body: SipBody | null) => void): void {
    const headers: [string, string][] = [...this.#contactFor(transaction), ['Allow', ALLOW]];
    const response = this.#response(transaction, 200, { headers, body });
    this.#phase = 'accepted';
    transaction.respond(response);
    this.#awaitAck(transaction, response, (ackBody) => {
      if (this.#phase !== 'accepted') return;
      this.#phase = 'confirmed';
      if (this.#byeWhenAcked) this.#sendBye(this.#byeWhenAcked.reason);
      else confirmed(ackBody);
    });
  }

  /** The ACK of the calling side, first and for every 2xx that comes again (RFC 3261 §13.2.2.4). */
  sendAck(inviteCSeq: number, authorization: [string, string][]): void {
    if (this.#phase === 'early') this.#phase = 'confirmed';
    const ack = requestWithin(this.dialog, 'ACK', inviteCSeq);
    for (const [name, value] of authorization) ack.request.headers.add(name, value);
    const destination = this.#destinationOf(ack);
    if (!destination) return;
    sendAlone(this.#core, ack.request, destination);
  }

  /** RFC 3515 §2.4.2. NOTIFYs may come before the 202. A later REFER takes the place of one that is under way. */
  refer(referTo: string, watcher: SipReferWatcher): void {
    const headers = referHeaders(referTo, this.dialog.localAddress);
    const referral = new Referral(watcher);
    if (this.#phase !== 'confirmed') return referral.answered(481);
    this.#referral = referral;
    this.#sendRefer(headers, referral, null);
  }

  #sendRefer(headers: [string, string][], referral: Referral, attempt: { count: number; authorization: [string, string] } | null): void {
    const refer = requestWithin(this.dialog, 'REFER');
    const destination = this.#destinationOf(refer);
    if (!destination) return referral.answered(503);
    refer.request.headers.add('Contact', this.#core.identity.contact(wayTo(destination)));
    for (const [name, value] of [...headers, ...(attempt ? [attempt.authorization] : [])]) refer.request.headers.add(name, value);
    const answered = (response: SipResponse): void => {
      if (response.statusCode < 200) return;
      const count = attempt?.count ?? 0;
      const authorization = this.#authorizer.answer(response, refer.request, count);
      if (authorization && this.#phase === 'confirmed') this.#sendRefer(headers, referral, { count: count + 1, authorization });
      else referral.answered(response.statusCode);
    };
    sendRequest(this.#core, refer.request, { destination, user: { response: answered, failed: (reason) => referral.answered(reason === 'timeout' ? 408 : 503) } });
  }

  /** Ends the dialog from our side. Before the ACK came the BYE waits for it (RFC 3261 §15). */
  bye(reason: string | undefined): void {
    if (this.#phase === 'accepted') this.#byeWhenAcked ??= { reason };
    else if (this.#phase === 'confirmed') this.#sendBye(reason);
    else if (this.#phase === 'early') this.close();
  }

  #sendBye(reason: string | undefined, attempt: { count: number; authorization: [string, string] } | null = null): void {
    this.#phase = 'closing';
    this.#dropWaiting();
    const bye = requestWithin(this.dialog, 'BYE');
    if (reason !== undefined) bye.request.headers.add('Reason', reason);
    if (attempt) bye.request.headers.add(...attempt.authorization);
    const destination = this.#destinationOf(bye);
    if (!destination) return this.close();
    const user = { response: (response: SipResponse) => this.#byeAnswered(response, bye.request, { reason, count: attempt?.count ?? 0 }), failed: () => this.close() };
    sendRequest(this.#core, bye.request, { destination, user });
  }

  #byeAnswered(response: SipResponse, request: SipRequest, sent: { reason: string | undefined; count: number }): void {
    if (response.statusCode < 200) return;
    const authorization = this.#authorizer.answer(response, request, sent.count);
    if (authorization && this.#phase === 'closing') this.#sendBye(sent.reason, { count: sent.count + 1, authorization });
    else this.close();
  }

  /** Forgets the dialog without a word to the other side. */
  close(): void {
    this.#phase = 'closed';
    this.#dropWaiting();
    this.#core.dialogs.remove(this.#key, this);
  }

  #dropWaiting(): void {
    for (const awaited of [...this.#awaited.values()]) this.#forgetAwaited(awaited);
    const open = this.#openReoffer;
    this.#openReoffer = null;
    if (open) this.#reply(open, 487);
  }

  // ── our 200 until its ACK ──

  #awaitAck(transaction: ServerTransaction, response: SipResponse, acked: AwaitedAck['acked']): void {
    const cseq = transaction.core.cseq.number;
    const again = (): void => transaction.respond(response);
    const awaited: AwaitedAck = { cseq, repeat: new AnswerRepeat(this.#core.clock.nowMs()), again, acked, timer: null };
    this.#awaited.set(cseq, awaited);
    this.#arm(awaited);
  }

  #arm(awaited: AwaitedAck): void {
    awaited.timer = this.#core.clock.after(awaited.repeat.nextMs - this.#core.clock.nowMs(), () => this.#due(awaited));
  }

  #due(awaited: AwaitedAck): void {
    const what = awaited.repeat.expire(this.#core.clock.nowMs());
    if (what === 'give-up') return this.#ackMissed(awaited);
    if (what === 'send') awaited.again();
    if (this.#awaited.get(awaited.cseq) === awaited) this.#arm(awaited);
  }

  /** RFC 3261 §13.3.1.4, §14.2. */
  #ackMissed(awaited: AwaitedAck): void {
    this.#forgetAwaited(awaited);
    const ours = this.#byeWhenAcked;
    this.#sendBye(ours ? ours.reason : undefined);
    if (!ours) this.#owner.ackMissed();
  }

  #forgetAwaited(awaited: AwaitedAck): void {
    awaited.timer?.cancel();
    this.#awaited.delete(awaited.cseq);
  }

  // ── words and ways ──

  #reply(transaction: ServerTransaction, statusCode: number, options: ResponseOptions = {}): void {
    transaction.respond(this.#response(transaction, statusCode, options));
  }

  #response(transaction: ServerTransaction, statusCode: number, options: ResponseOptions): SipResponse {
    const headers = [...(options.headers ?? []), ['Server', this.#core.identity.product] as const];
    return buildResponse(transaction.request, statusCode, { ...options, toTag: this.dialog.localTag, headers });
  }

  #contactFor(transaction: ServerTransaction): [string, string][] {
    const { transport, address } = transaction.source;
    return [['Contact', this.#core.identity.contact({ transport, peer: address })]];
  }

  /** The next hop's own words. But a phone behind NAT, or one that says so (`ob`, RFC 5626 §4.3), is reached on the connection it opened, or where its datagrams come from. */
  #destinationOf(request: DialogRequest): Destination | null {
    if (!request.nextHop) return null;
    const destination = destinationOf(request.nextHop);
    const source = this.#source;
    if (this.dialog.routeSet.length > 0 || destination.transport !== source.transport) return destination;
    const direct = isReliable(source.transport) ? this.#core.layer.hasConnection(source) : request.nextHop.params.has('ob') || behindNat(destination.host, source.address);
    return direct ? { transport: source.transport, host: source.address, port: source.port, address: source.address } : destination;
  }
}
