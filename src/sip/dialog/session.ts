import type { SipBody, SipEnding, SipReferWatcher, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { Authorizer } from '../digest/authorizer.ts';
import { ALLOW } from '../identity.ts';
import { bodyOf } from '../message/body.ts';
import { buildResponse, type ResponseOptions } from '../message/build.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/message.ts';
import { requires, SUPPORTED } from '../message/option-tags.ts';
import { parseNumber } from '../message/grammar.ts';
import type { MessageCore } from '../message/request-core.ts';
import { unsupportedOf } from '../message/request-core.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import { AwaitedAcks } from './awaited-acks.ts';
import { Descriptions } from './descriptions.ts';
import { DialogRequests } from './dialog-requests.ts';
import { dialogKey, type DialogUser } from './dialog-table.ts';
import { OurOffers, type OfferResult } from './our-offers.ts';
import { IncomingRefer, readRefer } from './incoming-refer.ts';
import { readReferNotice, referHeaders, Referral } from './referral.ts';
import { ProvisionalOrder, type ReliableProvisionals } from './reliable-provisionals.ts';
import { refreshTarget, takeRemoteCSeq, type Dialog } from './dialog.ts';
import { SessionKeeper } from './session-keeper.ts';
import { TheirOffers, type OfferOwner } from './their-offers.ts';

/** The call a dialog belongs to. */
export interface SessionOwner extends OfferOwner {
  /** BYE came and was answered. */
  byeReceived(reason: string | undefined): void;
  infoReceived(body: SipBody | null): void;
  /** It is over though nobody wanted it: no ACK in 32 s for a 200 of ours, no refresh, the other side knows nothing of it. BYE is on its way. */
  dialogOver(ending: SipEnding): void;
  referReceived(refer: IncomingRefer): void;
}

type Phase = 'early' | 'accepted' | 'confirmed' | 'closing' | 'closed';

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

const EXPIRED = 'SIP;cause=408;text="Session timer expired"';

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
  readonly #descriptions: Descriptions;
  readonly #keeper: SessionKeeper;
  readonly #ours: OurOffers;
  readonly #theirs: TheirOffers;
  readonly #order = new ProvisionalOrder();
  /** Of the answers to the INVITE that called us. */
  #provisionals: ReliableProvisionals | null = null;
  #phase: Phase = 'early';
  /** As the other side says by Allow; null until it does. */
  #updatable: boolean | null = null;
  #referral: Referral | null = null;
  #refers = 0;
  #byeWhenAcked: { reason: string | undefined } | null = null;

  constructor(core: SipCore, parts: SessionParts) {
    const { dialog, owner, role } = parts;
    this.#core = core;
    this.dialog = dialog;
    this.#owner = owner;
    this.#role = role;
    const described = bodyOf(parts.invite);
    this.#descriptions = new Descriptions(role === 'called' ? { local: null, remote: described } : { local: described, remote: null });
    this.#requests = new DialogRequests(core, { dialog, source: parts.source, authorizer: parts.authorizer ?? new Authorizer(null) });
    this.#acks = new AwaitedAcks(core.clock, () => this.#ackMissed());
    this.#keeper = new SessionKeeper({ clock: core.clock, intervalS: core.sessionIntervalS, refresh: () => this.#refresh(), expired: () => this.#giveUp({ cause: 'session-expired' }, EXPIRED) });
    this.#ours = this.#makeOurOffers();
    this.#theirs = this.#makeTheirOffers();
    if (role === 'called') this.#noteAllow(parts.invite);
    this.#key = dialogKey(dialog.callId, dialog.localTag, dialog.remoteTag);
    core.dialogs.add(this.#key, this);
  }

  #makeOurOffers(): OurOffers {
    return new OurOffers({
      ...{ clock: this.#core.clock, requests: this.#requests, ownsCallId: this.#role === 'calling' },
      ready: () => !this.#theirs.open && this.#acks.size === 0 && (this.#phase === 'confirmed' || this.#phase === 'early'),
      headers: () => (this.#phase === 'confirmed' ? this.#keeper.ask() : []),
      raise: (refusal) => this.#keeper.raise(refusal),
    });
  }

  #makeTheirOffers(): TheirOffers {
    return new TheirOffers({
      ...{ owner: this.#owner, role: this.#role, descriptions: this.#descriptions, keeper: this.#keeper, acks: this.#acks, ours: this.#ours },
      phase: () => this.#phase,
      reply: (transaction, statusCode, options) => {
        const response = this.#response(transaction, statusCode, options ?? {});
        transaction.respond(response);
        return () => transaction.respond(response);
      },
      contactFor: (transaction) => this.#contactFor(transaction),
      accepted: (request) => {
        refreshTarget(this.dialog, request);
        this.#noteAllow(request);
      },
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Their last word on the session. */
  get remoteDescription(): SipBody | null {
    return this.#descriptions.remote;
  }

  // ── what comes ──

  requestReceived(transaction: ServerTransaction): void {
    const { request, core } = transaction;
    if (!takeRemoteCSeq(this.dialog, core.cseq.number)) return this.#reply(transaction, 500, { reasonPhrase: 'CSeq Out Of Order' });
    const unsupported = unsupportedOf(request);
    if (unsupported.length > 0) return this.#reply(transaction, 420, { headers: [['Unsupported', unsupported.join(', ')]] });
    if (request.method === 'BYE') return this.#byeReceived(transaction);
    if (this.#phase === 'closing' || this.#phase === 'closed') return this.#reply(transaction, 481);
    if (request.method === 'INVITE' || request.method === 'UPDATE') return this.#theirs.received(transaction);
    if (request.method === 'PRACK') return this.#prackReceived(transaction);
    if (request.method === 'OPTIONS') return this.#reply(transaction, 200, { headers: [['Allow', ALLOW], SUPPORTED] });
    if (request.method === 'NOTIFY') return this.#notified(transaction);
    if (request.method === 'REFER') return this.#referReceived(transaction);
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
    this.#theirs.prackReceived(transaction, () => provisionals.acknowledged());
  }

  /** Only our own REFER made a subscription (RFC 3515 §2.4.4). */
  #notified(transaction: ServerTransaction): void {
    const notice = readReferNotice(transaction.request);
    if (!notice) return this.#reply(transaction, 489, { headers: [['Allow-Events', 'refer']] });
    if (!this.#referral) return this.#reply(transaction, 481, { reasonPhrase: 'Subscription Does Not Exist' });
    this.#reply(transaction, 200, { headers: this.#contactFor(transaction) });
    this.#referral.notified(notice);
  }

  /** RFC 3515 §2.4.2. */
  #referReceived(transaction: ServerTransaction): void {
    const asked = readRefer(transaction.request);
    if (typeof asked === 'number') return this.#reply(transaction, asked);
    if (this.#phase !== 'confirmed') return this.#reply(transaction, 500, { headers: [['Retry-After', '1']] });
    const refer = new IncomingRefer(asked, {
      eventId: this.#refers++ === 0 ? null : String(transaction.core.cseq.number),
      answer: (statusCode, { headers, reasonPhrase }) => this.#reply(transaction, statusCode, { headers: [...headers, ...(statusCode < 300 ? this.#contactFor(transaction) : [])], ...(reasonPhrase !== undefined && { reasonPhrase }) }),
      notify: (headers, fragment, lost) => this.#notify(headers, fragment, lost),
    });
    this.#owner.referReceived(refer);
    if (!refer.answered) refer.reject(603);
  }

  #notify(headers: [string, string][], fragment: string, lost: () => void): boolean {
    if (this.#phase !== 'confirmed') return false;
    const body = { contentType: 'message/sipfrag;version=2.0', bytes: Buffer.from(fragment) };
    this.#requests.send({ method: 'NOTIFY', headers, body, contact: true, wanted: () => this.#phase === 'confirmed', answered: ({ statusCode }) => void (statusCode >= 300 && lost()), failed: lost });
    return true;
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
    this.#descriptions.answered(this.#descriptions.remote, answer);
  }

  /** 200, repeated until ACK. `body` null: it went ahead in a provisional answer. */
  accept(transaction: ServerTransaction, body: SipBody | null, confirmed: (body: SipBody | null) => void): void {
    const { request } = transaction;
    this.#phase = 'accepted';
    const offer = bodyOf(request);
    if (body) this.#descriptions.answered(offer, body);
    const headers: [string, string][] = [...this.#contactFor(transaction), ['Allow', ALLOW], SUPPORTED, ...this.#keeper.answer(request)];
    const response = this.#response(transaction, 200, { headers, ...(body && { body }) });
    transaction.respond(response);
    const acked = (ackBody: SipBody | null): void => {
      if (this.#phase !== 'accepted') return;
      this.#phase = 'confirmed';
      if (!offer) this.#descriptions.taken(body, ackBody);
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
    this.#noteAllow(response);
    const body = bodyOf(response);
    if (body && !this.#descriptions.settled) this.#descriptions.remote = body;
    if (rseq === null) return true;
    if (body) this.#descriptions.taken(null, body);
    const headers: [string, string][] = [['RAck', `${rseq} ${inviteCSeq} INVITE`]];
    this.#requests.send({ method: 'PRACK', headers, wanted: () => this.#phase !== 'closed', answered: () => {}, failed: () => {} });
    return true;
  }

  /** The first 2xx: its route set is the one that holds, whatever a provisional answer said (RFC 3261 §13.2.2.4). */
  established(response: SipResponse): void {
    this.dialog.routeSet = response.headers.list('record-route').reverse();
    refreshTarget(this.dialog, response);
    this.#noteAllow(response);
    const body = bodyOf(response);
    // An answer that came reliably is the answer (RFC 3262 §5).
    if (!this.#descriptions.settled) this.#descriptions.taken(null, body ?? this.#descriptions.remote);
    this.#keeper.answered(response);
  }

  /** The ACK, first and for every 2xx that comes again (RFC 3261 §13.2.2.4). */
  sendAck(inviteCSeq: number, authorization: [string, string][]): void {
    if (this.#phase === 'early') this.#phase = 'confirmed';
    this.#requests.acknowledge(inviteCSeq, authorization);
  }

  // ── what we do ──

  /** Offers anew: by re-INVITE, before the answer by UPDATE where the other side takes one (RFC 3311 §5.1). */
  reoffer(offer: SipBody, answered: (statusCode: number, answer: SipBody | null) => void): void {
    const early = this.#phase === 'early' && this.#descriptions.settled && this.#updatable === true;
    if (!early && this.#phase !== 'confirmed') return answered(481, null);
    const done = (result: OfferResult): void => {
      if (!('response' in result)) {
        answered(result.statusCode, null);
        return this.#ifLost(result.statusCode);
      }
      this.#refreshed(result.response);
      this.#descriptions.taken(offer, bodyOf(result.response));
      answered(result.response.statusCode, bodyOf(result.response));
    };
    this.#ours.send({ method: early ? 'UPDATE' : 'INVITE', body: offer, done });
  }

  /** RFC 4028 §7.4: by UPDATE without a word on the session, else by INVITE with the description in force. */
  #refresh(): void {
    const { local } = this.#descriptions;
    const byUpdate = this.#updatable === true;
    if (this.#phase !== 'confirmed' || (!byUpdate && !local)) return this.#keeper.refreshFailed();
    this.#ours.send({ method: byUpdate ? 'UPDATE' : 'INVITE', body: byUpdate ? null : local, done: (result) => this.#refreshAnswered(result) });
  }

  #refreshAnswered(result: OfferResult): void {
    if ('response' in result) {
      this.#refreshed(result.response);
      const body = bodyOf(result.response);
      if (body && this.#descriptions.taken(null, body)) this.#owner.reofferAnswered(body);
      return;
    }
    this.#ifLost(result.statusCode);
    if (this.#phase !== 'confirmed') return;
    const mute = result.statusCode === 405 || result.statusCode === 501;
    if (mute && this.#updatable) {
      this.#updatable = false;
      return this.#refresh();
    }
    this.#keeper.refreshFailed();
  }

  #refreshed(response: SipResponse): void {
    refreshTarget(this.dialog, response);
    this.#noteAllow(response);
    if (this.#phase === 'confirmed') this.#keeper.answered(response);
  }

  /** RFC 3261 §12.2.1.2. */
  #ifLost(statusCode: number): void {
    if (statusCode === 481 || statusCode === 408) this.#giveUp({ cause: 'dialog-lost', statusCode }, undefined);
  }

  #noteAllow({ headers }: SipMessage): void {
    if (headers.has('allow')) this.#updatable = headers.list('allow').some((method) => method.toUpperCase() === 'UPDATE');
  }

  /** RFC 3515 §2.4.2. NOTIFYs may come before the 202. A later REFER takes the place of one that is under way. */
  refer(referTo: string, watcher: SipReferWatcher): void {
    const headers = referHeaders(referTo, this.dialog.localAddress);
    const referral = new Referral(watcher);
    if (this.#phase !== 'confirmed') return referral.answered(481);
    this.#referral = referral;
    this.#requests.send({
      ...{ method: 'REFER', headers, contact: true, wanted: () => this.#phase === 'confirmed' },
      answered: (response) => referral.answered(response.statusCode),
      failed: (reason) => referral.answered(reason === 'timeout' ? 408 : 503),
    });
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
    this.#sendBye(reason);
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
    this.#keeper.stop();
    this.#ours.close();
    this.#theirs.close();
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
