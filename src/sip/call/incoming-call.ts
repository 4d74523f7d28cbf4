import type { Timer } from '../../base/clock.ts';
import type { IncomingSipCall, SipAuthentication, SipBody, SipCallEvents, SipEnding, SipParty, SipReferWatcher, SipReplaces, SipSecretLookup, SipSource } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { dialogOfServer } from '../dialog/dialog.ts';
import { ReliableProvisionals } from '../dialog/reliable-provisionals.ts';
import { DialogSession, type SessionOwner } from '../dialog/session.ts';
import { authenticate } from '../digest/authenticate.ts';
import { ALLOW, newTag } from '../identity.ts';
import { bodyOf } from '../message/body.ts';
import { buildResponse, type ResponseOptions } from '../message/build.ts';
import { headerKey } from '../message/header-names.ts';
import { percentDecode } from '../message/grammar.ts';
import { requires, SUPPORTED, supports } from '../message/option-tags.ts';
import { checkHeader, oneLine } from '../message/serialize.ts';
import { parseSipUri } from '../message/uri.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import { SipError } from '../errors.ts';
import { partyOf } from './party.ts';
import { SipCall } from './sip-call.ts';

/** A provisional answer is said again so often, or proxies give up (RFC 3261 §13.3.1.1). */
const PROVISIONAL_REPEAT_MS = 60_000;

/** A call to us, from INVITE to its end. */
export class IncomingCall extends SipCall<SipCallEvents> implements IncomingSipCall, SessionOwner {
  readonly callId: string;
  readonly source: SipSource;
  readonly requestUri: string;
  readonly requestUriUser: string;
  readonly requestUriHost: string;
  readonly from: SipParty;
  readonly to: SipParty;
  readonly body: SipBody | null;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly replaces: IncomingSipCall['replaces'];
  readonly #core: SipCore;
  readonly #transaction: ServerTransaction;
  readonly #session: DialogSession;
  readonly #forget: () => void;
  #state: IncomingSipCall['state'] = 'early';
  #provisionalTimer: Timer | null = null;
  readonly #provisionals: ReliableProvisionals;
  /** Our answer went ahead in a provisional one. */
  #described = false;
  /** A 200 that waits for the PRACK of such an answer. */
  #held: (() => void) | null = null;

  constructor(core: SipCore, transaction: ServerTransaction, { forget, replaces = null }: { forget: () => void; replaces?: IncomingSipCall['replaces'] }) {
    super();
    const { request, core: parsed, source } = transaction;
    const uri = parseSipUri(request.uri);
    this.#core = core;
    this.#transaction = transaction;
    this.#forget = forget;
    this.replaces = replaces;
    this.callId = parsed.callId;
    this.source = source;
    this.requestUri = request.uri;
    this.requestUriUser = percentDecode(uri?.user ?? '');
    this.requestUriHost = uri?.host ?? '';
    this.from = partyOf(parsed.from);
    this.to = partyOf(parsed.to);
    this.body = bodyOf(request);
    this.headers = request.headers.entries();
    this.#session = new DialogSession(core, { dialog: dialogOfServer(request, parsed, newTag()), owner: this, role: 'called', source, invite: request });
    this.#provisionals = new ReliableProvisionals({
      ...{ clock: core.clock, inviteCSeq: parsed.cseq.number },
      failed: () => this.#refuse(504, { cause: 'ack-timeout' }, { reasonPhrase: 'No PRACK' }),
      cleared: () => this.#acceptHeld(),
    });
    this.#session.watch(this.#provisionals);
    transaction.onFailed = () => this.#end({ cause: 'unreachable' });
  }

  get state(): IncomingSipCall['state'] {
    return this.#state;
  }

  /** To tag of all our answers to this INVITE. */
  get localTag(): string {
    return this.#session.dialog.localTag;
  }

  /** Of its dialog (RFC 3891 §3), while that lives. */
  isNamedBy({ callId, toTag, fromTag }: Readonly<SipReplaces>): boolean {
    const { dialog } = this.#session;
    return this.#state !== 'ended' && callId === this.callId && toTag === dialog.localTag && fromTag === dialog.remoteTag;
  }

  header(name: string): string[] {
    return this.#transaction.request.headers.lines(headerKey(name));
  }

  authenticate(secretsOf: SipSecretLookup): SipAuthentication {
    const { authentication, refusal } = authenticate(this.#core, this.#transaction, { proxy: true, secretsOf });
    if (refusal) this.reject(refusal.statusCode, refusal.reasonPhrase, refusal.headers);
    return authentication;
  }

  ring(options: { statusCode?: 180 | 183; body?: SipBody } = {}): void {
    if (this.#state !== 'early' || this.#held) return;
    this.#provisionalTimer?.cancel();
    const statusCode = options.statusCode ?? 180;
    // What answers an offer-less INVITE offers, and is not a provisional one of ours.
    const body = this.body && !this.#described ? options.body : undefined;
    const { headers } = this.#transaction.request;
    if (requires(headers, '100rel') || (body && supports(headers, '100rel'))) this.#provideReliably(statusCode, body);
    else this.#provide(statusCode, body, []);
    this.#provisionalTimer = this.#core.clock.after(PROVISIONAL_REPEAT_MS, () => this.ring(options));
  }

  /** RFC 3262 §3. */
  #provideReliably(statusCode: number, body: SipBody | undefined): void {
    // The first that arrives surely would have to hold an offer of ours (§5).
    if (!this.body) return;
    if (body) {
      this.#described = true;
      this.#session.answered(body);
    }
    this.#provisionals.send({ described: body !== undefined, send: (rseq) => this.#provide(statusCode, body, [['Require', '100rel'], ['RSeq', String(rseq)]]) });
  }

  #provide(statusCode: number, body: SipBody | undefined, more: [string, string][]): void {
    const contact: [string, string] = ['Contact', this.#core.identity.contact({ transport: this.source.transport, peer: this.source.address })];
    this.#respond(statusCode, { headers: [contact, ['Allow', ALLOW], SUPPORTED, ...more], ...(body && { body }) });
  }

  accept(options: { body: SipBody }): void {
    if (this.#state !== 'early' || this.#held) return;
    checkHeader('Content-Type', options.body.contentType);
    this.#provisionalTimer?.cancel();
    const accept = (): void => this.#accept(this.#described ? null : options.body);
    if (this.#provisionals.holdsAnswer) this.#held = accept;
    else accept();
  }

  #acceptHeld(): void {
    const held = this.#held;
    this.#held = null;
    if (this.#state === 'early') held?.();
  }

  #accept(answer: SipBody | null): void {
    this.#state = 'accepted';
    this.#provisionals.close();
    this.#session.accept(this.#transaction, answer, (body) => {
      if (this.#state !== 'accepted') return;
      this.#state = 'confirmed';
      this.emit('confirmed', body);
    });
  }

  reject(statusCode: number, reasonPhrase?: string, headers: [name: string, value: string][] = []): void {
    if (this.#state !== 'early') return;
    if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 699) throw new SipError(`a call is not rejected with ${statusCode}`);
    for (const [name, value] of headers) checkHeader(name, value);
    this.#refuse(statusCode, { cause: 'local', statusCode }, { ...(reasonPhrase !== undefined && { reasonPhrase: oneLine(reasonPhrase) }), headers });
  }

  hangup(options: { reason?: string } = {}): void {
    const reason = options.reason === undefined ? undefined : oneLine(options.reason);
    if (this.#state === 'early') return this.#refuse(603, { cause: 'local' }, { headers: reason === undefined ? [] : [['Reason', reason]] });
    if (this.#state === 'ended') return;
    this.#session.bye(reason);
    this.#end({ cause: 'local' });
  }

  reoffer(offer: SipBody, answered: (statusCode: number, answer: SipBody | null) => void): void {
    checkHeader('Content-Type', offer.contentType);
    this.#session.reoffer(offer, answered);
  }

  refer(referTo: string, watcher: SipReferWatcher): void {
    this.#session.refer(referTo, watcher);
  }

  /** CANCEL came. It changes nothing once we have answered (RFC 3261 §9.2). */
  cancelled(reason: string | undefined): void {
    if (this.#state !== 'early') return;
    this.#refuse(487, { cause: 'remote-cancel', ...(reason !== undefined && { reason }) });
  }

  serverStopped(): void {
    if (this.#state === 'early') return this.#refuse(503, { cause: 'server-stopped' }, { headers: [['Retry-After', '10']] });
    if (this.#state === 'ended') return;
    this.#session.bye(undefined);
    this.#end({ cause: 'server-stopped' });
  }

  #respond(statusCode: number, options: ResponseOptions = {}): void {
    const headers = [...(options.headers ?? []), ['Server', this.#core.identity.product] as const];
    this.#transaction.respond(buildResponse(this.#transaction.request, statusCode, { ...options, toTag: this.localTag, headers }));
  }

  #refuse(statusCode: number, ending: SipEnding, options: ResponseOptions = {}): void {
    this.#respond(statusCode, options);
    this.#session.close();
    this.#end(ending);
  }

  #end(ending: SipEnding): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'early') this.#session.close();
    this.#state = 'ended';
    this.#provisionalTimer?.cancel();
    this.#forget();
    this.emit('ended', ending);
  }

  // ── SessionOwner ──

  byeReceived(reason: string | undefined): void {
    if (this.#state === 'early') this.#respond(487);
    this.#end({ cause: 'remote-bye', ...(reason !== undefined && { reason }) });
  }

  dialogOver(ending: SipEnding): void {
    if (this.#state === 'early') this.#refuse(500, ending);
    else this.#end(ending);
  }
}
