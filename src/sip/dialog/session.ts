import type { SipBody, SipEnding, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { Authorizer } from '../digest/authorizer.ts';
import { ALLOW } from '../identity.ts';
import { bodyOf } from '../message/body.ts';
import { buildResponse, type ResponseOptions } from '../message/build.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { requires, SUPPORTED } from '../message/option-tags.ts';
import { parseNumber } from '../message/grammar.ts';
import type { MessageCore } from '../message/request-core.ts';
import { unsupportedOf } from '../message/request-core.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import { AwaitedAcks } from './awaited-acks.ts';
import { DialogRequests } from './dialog-requests.ts';
import { dialogKey, type DialogUser } from './dialog-table.ts';
import { refreshTarget, takeRemoteCSeq, type Dialog, type DialogPhase } from './dialog.ts';
import type { IncomingRefer } from './incoming-refer.ts';
import { Negotiation } from './negotiation.ts';
import { ProvisionalOrder, type ReliableProvisionals } from './reliable-provisionals.ts';
import type { OfferOwner } from './their-offers.ts';
import { Transfers } from './transfers.ts';

/** The call a dialog belongs to. */
export interface SessionOwner extends OfferOwner {
  /** BYE came and was answered. */
  byeReceived(reason: string | undefined): void;
  infoReceived(body: SipBody | null): void;
  /** It is over though nobody wanted it: no ACK in 32 s for a 200 of ours, no refresh, the other side knows nothing of it. BYE is on its way, unless the INVITE has no final answer yet. */
  dialogOver(ending: SipEnding): void;
  referReceived(refer: IncomingRefer): void;
}

export interface SessionParts {
  dialog: Dialog;
  owner: SessionOwner;
  /** `called`: the other side invited us. */
  role: 'called' | 'calling';
  source: SipSource;
  /** That opens it. */
  invite: SipRequest;
  authorizer?: Authorizer;
}

/**
 * One live dialog: answers what comes inside it, repeats our 200 until its ACK, sends ACK, PRACK and BYE, keeps it refreshed.
 *
 *     early ──2xx──▶ accepted ──ACK──▶ confirmed ──BYE of ours──▶ closing ──answer──▶ closed
 *        ╲──────────────╲─────────────────╲──────────────BYE of theirs, close()──────▶ closed
 */
export class DialogSession implements DialogUser {
  readonly dialog: Dialog;
  readonly #core: SipCore;
  readonly #owner: SessionOwner;
  readonly #role: 'called' | 'calling';
  readonly #key: string;
  readonly #requests: DialogRequests;
  readonly #acks: AwaitedAcks;
  readonly #negotiation: Negotiation;
  readonly #transfers: Transfers;
  readonly #order = new ProvisionalOrder();
  /** Of the answers to the INVITE that called us. */
  #provisionals: ReliableProvisionals | null = null;
  #phase: DialogPhase = 'early';
  #byeWhenAcked: { reason: string | undefined } | null = null;

  constructor(core: SipCore, parts: SessionParts) {
    const { dialog, owner, role } = parts;
    this.#core = core;
    this.dialog = dialog;
    this.#owner = owner;
    this.#role = role;
    this.#requests = new DialogRequests(core, { dialog, source: parts.source, authorizer: parts.authorizer ?? new Authorizer(null) });
    this.#acks = new AwaitedAcks(core.clock, () => this.#ackMissed());
    this.#negotiation = this.#negotiate(parts.invite);
    this.#transfers = new Transfers({
      ...{ dialog, requests: this.#requests, confirmed: () => this.#phase === 'confirmed', received: (refer) => owner.referReceived(refer) },
      ...{ reply: (...answer) => this.#reply(...answer), contactFor: (transaction) => this.#contactFor(transaction), giveUp: (ending) => this.#giveUp(ending, undefined) },
    });
    this.#key = dialogKey(dialog.callId, dialog.localTag, dialog.remoteTag);
    core.dialogs.add(this.#key, this);
  }

  #negotiate(invite: SipRequest): Negotiation {
    return new Negotiation({
      ...{ core: this.#core, dialog: this.dialog, requests: this.#requests, acks: this.#acks, owner: this.#owner, role: this.#role, invite },
      phase: () => this.#phase,
      awaitsPrack: () => this.#provisionals?.holdsAnswer ?? false,
      reply: (transaction, statusCode, options = {}) => {
        const response = this.#response(transaction, statusCode, options);
        transaction.respond(response);
        return () => transaction.respond(response);
      },
      contactFor: (transaction) => this.#contactFor(transaction),
      giveUp: (ending, reason) => this.#giveUp(ending, reason),
    });
  }

  get phase(): DialogPhase {
    return this.#phase;
  }

  /** Their last word on the session. */
  get remoteDescription(): SipBody | null {
    return this.#negotiation.descriptions.remote;
  }

  // ── what comes ──

  requestReceived(transaction: ServerTransaction): void {
    const { request, core } = transaction;
    if (!takeRemoteCSeq(this.dialog, core.cseq.number)) return this.#reply(transaction, 500, { reasonPhrase: 'CSeq Out Of Order' });
    const unsupported = unsupportedOf(request);
    if (unsupported.length > 0) return this.#reply(transaction, 420, { headers: [['Unsupported', unsupported.join(', ')]] });
    if (request.method === 'BYE') return this.#byeReceived(transaction);
    if (this.#phase === 'closing' || this.#phase === 'closed') return this.#reply(transaction, 481);
    if (request.method === 'INVITE' || request.method === 'UPDATE') return this.#negotiation.theirs.received(transaction);
    if (request.method === 'PRACK') return this.#prackReceived(transaction);
    if (request.method === 'OPTIONS') return this.#reply(transaction, 200, { headers: [['Allow', ALLOW], SUPPORTED] });
    if (request.method === 'NOTIFY') return this.#transfers.notifyReceived(transaction);
    if (request.method === 'REFER') return this.#transfers.referReceived(transaction);
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

  /** RFC 3262 §3. */
  #prackReceived(transaction: ServerTransaction): void {
    const provisionals = this.#provisionals;
    const meant = provisionals?.isMeantBy(transaction.request.headers.get('rack')) ?? false;
    if (!provisionals || !meant) return this.#reply(transaction, 481);
    provisionals.hush();
    this.#negotiation.theirs.prackReceived(transaction, () => provisionals.acknowledged());
  }

  ackReceived(ack: SipRequest, core: MessageCore): void {
    this.#acks.received(core.cseq.number, bodyOf(ack));
  }

  // ── the INVITE that opened it, from the called side ──

  /** Whose PRACKs come here. */
  watch(provisionals: ReliableProvisionals): void {
    this.#provisionals = provisionals;
  }

  /** Our answer went in a provisional that must arrive. */
  answered(answer: SipBody): void {
    this.#negotiation.descriptions.answered(this.#negotiation.descriptions.remote, answer);
  }

  /** 200, repeated until ACK. `body` null: it went ahead in a provisional answer. */
  accept(transaction: ServerTransaction, body: SipBody | null, confirmed: (body: SipBody | null) => void): void {
    const { request } = transaction;
    this.#phase = 'accepted';
    const offer = bodyOf(request);
    if (body) this.#negotiation.descriptions.answered(offer, body);
    const headers: [string, string][] = [...this.#contactFor(transaction), ['Allow', ALLOW], SUPPORTED, ...this.#negotiation.keeper.answer(request)];
    const response = this.#response(transaction, 200, { headers, ...(body && { body }) });
    transaction.respond(response);
    const acked = (ackBody: SipBody | null): void => {
      if (this.#phase !== 'accepted') return;
      this.#phase = 'confirmed';
      if (!offer) this.#negotiation.descriptions.taken(body, ackBody);
      if (this.#byeWhenAcked) this.#sendBye(this.#byeWhenAcked.reason);
      else confirmed(ackBody);
    };
    this.#acks.add(transaction.core.cseq.number, { again: () => transaction.respond(response), acked });
  }

  // ── the INVITE that opened it, from the calling side ──

  /** A 101-199. False for one that was read already, or that comes before its turn: not to be read. A reliable one gets its PRACK (RFC 3262 §4). */
  progressed(response: SipResponse, inviteCSeq: number): boolean {
    const rseq = requires(response.headers, '100rel') ? parseNumber(response.headers.get('rseq') ?? '', 2 ** 32 - 1) : null;
    if (rseq !== null && this.#order.take(rseq) !== 'new') return false;
    this.#negotiation.noteAllow(response);
    const body = bodyOf(response);
    if (body && !this.#negotiation.descriptions.settled) this.#negotiation.descriptions.remote = body;
    if (rseq === null) return true;
    if (body) this.#negotiation.descriptions.taken(null, body);
    const headers: [string, string][] = [['RAck', `${rseq} ${inviteCSeq} INVITE`]];
    this.#requests.send({ method: 'PRACK', headers, wanted: () => this.#phase !== 'closed', answered: () => {}, failed: () => {} });
    return true;
  }

  /** The first 2xx: its route set is the one that holds, whatever a provisional answer said (RFC 3261 §13.2.2.4). */
  established(response: SipResponse): void {
    this.dialog.routeSet = response.headers.list('record-route').reverse();
    refreshTarget(this.dialog, response);
    this.#negotiation.noteAllow(response);
    const body = bodyOf(response);
    // An answer that came reliably is the answer (RFC 3262 §5).
    if (!this.#negotiation.descriptions.settled) this.#negotiation.descriptions.taken(null, body ?? this.#negotiation.descriptions.remote);
    this.#negotiation.keeper.answered(response);
  }

  /** The ACK, first and for every 2xx that comes again (RFC 3261 §13.2.2.4). */
  sendAck(inviteCSeq: number, authorization: [string, string][]): void {
    if (this.#phase === 'early') this.#phase = 'confirmed';
    this.#requests.acknowledge(inviteCSeq, authorization);
  }

  // ── what we do ──

  reoffer(...offer: Parameters<Negotiation['reoffer']>): void {
    this.#negotiation.reoffer(...offer);
  }

  refer(...refer: Parameters<Transfers['refer']>): void {
    this.#transfers.refer(...refer);
  }

  // ── endings ──

  /** Ends the dialog from our side. Before the ACK came the BYE waits for it (RFC 3261 §15). */
  bye(reason: string | undefined): void {
    if (this.#phase === 'accepted') this.#byeWhenAcked ??= { reason };
    else if (this.#phase === 'confirmed') this.#sendBye(reason);
    else if (this.#phase === 'early') this.close();
  }

  #sendBye(reason: string | undefined): void {
    this.#phase = 'closing';
    this.#dropWaiting();
    const headers: [string, string][] = reason === undefined ? [] : [['Reason', reason]];
    const over = (): void => this.close();
    this.#requests.send({ method: 'BYE', headers, wanted: () => this.#phase === 'closing', answered: over, failed: over });
  }

  /** RFC 3261 §13.3.1.4, §14.2. */
  #ackMissed(): void {
    const ours = this.#byeWhenAcked;
    if (ours) return this.#sendBye(ours.reason);
    this.#giveUp({ cause: 'ack-timeout' }, undefined);
  }

  #giveUp(ending: SipEnding, reason: string | undefined): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return;
    // An early dialog ends with the INVITE that opened it.
    if (this.#phase === 'early') this.close();
    else this.#sendBye(reason);
    this.#owner.dialogOver(ending);
  }

  /** Forgets the dialog without a word to the other side. */
  close(): void {
    this.#phase = 'closed';
    this.#dropWaiting();
    this.#core.dialogs.remove(this.#key, this);
  }

  #dropWaiting(): void {
    this.#acks.clear();
    this.#negotiation.close();
    this.#provisionals?.close();
  }

  // ── words ──

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
}
