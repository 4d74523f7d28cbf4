import type { ReofferAnswer, SipBody, SipReferWatcher, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { Authorizer } from '../digest/authorizer.ts';
import { ALLOW } from '../identity.ts';
import { bodyOf } from '../message/body.ts';
import { buildResponse, type ResponseOptions } from '../message/build.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import type { MessageCore } from '../message/request-core.ts';
import { unsupportedOf } from '../message/request-core.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import { AwaitedAcks } from './awaited-acks.ts';
import { DialogRequests } from './dialog-requests.ts';
import { dialogKey, type DialogUser } from './dialog-table.ts';
import { readReferNotice, referHeaders, Referral } from './referral.ts';
import { refreshTarget, takeRemoteCSeq, type Dialog } from './dialog.ts';

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
  readonly #key: string;
  readonly #requests: DialogRequests;
  readonly #acks: AwaitedAcks;
  #phase: Phase = 'early';
  #openReoffer: ServerTransaction | null = null;
  #referral: Referral | null = null;
  #byeWhenAcked: { reason: string | undefined } | null = null;

  constructor(core: SipCore, parts: SessionParts) {
    this.#core = core;
    this.dialog = parts.dialog;
    this.#owner = parts.owner;
    this.#role = parts.role;
    this.#requests = new DialogRequests(core, { dialog: parts.dialog, source: parts.source, authorizer: parts.authorizer ?? new Authorizer(null) });
    this.#acks = new AwaitedAcks(core.clock, () => this.#ackMissed());
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
    const acked = (body: SipBody | null): void => {
      if (offerless) this.#owner.reofferAnswered(body);
    };
    this.#acks.add(transaction.core.cseq.number, { again: () => transaction.respond(response), acked });
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
    this.#acks.received(core.cseq.number, bodyOf(ack));
  }

  // ── what we do ──

  /** 200 to the INVITE that opened the dialog, repeated until ACK. */
  accept(transaction: ServerTransaction, body: SipBody, confirmed: (body: SipBody | null) => void): void {
    const headers: [string, string][] = [...this.#contactFor(transaction), ['Allow', ALLOW]];
    const response = this.#response(transaction, 200, { headers, body });
    this.#phase = 'accepted';
    transaction.respond(response);
    const acked = (ackBody: SipBody | null): void => {
      if (this.#phase !== 'accepted') return;
      this.#phase = 'confirmed';
      if (this.#byeWhenAcked) this.#sendBye(this.#byeWhenAcked.reason);
      else confirmed(ackBody);
    };
    this.#acks.add(transaction.core.cseq.number, { again: () => transaction.respond(response), acked });
  }

  /** The ACK of the calling side, first and for every 2xx that comes again (RFC 3261 §13.2.2.4). */
  sendAck(inviteCSeq: number, authorization: [string, string][]): void {
    if (this.#phase === 'early') this.#phase = 'confirmed';
    this.#requests.acknowledge(inviteCSeq, authorization);
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

  /** Forgets the dialog without a word to the other side. */
  close(): void {
    this.#phase = 'closed';
    this.#dropWaiting();
    this.#core.dialogs.remove(this.#key, this);
  }

  #dropWaiting(): void {
    this.#acks.clear();
    const open = this.#openReoffer;
    this.#openReoffer = null;
    if (open) this.#reply(open, 487);
  }

  /** RFC 3261 §13.3.1.4, §14.2. */
  #ackMissed(): void {
    const ours = this.#byeWhenAcked;
    this.#sendBye(ours ? ours.reason : undefined);
    if (!ours) this.#owner.ackMissed();
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
}
