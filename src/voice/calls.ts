import { sleep } from '../base/clock.ts';
import { TwilioError } from '../base/errors.ts';
import { bracket } from '../sip/message/uri.ts';
import type { AccountSid, CallSid } from '../base/sid.ts';
import { Call, type CallDeps } from './call.ts';
import type { Problem } from './call-journal.ts';
import { newCallRecord } from './call-record.ts';
import { isFinal } from './call-state.ts';
import { createDialler } from './dialling/child-calls.ts';
import type { Dialler } from './dialling/dialler.ts';
import type { Carriers } from './carrier/carriers.ts';
import type { Calls, CreateCallOptions, UpdateCallOptions } from './contract.ts';
import { checkCreate, checkUpdate, type CheckedCreate, type CheckedUpdate } from './create-checks.ts';
import { DialPace } from './dial-pace.ts';
import { FraudGuard, OPEN_POLICY, type Destination, type DialRefusal } from './dial-plan/fraud-guard.ts';
import type { OfferMemory } from './offer-memory.ts';
import type { AccountRecord, CallRecord } from './model.ts';
import { Redirects, type LegCallOptions } from './redirects/redirects.ts';
import { OutboundLeg } from './outbound-leg.ts';
import { routeToRegistered } from './registrations.ts';
import type { AnsweredCall } from './recording/call-recordings.ts';
import { createStreamControl } from './streams/stream-control.ts';
import { terminated } from './termination.ts';
import { createTransfers, type Transfers } from './transfer/transfers.ts';
import { legAudio, mediaAddressFor, type VoiceDeps } from './voice-deps.ts';

export type LiveCallsDeps = VoiceDeps & { carriers: Pick<Carriers, 'callerFor' | 'outsideCaller'>; offers: OfferMemory } & Pick<CallDeps, 'client' | 'callbacks' | 'speech' | 'recognizer' | 'prompts' | 'recordings' | 'registrations' | 'gatherings' | 'network'>;

interface OwnCall {
  client: CallDeps['client'];
  /** Before it is dialled. */
  delayMs: number;
  ended: (record: CallRecord) => void;
}

/** All live calls, and the REST side of them. */
export class LiveCalls implements Calls {
  readonly streams = createStreamControl((sid) => this.#live.get(sid) ?? null);
  readonly #deps: LiveCallsDeps;
  readonly #dialler: Dialler;
  readonly #live = new Map<CallSid, Call>();
  readonly #pace: DialPace;
  readonly #guard: FraudGuard;
  #stopping = false;
  #emptied: (() => void) | null = null;

  constructor(deps: LiveCallsDeps) {
    this.#deps = deps;
    this.#pace = new DialPace(deps.config.callsPerSecond ?? null);
    this.#guard = new FraudGuard(deps.config.outbound ?? OPEN_POLICY, () => deps.trunks.all());
    const { config, log } = deps;
    const transfers = config.transfers === 'off' ? null : createTransfers({ log, toNumbers: config.transfers ?? 'users', hosts: [...config.localHosts, config.publicAddress], callNamed: (callId) => this.#named(callId), surrendering: (sid) => this.#live.get(sid) ?? null, callOf: (replaces) => this.#named(deps.sip.callReplacedBy(replaces)?.callId) });
    this.#dialler = createDialler({ ...deps, transfers, add: (make) => this.add(make), mayDial: (destination) => this.mayDial(destination), count: (destination) => this.#count(destination) });
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  live(sid: CallSid): CallRecord | null {
    const call = this.#live.get(sid);
    return call ? { ...call.record } : null;
  }

  /** What bridges the phones of live calls; null when they may not be transferred. */
  get transfers(): Transfers | null {
    return this.#dialler.transfers;
  }

  #named(callId: string | undefined): CallSid | null {
    for (const call of this.#live.values()) if (callId !== undefined && call.sipCallId === callId) return call.record.sid;
    return null;
  }

  /** A call that is being talked in, for recordings. */
  answeredCall(sid: CallSid): AnsweredCall | null {
    const call = this.#live.get(sid);
    return call?.phone && call.record.status === 'in-progress' ? { record: call.record, phone: call.phone } : null;
  }

  /** Keeps a new call until it ends. */
  add(make: (deps: CallDeps, ended: (call: Call) => void) => Call): Call {
    const call = make({ ...this.#deps, dialler: this.#dialler }, (gone) => this.#ended(gone));
    this.#live.set(call.record.sid, call);
    if (call.record.direction !== 'inbound') this.#guard.begun(call.record, this.#deps.clock.nowMs());
    return call;
  }

  async create(accountSid: AccountSid, options: CreateCallOptions): Promise<CallRecord> {
    const { directory, trunks } = this.#deps;
    const account = this.#ready(accountSid);
    const checked = checkCreate(options, { accountSid, directory, trunks });
    this.#refuseDestination(accountSid, checked);
    const waitMs = this.#pace.wait(accountSid, this.#deps.clock.nowMs());
    const call = this.#outgoing(account, checked);
    if (checked.twimlIgnored) call.journal.problem({ errorCode: 32019, message: "'Url' and 'Twiml' were both given: 'Twiml' is ignored", log: 1 });
    return this.#queue(call, { checked, waitMs });
  }

  /** A call that this server makes for itself, from whatever caller id, at the account's pace; `client` answers its requests. */
  async place(accountSid: AccountSid, options: CreateCallOptions, own: OwnCall): Promise<CallRecord> {
    const { directory, trunks } = this.#deps;
    const account = this.#ready(accountSid);
    const checked = checkCreate(options, { accountSid, directory, trunks, anyFrom: true });
    this.#refuseDestination(accountSid, checked);
    const waitMs = this.#pace.wait(accountSid, this.#deps.clock.nowMs());
    return this.#queue(this.#outgoing(account, checked, own), { checked, waitMs: Math.max(own.delayMs, waitMs) });
  }

  /** Whether an account may call somebody: REST, `<Dial>`, `<Refer>` and transfers ask it; null: it may. */
  mayDial(destination: Destination): DialRefusal | null {
    return this.#guard.mayDial(destination, this.#deps.clock.nowMs());
  }

  #count(destination: Pick<Destination, 'accountSid' | 'to'>): () => void {
    this.#guard.begun(destination, this.#deps.clock.nowMs());
    return () => this.#guard.ended(destination);
  }

  #refuseDestination(accountSid: AccountSid, { to, trunk }: Pick<CheckedCreate, 'to' | 'trunk'>): void {
    const refusal = this.mayDial({ accountSid, to, trunk });
    if (refusal) throw new TwilioError(refusal.restCode, `'To': ${refusal.message}.`, { status: refusal.httpStatus });
  }

  /** Throws 20503 while stopping, 20005 for an account that makes no calls. */
  #ready(accountSid: AccountSid): AccountRecord {
    if (this.#stopping) throw new TwilioError(20503, 'The server is stopping.', { status: 503 });
    const account = this.#deps.directory.account(accountSid);
    if (account?.status !== 'active') throw new TwilioError(20005, 'The account is not active.', { status: 403 });
    return account;
  }

  /** What was answered for survives a crash: the row is written before the answer, the phone is called after it. */
  async #queue(call: Call, { checked, waitMs }: { checked: CheckedCreate; waitMs: number }): Promise<CallRecord> {
    const { calls, clock } = this.#deps;
    const queued = { ...call.record };
    calls.saveCall(queued);
    await calls.saved();
    clock.after(waitMs, () => void this.#dial(call, checked));
    return queued;
  }

  async update(accountSid: AccountSid, sid: CallSid, options: UpdateCallOptions): Promise<CallRecord> {
    const call = this.#live.get(sid);
    if (!call || call.record.accountSid !== accountSid) return await this.#updateEnded({ accountSid, sid }, checkUpdate(options));
    const change = checkUpdate(options);
    if (change.source && call.record.status !== 'in-progress') throw notInProgress();
    call.change(change);
    if (change.status) endByStatus(call, change.status);
    else if (change.source) call.redirect(change.source);
    return { ...call.record };
  }

  accountClosed(accountSid: AccountSid): void {
    for (const call of [...this.#live.values()]) if (call.record.accountSid === accountSid) call.end(terminated('completed-by-api', { detail: 'the account was closed' }));
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#live.size > 0 && graceMs > 0) {
      const emptied = new Promise<void>((resolve) => (this.#emptied = resolve));
      const waiting = new AbortController();
      await Promise.race([emptied, sleep(this.#deps.clock, graceMs, waiting.signal).catch(() => undefined)]);
      waiting.abort();
    }
    for (const call of [...this.#live.values()]) call.end(terminated('server-stopped'));
  }

  /** Redirecting what is over is an error; a status for it is not (contract §14.6). */
  async #updateEnded({ accountSid, sid }: { accountSid: AccountSid; sid: CallSid }, change: CheckedUpdate): Promise<CallRecord> {
    const record = await this.#deps.calls.findCall(accountSid, sid);
    if (!record) throw new TwilioError(20404, `The requested resource /2010-04-01/Accounts/${accountSid}/Calls/${sid}.json was not found`, { status: 404 });
    if (change.source) throw notInProgress();
    return record;
  }

  #outgoing(account: AccountRecord, checked: CheckedCreate, own?: OwnCall): Call {
    const { media, config, log, clock, carriers, registrations, offers } = this.#deps;
    const record = newCallRecord({ accountSid: account.sid, to: checked.to, from: checked.from, phoneNumberSid: checked.phoneNumberSid, direction: 'outbound-api', nowMs: clock.wallMs() });
    const { trunk } = checked;
    const journal = (problem: Problem): void => call.journal.problem(problem);
    const route = trunk ? { trunk, number: record.to, caller: checked.fromUser, journal } : null;
    const outside = carriers.outsideCaller(journal);
    const caller = route ? carriers.callerFor(route) : outside;
    const redirectsOf = (first: LegCallOptions): Redirects => new Redirects({ accountSid: account.sid, called: record.to, route, sip: outside, carriers, registrations, mayDial: (destination) => this.mayDial(destination), clock, journal }, first);
    const leg = new OutboundLeg(caller, { media, mediaAddressFor: mediaAddressFor(config), ...legAudio(config, trunk), offers, log: log.child({ callSid: record.sid }) }, redirectsOf);
    const plan = {
      source: checked.source,
      fallback: checked.fallback,
      statusCallback: checked.statusCallback,
      authToken: account.authToken,
      webhookOptions: { applicationSid: checked.applicationSid },
      ...(checked.timeLimitMs === null ? {} : { timeLimitMs: checked.timeLimitMs }),
      ...(checked.machineDetection === null ? {} : { machineDetection: checked.machineDetection }),
      ...(checked.recording === null ? {} : { recording: checked.recording }),
      ...(checked.sendDigits === null ? {} : { sendDigits: checked.sendDigits }),
    };
    const call: Call = this.add((deps, ended) => {
      const gone = (call: Call): void => {
        ended(call);
        own?.ended({ ...call.record });
      };
      return new Call(own ? { ...deps, client: own.client } : deps, { record, leg, plan, ended: gone });
    });
    return call;
  }

  async #dial(call: Call, checked: CheckedCreate): Promise<void> {
    const { sid, accountSid, to } = call.record;
    const phone = routeToRegistered(to, { accountSid, registrations: this.#deps.registrations });
    if (phone === 'nobody') return this.#nobodyThere(call);
    await call.dial({
      to: phone?.uri ?? checked.toUri,
      ...(phone ? { outboundProxy: phone.outboundProxy } : {}),
      from: `sip:${checked.fromUser}@${bracket(this.#deps.config.publicAddress)}`,
      ringTimeoutMs: checked.ringTimeoutMs,
      ...(checked.credentials ? { credentials: checked.credentials } : {}),
      headers: [
        ['X-Twilio-CallSid', sid],
        ['X-Twilio-AccountSid', accountSid],
        ['X-Twilio-ApiVersion', '2010-04-01'],
        // RFC 3261 §20.36: the nature of the call.
        ...(checked.reason === null ? [] : [['Subject', checked.reason] as [string, string]]),
      ],
    });
  }

  /** A client, or a user of a SIP domain, whose phone is not registered. */
  #nobodyThere(call: Call): void {
    const message = `No phone is registered as ${call.record.to}`;
    if (!call.live) return;
    call.record.startedAtMs = this.#deps.clock.wallMs();
    call.journal.problem({ errorCode: 32009, message, log: 0 });
    call.end(terminated('no-answer', { detail: message, sipStatusCode: 480 }));
  }

  #ended(call: Call): void {
    this.#live.delete(call.record.sid);
    if (call.record.direction !== 'inbound') this.#guard.ended(call.record);
    this.#deps.gatherings.conferences.callEnded(call.record);
    if (this.#live.size === 0) this.#emptied?.();
  }
}

/** `canceled` reaches only calls that are not answered yet; `completed` any (contract §5.3). */
function endByStatus(call: Call, status: 'canceled' | 'completed'): void {
  const answered = call.record.status === 'in-progress';
  if (status === 'canceled' && answered) return;
  if (isFinal(call.record.status)) return;
  const canceled = status === 'canceled' || (!answered && call.record.direction !== 'inbound');
  call.end(terminated(canceled ? 'canceled-by-api' : 'completed-by-api'));
}

function notInProgress(): TwilioError {
  return new TwilioError(21220, 'Call is not in-progress. Cannot redirect.');
}
