import type { Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { OutgoingSipCall, OutgoingSipCallEvents, OutgoingSipCallOptions, SipBody, SipEnding, SipReferWatcher, SipReplaces, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { dialogOfClient } from '../dialog/dialog.ts';
import { DialogSession, type SessionOwner } from '../dialog/session.ts';
import { readMinSe, readSessionExpires } from '../dialog/session-timer.ts';
import { Authorizer } from '../digest/authorizer.ts';
import { newCallId } from '../identity.ts';
import { bodyOf } from '../message/body.ts';
import { cancelOf } from '../message/build.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { readCore, type MessageCore } from '../message/request-core.ts';
import { checkHeader, oneLine } from '../message/serialize.ts';
import { RoutedRequest } from '../resolve/routed-request.ts';
import type { ClientTransaction } from '../transaction/layer.ts';
import { GIVE_UP_MS } from '../transaction/timers.ts';
import type { Destination } from '../transport/destination.ts';
import { prepareInvite, type PreparedInvite } from './invite.ts';
import { SipCall } from './sip-call.ts';

const DEFAULT_RING_TIMEOUT_MS = 180_000;
/** How often a longer session is asked for. */
const MAX_INTERVALS = 3;
/** Branches of a fork we keep a dialog for. */
const MAX_FORKS = 16;

/** A call of ours, from INVITE to its end. */
export class OutgoingCall extends SipCall<OutgoingSipCallEvents> implements OutgoingSipCall, SessionOwner {
  readonly #core: SipCore;
  readonly #forget: () => void;
  readonly #authorizer: Authorizer;
  readonly #ringTimeoutMs: number;
  readonly #invite: PreparedInvite | null = null;
  readonly #callId: string;
  /** By To tag: one for each branch of a fork that answered. */
  readonly #sessions = new Map<string, DialogSession>();
  #chosen: DialogSession | null = null;
  #state: OutgoingSipCall['state'] = 'early';
  #transaction: RoutedRequest | null = null;
  readonly #silenceMs: number | undefined;
  readonly #mayReach: OutgoingSipCallOptions['mayReach'];
  /** An address was refused by `mayReach`. */
  #barred = false;
  #authorization: [name: string, value: string][] = [];
  #attempts: Record<number, number> = {};
  #provisional = false;
  #cancel: { reason: string | undefined } | null = null;
  /** Transactions whose CANCEL was sent. */
  readonly #cancelled = new WeakSet<ClientTransaction>();
  #answerHeaders: OutgoingSipCall['answerHeaders'] = [];
  #ringTimer: Timer | null = null;
  #giveUpTimer: Timer | null = null;

  constructor(core: SipCore, options: OutgoingSipCallOptions, forget: () => void) {
    super();
    this.#core = core;
    this.#forget = forget;
    this.#authorizer = new Authorizer(options.credentials ?? null);
    this.#silenceMs = options.silenceTimeoutMs;
    this.#mayReach = options.mayReach;
    this.#ringTimeoutMs = options.ringTimeoutMs ?? DEFAULT_RING_TIMEOUT_MS;
    try {
      this.#invite = prepareInvite(core, options);
      this.#callId = this.#invite.request.headers.get('call-id') ?? '';
    } catch (error) {
      this.#callId = newCallId();
      core.log.warn({ reason: messageOf(error) }, 'an outgoing SIP call cannot be placed');
      queueMicrotask(() => this.#end({ cause: 'rejected', statusCode: 400, reasonPhrase: messageOf(error) }));
      return;
    }
    queueMicrotask(() => this.#start());
  }

  get callId(): string {
    return this.#callId;
  }

  get answerHeaders(): OutgoingSipCall['answerHeaders'] {
    return this.#answerHeaders;
  }

  get state(): OutgoingSipCall['state'] {
    return this.#state;
  }

  /** Where the INVITE went; the address is the name until it is resolved. */
  get source(): SipSource {
    const to = this.#transaction?.destination ?? this.#invite?.destination;
    return { transport: to?.transport ?? 'udp', address: to?.address ?? to?.host ?? '', port: to?.port ?? 0 };
  }

  /** Of one of its dialogs (RFC 3891 §3), while that lives. */
  isNamedBy({ callId, toTag, fromTag }: Readonly<SipReplaces>): boolean {
    const session = this.#chosen ?? this.#sessions.get(fromTag);
    return this.#state !== 'ended' && callId === this.#callId && session?.dialog.remoteTag === fromTag && session.dialog.localTag === toTag;
  }

  hangup(options: { reason?: string } = {}): void {
    this.#leave({ cause: 'local' }, options.reason === undefined ? undefined : oneLine(options.reason));
  }

  reoffer(offer: SipBody, answered: (statusCode: number, answer: SipBody | null) => void): void {
    checkHeader('Content-Type', offer.contentType);
    const session = this.#chosen ?? [...this.#sessions.values()].at(-1);
    if (session) session.reoffer(offer, answered);
    else answered(481, null);
  }

  refer(referTo: string, watcher: SipReferWatcher): void {
    if (this.#chosen) this.#chosen.refer(referTo, watcher);
    else watcher.answered(481);
  }

  serverStopped(): void {
    this.#leave({ cause: 'server-stopped' }, undefined);
  }

  // ── INVITE and its answers ──

  #start(): void {
    if (this.#state === 'ended' || !this.#invite) return;
    this.#ringTimer = this.#core.clock.after(this.#ringTimeoutMs, () => this.#leave({ cause: 'ring-timeout' }, undefined));
    this.#send(this.#invite);
  }

  #send(invite: PreparedInvite): void {
    this.#provisional = false;
    const user = {
      response: (response: SipResponse) => this.#answered(response),
      failed: (reason: 'timeout' | 'transport') => this.#over({ cause: 'unreachable', reasonPhrase: reason === 'timeout' ? 'No Answer To INVITE' : this.#barred ? 'Address Not Allowed' : 'Not Sent' }),
      late: (response: SipResponse, transaction: ClientTransaction) => this.#answeredLate(response, transaction),
    };
    const request = { ...invite.request, headers: invite.request.headers.clone() };
    for (const [name, value] of this.#authorization) request.headers.add(name, value);
    const routed = new RoutedRequest(this.#core, request, { destination: invite.destination, user, mayReach: (place) => this.#isOpen(place), ...(this.#silenceMs !== undefined && { silenceMs: this.#silenceMs }) });
    this.#transaction = routed;
    routed.start();
  }

  #isOpen({ address, host, port }: Destination): boolean {
    const open = this.#mayReach?.({ address: address ?? host, port }) ?? true;
    if (!open) this.#barred = true;
    return open;
  }

  #answered(response: SipResponse): void {
    const core = readCore(response);
    const request = this.#transaction?.request;
    if (!core || !request) return;
    if (response.statusCode < 200) return this.#progressed(response, request, core);
    if (response.statusCode < 300) return this.#succeeded(response, request, core);
    this.#refused(response, request);
  }

  /** From a server that was given up for its silence: it may not ring on, nor wait for an ACK. */
  #answeredLate(response: SipResponse, transaction: ClientTransaction): void {
    const core = readCore(response);
    if (!core || response.statusCode >= 300) return;
    if (response.statusCode < 200) return this.#cancelOnce(transaction);
    const session = this.#sessionOf(response, transaction.request, core);
    if (!session) return;
    const repeated = session.phase !== 'early';
    if (!repeated) session.established(response);
    session.sendAck(core.cseq.number, this.#authorization);
    if (!repeated) session.bye(undefined);
  }

  #cancelOnce(invite: ClientTransaction): void {
    if (this.#cancelled.has(invite)) return;
    this.#cancelled.add(invite);
    const cancel = cancelOf(invite.request);
    const reason = invite === this.#transaction ? this.#cancel?.reason : undefined;
    if (reason !== undefined) cancel.headers.add('Reason', reason);
    const branch = readCore(cancel)?.via.params.get('branch') ?? '';
    this.#core.layer.request(cancel, { branch, destination: invite.destination, user: { response: () => {}, failed: () => {} } });
  }

  #progressed(response: SipResponse, request: SipRequest, core: MessageCore): void {
    if (this.#chosen) return;
    this.#provisional = true;
    if (this.#cancel) return this.#sendCancel();
    if (response.statusCode === 100) return;
    // Read once and in order, where the other side makes sure that it arrives.
    if (this.#sessionOf(response, request, core)?.progressed(response, core.cseq.number) === false) return;
    this.emit('progressed', response.statusCode, bodyOf(response));
  }

  #sessionOf(response: SipResponse, request: SipRequest, core: MessageCore): DialogSession | null {
    const known = this.#sessions.get(core.toTag);
    if (known || this.#sessions.size >= MAX_FORKS) return known ?? null;
    const dialog = dialogOfClient(request, response, core);
    if (!dialog) return null;
    const session = new DialogSession(this.#core, { dialog, owner: this, role: 'calling', source: this.source, invite: request, authorizer: this.#authorizer });
    this.#sessions.set(core.toTag, session);
    return session;
  }

  /** RFC 3261 §13.2.2.4: the first 2xx is the call; those of other branches are acknowledged and hung up. */
  #succeeded(response: SipResponse, request: SipRequest, core: MessageCore): void {
    const session = this.#sessionOf(response, request, core);
    if (!session) return this.#over({ cause: 'rejected', statusCode: 500, reasonPhrase: 'Answer Without Tag' });
    const repeated = session.phase !== 'early';
    if (!repeated) session.established(response);
    session.sendAck(core.cseq.number, this.#authorization);
    if (repeated) return;
    if (this.#chosen || this.#state === 'ended') return this.#hangUpBranch(session);
    this.#chosen = session;
    this.#answerHeaders = response.headers.entries();
    this.#closeSessions(session);
    this.#stopTimers();
    this.#state = 'accepted';
    this.emit('accepted', session.remoteDescription);
    if (this.#state !== 'accepted') return;
    this.#state = 'confirmed';
    this.emit('confirmed', null);
  }

  #hangUpBranch(session: DialogSession): void {
    session.bye(undefined);
    if (!this.#chosen) this.#released();
  }

  #refused(response: SipResponse, request: SipRequest): void {
    const attempt = this.#attempts[response.statusCode] ?? 0;
    const authorization = this.#cancel ? null : this.#authorizer.answer(response, request, attempt);
    if (authorization && this.#invite && this.#state === 'early') return this.#sendAgain(authorization, response.statusCode);
    if (response.statusCode === 422 && attempt < MAX_INTERVALS && !this.#cancel && this.#lengthen(response)) return this.#sendAgain(null, 422);
    const reason = response.headers.get('reason');
    this.#answerHeaders = response.headers.entries();
    this.#over({ cause: 'rejected', statusCode: response.statusCode, reasonPhrase: response.reasonPhrase, ...(reason !== undefined && { reason }) });
  }

  /** The session interval that a 422 wants (RFC 4028 §7.3). False when that is not longer than what was asked. */
  #lengthen(refusal: SipResponse): boolean {
    const headers = this.#invite?.request.headers;
    const wantedS = readMinSe(refusal.headers);
    if (!headers || wantedS <= (readSessionExpires(headers)?.intervalS ?? Infinity)) return false;
    headers.set('Session-Expires', String(wantedS)).set('Min-SE', String(wantedS));
    return true;
  }

  /** RFC 3261 §22.2: same Call-ID and From, next CSeq. */
  #sendAgain(authorization: [name: string, value: string] | null, statusCode: number): void {
    if (!this.#invite) return;
    this.#attempts[statusCode] = (this.#attempts[statusCode] ?? 0) + 1;
    if (authorization) this.#authorization = [...this.#authorization.filter(([name]) => name !== authorization[0]), authorization];
    const headers = this.#invite.request.headers;
    headers.set('CSeq', `${Number.parseInt(headers.get('cseq') ?? '1', 10) + 1} INVITE`);
    this.#closeSessions(null);
    this.#send(this.#invite);
  }

  // ── endings ──

  /** From our side, at any time. */
  #leave(ending: SipEnding, reason: string | undefined): void {
    if (this.#state === 'ended') return;
    if (this.#chosen) {
      this.#chosen.bye(reason);
    } else if (this.#transaction) {
      this.#cancel = { reason };
      this.#transaction.settle();
      if (!this.#transaction.sent) return this.#leaveUnsent(ending, this.#transaction);
      if (this.#provisional) this.#sendCancel();
    }
    this.#end(ending);
  }

  /** While its server was looked for. */
  #leaveUnsent(ending: SipEnding, transaction: RoutedRequest): void {
    transaction.abandon();
    this.#over(ending);
  }

  /** RFC 3261 §9.1: not before a provisional answer, and no longer than 64·T1 for what comes of it. */
  #sendCancel(): void {
    const invite = this.#transaction;
    if (!invite || this.#cancelled.has(invite)) return;
    this.#cancelOnce(invite);
    this.#giveUpTimer = this.#core.clock.after(GIVE_UP_MS, () => {
      invite.abandon();
      this.#released();
    });
  }

  /** The INVITE is over without a call. */
  #over(ending: SipEnding): void {
    this.#end(ending);
    this.#released();
  }

  #end(ending: SipEnding): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#ringTimer?.cancel();
    this.emit('ended', ending);
    if (!this.#transaction || this.#chosen) this.#forget();
  }

  /** Nothing more will come of the INVITE. */
  #released(): void {
    this.#stopTimers();
    this.#closeSessions(null);
    this.#forget();
  }

  #stopTimers(): void {
    this.#ringTimer?.cancel();
    this.#giveUpTimer?.cancel();
  }

  /** Early dialogs of other branches; one that is being hung up closes itself. */
  #closeSessions(except: DialogSession | null): void {
    for (const [tag, session] of this.#sessions) {
      if (session === except || session.phase !== 'early') continue;
      session.close();
      this.#sessions.delete(tag);
    }
  }

  // ── SessionOwner ──

  byeReceived(reason: string | undefined): void {
    this.#end({ cause: 'remote-bye', ...(reason !== undefined && { reason }) });
  }

  dialogOver(ending: SipEnding): void {
    if (this.#chosen) return this.#end(ending);
    // Should its 200 be on the way, that opens it anew, to be hung up.
    for (const [tag, { phase }] of this.#sessions) if (phase === 'closed') this.#sessions.delete(tag);
    this.#leave(ending, undefined);
  }
}
