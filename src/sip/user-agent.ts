import { Emitter } from '../base/emitter.ts';
import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { chooseOwnAddress } from './transport/own-address.ts';
import { IncomingCall } from './call/incoming-call.ts';
import { OutgoingCall } from './call/outgoing-call.ts';
import { replacedCall } from './call/replacing.ts';
import { probe } from './call/probe.ts';
import type { OutgoingSipCall, OutgoingSipCallOptions, SipContact, SipPorts, SipReplaces, SipProbeOptions, SipProbeResult, SipRegistration, SipRegistrationOptions, SipServer, SipSource, SipUserAgentEvents, SipUserAgentOptions } from './contract.ts';
import type { SipCore } from './core.ts';
import { Door, type RefusalAtDoor } from './defence/door.ts';
import { DoorLog } from './defence/door-log.ts';
import { SpokenTo } from './defence/spoken-to.ts';
import { DialogTable } from './dialog/dialog-table.ts';
import { DEFAULT_SESSION_S } from './dialog/session-timer.ts';
import { DigestGuard } from './digest/guard.ts';
import { Identity, newTag } from './identity.ts';
import { buildResponse } from './message/build.ts';
import { LIMITS, type SipRequest, type SipResponse } from './message/message.ts';
import { parseMessage, type Defect } from './message/parse.ts';
import { readCore, requestDefect, type MessageCore } from './message/request-core.ts';
import { parseSipUri } from './message/uri.ts';
import { withSource } from './message/via.ts';
import { refusalOutsideDialog, viaOfUnreadable, type Refusal } from './refusals.ts';
import { routeTo } from './registration/contact-route.ts';
import { IncomingRegister } from './registration/incoming-register.ts';
import { OutgoingRegistration } from './registration/outgoing-registration.ts';
import { DEFAULT_NAT_KEEP_ALIVE_MS, NatKeepAlive } from './registration/nat-keep-alive.ts';
import { Registrar } from './registration/registrar.ts';
import { readSavedBindings } from './registration/saved-bindings.ts';
import { watchContact } from './registration/contact-watch.ts';
import type { Dns } from './resolve/dns.ts';
import { Routes } from './resolve/routes.ts';
import { TransactionLayer, type MessageSender, type ServerTransaction } from './transaction/layer.ts';
import { defaultPortOf, destinationOf } from './transport/destination.ts';
import type { WebSocketUpgrade } from './transport/upgrade.ts';
import { SystemDns } from './transport/system-dns.ts';
import { Transports } from './transport/transports.ts';

/** How often registrations that ran out are looked for. */
const SWEEP_MS = 60_000;
/** How long `stop` waits for answers to its BYE and CANCEL. */
const STOP_WAIT_MS = 1_500;
const STOP_POLL_MS = 20;

/** A user agent that is not listening yet; `start` binds its sockets. */
export function createSipUserAgent(options: SipUserAgentOptions, deps: UserAgentDeps): SipServer {
  const { clock, log, dns = new SystemDns(clock) } = deps;
  return createSipUserAgentOver((events) => new Transports({ clock, log, ...events, ...(options.tls && { tls: options.tls }) }), options, { ...deps, dns });
}

export interface UserAgentDeps {
  clock: Clock;
  log: Log;
  /** Default: that of this machine; over another carrier none, names are left to it. */
  dns?: Dns;
}

export interface SipCarrierEvents {
  /** `defect`: what is wrong with its frame. */
  received: (bytes: Buffer, source: SipSource, defect?: Defect) => void;
  /** A connection that somebody opened to us is closed. */
  closed: (source: SipSource) => void;
}

/** What carries messages: sockets, or a test that plays them. */
export interface SipCarrier extends MessageSender {
  readonly ports: SipPorts;
  handleUpgrade?: SipServer['handleUpgrade'];
  readonly connectionCount: number;
  /** The connection of a request asks to carry requests to its sender too. */
  alias?(source: SipSource, sentByPort: number): void;
  /** As of `Transports`. Default: either. */
  readonly family?: 0 | 4 | 6;
  start(addresses: readonly string[], port: number): Promise<void>;
  stop(): Promise<void>;
}

/** As `createSipUserAgent`, over another carrier. Its events never throw. */
export function createSipUserAgentOver(
  carrier: (events: SipCarrierEvents) => SipCarrier,
  options: SipUserAgentOptions,
  deps: UserAgentDeps,
): SipServer {
  return new UserAgent(carrier, options, deps);
}

class UserAgent extends Emitter<SipUserAgentEvents> implements SipServer {
  readonly #options: SipUserAgentOptions;
  readonly #core: SipCore;
  readonly #transports: SipCarrier;
  readonly #calls = new Set<IncomingCall | OutgoingCall>();
  /** Calls that may still be cancelled, by the transaction of their INVITE. */
  readonly #byInvite = new WeakMap<ServerTransaction, IncomingCall>();
  readonly #registrar = new Registrar();
  readonly #registrations = new Set<OutgoingRegistration>();
  readonly #natKeepAlive: NatKeepAlive;
  #sweptMs = 0;
  #stopping = false;

  constructor(carrier: Parameters<typeof createSipUserAgentOver>[0], options: SipUserAgentOptions, deps: UserAgentDeps) {
    super();
    const { clock, log } = deps;
    this.#options = options;
    this.#transports = carrier({ received: (...message) => this.#received(...message), closed: (source) => this.#registrar.flowClosed(source) });
    const addressFor = options.addressFor ?? chooseOwnAddress({ bind: addressesOf(options) });
    const identity = new Identity({ product: options.product, addressFor, ports: () => this.#transports.ports });
    const door = new Door(options.door ?? { strangerRatePerS: null });
    const sender = new SpokenTo(this.#transports, { door, clock });
    const routes = new Routes({ clock, dns: deps.dns ?? null, family: () => this.#transports.family ?? 0 });
    this.#core = { clock, log, identity, layer: new TransactionLayer({ clock, log, sender }), dialogs: new DialogTable(), guard: new DigestGuard(options.digestAlgorithms), door, doorLog: new DoorLog(log), routes, sessionIntervalS: options.sessionIntervalS ?? DEFAULT_SESSION_S };
    this.#natKeepAlive = new NatKeepAlive(this.#core, { registrar: this.#registrar, intervalMs: options.natKeepAliveMs ?? DEFAULT_NAT_KEEP_ALIVE_MS });
  }

  get ports(): SipPorts {
    return this.#transports.ports;
  }

  get refusedAtDoor(): Readonly<Record<RefusalAtDoor, number>> {
    return this.#core.door.refused;
  }

  handleUpgrade(...upgrade: WebSocketUpgrade): boolean {
    return this.#transports.handleUpgrade?.(...upgrade) ?? false;
  }

  start(): Promise<void> {
    return this.#transports.start(addressesOf(this.#options), this.#options.port);
  }

  call(options: OutgoingSipCallOptions): OutgoingSipCall {
    const call: OutgoingCall = new OutgoingCall(this.#core, options, () => void this.#calls.delete(call));
    this.#calls.add(call);
    const standing = this.#standing(call);
    call.on('confirmed', standing.stands);
    call.on('ended', standing.ended);
    if (options.outboundProxy !== undefined) watchContact(call, { uri: options.to, outboundProxy: options.outboundProxy }, this.#registrar);
    if (this.#stopping) queueMicrotask(() => call.serverStopped());
    return call;
  }

  callReplacedBy(replaces: Readonly<SipReplaces>): IncomingCall | OutgoingCall | null {
    for (const call of this.#calls) if (call.isNamedBy(replaces)) return call;
    return null;
  }

  contactsOf(address: string): SipContact[] {
    const { clock, layer } = this.#core;
    return this.#registrar.bindings(address, clock.nowMs()).map((binding) => routeTo(binding, (source) => layer.hasConnection(source)));
  }

  probe(options: SipProbeOptions): Promise<SipProbeResult> {
    return probe(this.#core, options);
  }

  locate(text: string): Promise<string[]> {
    const uri = parseSipUri(text);
    if (!uri) return Promise.resolve([]);
    return new Promise((resolve) => this.#core.routes.find(destinationOf(uri), (places) => resolve(places.flatMap(({ address }) => (address === null ? [] : [address])))));
  }

  register(options: SipRegistrationOptions): SipRegistration {
    const registration: OutgoingRegistration = new OutgoingRegistration(this.#core, options, () => void this.#registrations.delete(registration));
    this.#registrations.add(registration);
    return registration;
  }

  savedRegistrations(): unknown {
    const { clock } = this.#core;
    return this.#registrar.saved(clock.nowMs(), clock.wallMs());
  }

  restoreRegistrations(saved: unknown): void {
    const { clock } = this.#core;
    this.#registrar.restore(readSavedBindings(saved), clock.nowMs(), clock.wallMs());
    this.#natKeepAlive.look();
  }

  counts(): { dialogs: number; transactions: number; connections: number } {
    return { dialogs: this.#core.dialogs.size, transactions: this.#core.layer.count, connections: this.#transports.connectionCount };
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const call of [...this.#calls]) call.serverStopped();
    const leaving = Promise.all([...this.#registrations].map((registration) => registration.stop()));
    const { clock, layer, dialogs } = this.#core;
    const untilMs = clock.nowMs() + STOP_WAIT_MS;
    while ((layer.unanswered > 0 || dialogs.size > 0) && clock.nowMs() < untilMs) await sleep(clock, STOP_POLL_MS);
    await leaving;
    this.#natKeepAlive.stop();
    dialogs.closeAll();
    layer.shutDown();
    await this.#transports.stop();
  }

  // ── the way in ──

  #received(bytes: Buffer, source: SipSource, defect?: Defect): void {
    const { door, doorLog, clock } = this.#core;
    const nowMs = clock.nowMs();
    const refusal = door.refusalOf(source.address, nowMs);
    if (refusal) return doorLog.refused(source.address, refusal, nowMs);
    try {
      this.#read(bytes, source, defect);
    } catch (error) {
      this.#core.log.error({ reason: messageOf(error), ...source }, 'a SIP message could not be handled');
    }
  }

  #read(bytes: Buffer, source: SipSource, ofFrame: Defect | undefined): void {
    const parsed = parseMessage(bytes);
    if (!parsed) return;
    const { message } = parsed;
    const defect = ofFrame ?? parsed.defect;
    if (message.headers.count('via') > LIMITS.vias) return;
    const core = readCore(message);
    if (message.kind === 'response') {
      if (core && !defect && message.headers.list('via').length === 1) this.#core.layer.response(message, core);
      return;
    }
    if (!core) return this.#refuseUnreadable(message, source, defect?.reasonPhrase ?? 'Malformed Via, From, To, Call-ID Or CSeq');
    noteSource(message, core, source);
    if (core.via.params.has('alias')) this.#transports.alias?.(source, core.via.port ?? defaultPortOf(source.transport));
    const refusal = defect ?? requestDefect(message, core);
    if (refusal) return this.#refuse(message, core, { source, refusal });
    if (!this.#core.layer.absorbs(message, core)) this.#requestReceived(message, core, source);
  }

  #requestReceived(request: SipRequest, core: MessageCore, source: SipSource): void {
    if (request.method === 'ACK') return this.#core.dialogs.find(core)?.ackReceived(request, core);
    if (request.method === 'CANCEL') return this.#cancelReceived(request, core, source);
    const dialog = core.toTag === '' ? null : this.#core.dialogs.find(core);
    if (dialog) {
      const transaction = this.#core.layer.serve(request, core, source);
      if (transaction) dialog.requestReceived(transaction);
      return;
    }
    const refusal = refusalOutsideDialog(request, core, { merged: core.toTag === '' && this.#core.layer.isMerged(core) }) ?? (request.method === 'INVITE' ? this.#refusalOfInvite(request, source) : this.#refusalOfRegister());
    if (refusal) return this.#refuse(request, core, { source, refusal });
    const transaction = this.#core.layer.serve(request, core, source);
    if (!transaction) return;
    if (request.method === 'INVITE') this.#inviteReceived(transaction);
    else this.#registerReceived(transaction);
  }

  /** What the owner of this user agent, or its state, has against a call. */
  #refusalOfInvite(request: SipRequest, source: SipSource): Refusal | null {
    if (this.#stopping || this.listenerCount('incomingCall') === 0) return { statusCode: 503, headers: [['Retry-After', '10']] };
    try {
      return this.#options.admit?.({ requestUri: request.uri, source }) ?? null;
    } catch (error) {
      this.#core.log.error({ reason: messageOf(error) }, 'the admission check of SIP calls failed');
      return { statusCode: 500 };
    }
  }

  #inviteReceived(transaction: ServerTransaction): void {
    transaction.respond(buildResponse(transaction.request, 100));
    const replaced = replacedCall(transaction.request, (replaces) => this.callReplacedBy(replaces));
    if ('statusCode' in replaced) return transaction.respond(this.#response(transaction.request, replaced.statusCode, { ...replaced, toTag: newTag() }));
    const call: IncomingCall = new IncomingCall(this.#core, transaction, { replaces: replaced.call, forget: () => void this.#calls.delete(call) });
    this.#calls.add(call);
    this.#byInvite.set(transaction, call);
    const standing = this.#standing(call);
    call.on('confirmed', standing.stands);
    call.on('ended', standing.ended);
    this.emit('incomingCall', call);
  }

  #refusalOfRegister(): Refusal | null {
    if (this.#stopping) return { statusCode: 503, headers: [['Retry-After', '10']] };
    return this.listenerCount('registering') === 0 ? { statusCode: 403 } : null;
  }

  #registerReceived(transaction: ServerTransaction): void {
    const nowMs = this.#core.clock.nowMs();
    if (nowMs - this.#sweptMs > SWEEP_MS) {
      this.#sweptMs = nowMs;
      this.#registrar.sweep(nowMs);
    }
    const register = new IncomingRegister(this.#core, transaction, this.#registrar);
    this.emit('registering', register);
    register.reject(403);
    this.#natKeepAlive.look();
  }

  /** RFC 3261 §9.2. */
  #cancelReceived(request: SipRequest, core: MessageCore, source: SipSource): void {
    const invite = this.#core.layer.cancelledBy(core);
    if (!invite) return this.#refuse(request, core, { source, refusal: { statusCode: 481 } });
    const call = this.#byInvite.get(invite);
    const transaction = this.#core.layer.serve(request, core, source);
    transaction?.respond(this.#response(request, 200, { statusCode: 200, toTag: call?.localTag ?? newTag() }));
    call?.cancelled(request.headers.get('reason'));
  }

  /** Who is in a call is known at the door as long as it stands. */
  #standing(call: { readonly source: SipSource }): { stands: () => void; ended: () => void } {
    const { door } = this.#core;
    let address: string | null = null;
    const ended = (): void => {
      if (address !== null) door.callEnded(address);
      address = null;
    };
    const stands = (): void => {
      ended();
      ({ address } = call.source);
      door.callStands(address);
    };
    return { stands, ended };
  }

  // ── answers without state ──

  #refuse(request: SipRequest, core: MessageCore, how: { source: SipSource; refusal: Refusal }): void {
    if (request.method === 'ACK') return;
    const toTag = this.#core.identity.statelessTag(core);
    const response = this.#response(request, how.refusal.statusCode, { ...how.refusal, toTag });
    this.#core.layer.send(response, this.#core.layer.responseDestination(core.via, how.source));
  }

  /** 400 to a request of which only the Via can be read. */
  #refuseUnreadable(request: SipRequest, source: SipSource, reasonPhrase: string): void {
    const via = viaOfUnreadable(request);
    if (!via) return;
    const callId = request.headers.get('call-id') ?? '';
    const response = this.#response(request, 400, { statusCode: 400, reasonPhrase, toTag: this.#core.identity.statelessTag({ callId, fromTag: '' }) });
    this.#core.layer.send(response, this.#core.layer.responseDestination(via, source));
  }

  #response(request: SipRequest, statusCode: number, refusal: Refusal & { toTag: string }): SipResponse {
    const { reasonPhrase, toTag } = refusal;
    const headers = [...(refusal.headers ?? []), ['Server', this.#core.identity.product] as const];
    return buildResponse(request, statusCode, { toTag, headers, ...(reasonPhrase !== undefined && { reasonPhrase }) });
  }
}

function addressesOf({ bindAddress }: SipUserAgentOptions): readonly string[] {
  return typeof bindAddress === 'string' ? [bindAddress] : bindAddress;
}

/** Writes `received` and `rport` into the top Via, so that every answer carries them (RFC 3261 §18.2.1, RFC 3581 §4). */
function noteSource(request: SipRequest, core: MessageCore, source: SipSource): void {
  const line = request.headers.get('via') ?? '';
  const rest = line.slice(line.indexOf(core.viaText) + core.viaText.length);
  request.headers.set('Via', withSource(core.viaText, core.via, source) + rest);
}
