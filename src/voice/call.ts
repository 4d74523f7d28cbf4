import { sleep, type Clock, type Timer } from '../base/clock.ts';
import { InternalError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { MediaError, type PhoneMedia, type RoomMedia } from '../media/protocol.ts';
import { SdpError } from '../sdp/sdp-error.ts';
import type { IncomingSipRefer } from '../sip/contract.ts';
import { detectAnsweredBy } from './answered-by.ts';
import { CallCallbacks, endParameters, machineParameters, type StatusCallback, type StatusNews } from './call-callbacks.ts';
import { CallJournal } from './call-journal.ts';
import { isFinal, nextStatus, type CallInput } from './call-state.ts';
import type { CallbackSender, RoomConnector } from './contract.ts';
import type { Dialler } from './dialling/dialler.ts';
import type { Gatherings } from './gatherings.ts';
import { InboundLeg } from './inbound-leg.ts';
import type { Leg } from './leg.ts';
import type { MachineDetection } from './machine-detection.ts';
import type { CallRecord, CallRepository, HttpMethod } from './model.ts';
import { OutboundLeg } from './outbound-leg.ts';
import type { Prompts } from './prompts.ts';
import { recordCall, type CallRecordingOptions } from './recording/call-recordings.ts';
import type { LiveRecording, Recordings } from './recording/recordings.ts';
import type { ReferListener } from './refer-listener.ts';
import type { Registrations } from './registrations.ts';
import type { Speech } from './speech.ts';
import type { SpeechRecognizer } from './speech-recognition.ts';
import { CallStreams } from './streams/call-streams.ts';
import { ANSWERED_ELSEWHERE, reasonHeader } from './ending-words.ts';
import { finalStatus, sipCodeOf, terminated, type Termination, type TerminationReason } from './termination.ts';
import { DocumentLoader, type DocumentSource } from './twiml/document-loader.ts';
import { runDocuments, runNested, type RunContext } from './twiml/interpreter.ts';
import { Handover } from './transfer/handover.ts';
import { createCookieJar, type WebhookClient } from './webhook/client.ts';
import type { NetworkPolicy } from './webhook/network-policy.ts';
import { callParameters } from './webhook/parameters.ts';

export interface CallDeps {
  clock: Clock;
  log: Log;
  calls: CallRepository;
  rooms: RoomConnector;
  client: WebhookClient;
  callbacks: CallbackSender;
  speech: Speech;
  /** Absent or null: this server recognises no speech. */
  recognizer?: SpeechRecognizer | null;
  prompts: Prompts;
  recordings: Recordings;
  registrations: Registrations;
  gatherings: Gatherings;
  dialler: Dialler;
  /** Where media streams may lead. */
  network: NetworkPolicy;
}

/** What is to be done with a call. */
export interface CallPlan {
  /** Where its first document comes from; null: nobody said, which is an application error. */
  source: DocumentSource | null;
  fallback: { url: string; method: HttpMethod } | null;
  statusCallback: StatusCallback | null;
  authToken: string;
  /** Counted from the answer. Default 4 h. */
  timeLimitMs?: number;
  /** Keys to send after the answer, before the first verb. */
  sendDigits?: string;
  /** Whether a person or a machine took a call we place is listened for. */
  machineDetection?: MachineDetection;
  /** What an answered call does in place of documents of its own, until it is redirected: a verb of another call holds it. */
  attend?: (context: RunContext) => Promise<Termination | null>;
  /** The called phone sends sound before it answers. */
  soundedEarly?: (phone: PhoneMedia) => void;
  /** Instead of `attend`, when the call is redirected before that began. */
  overtaken?: () => void;
  /** The whole call is recorded, from the answer on. */
  recording?: CallRecordingOptions;
  /** A call that came in and is still not answered is refused after this time. Default 180 s. */
  ringTimeoutMs?: number;
  /** More of a SIP caller for the webhooks (contract §4.1). */
  webhookOptions?: Parameters<typeof callParameters>[1];
}

export interface CallOptions {
  record: CallRecord;
  leg: InboundLeg | OutboundLeg;
  plan: CallPlan;
  /** Called once, after everything of the call was closed and saved. */
  ended: (call: Call) => void;
}

const DEFAULT_TIME_LIMIT_MS = 4 * 3_600_000;
const DEFAULT_RING_TIMEOUT_MS = 180_000;
/** How long a redirected call waits for its old verb to let go. */
const LET_GO_MS = 2000;

/** Final SIP answers to a call that came in and was never answered. */
const REFUSALS: Partial<Record<TerminationReason, number>> = {
  'rejected-busy': 486,
  rejected: 404,
  'no-answer': 480,
  'completed-by-api': 603,
  'canceled-by-api': 603,
  'no-common-codec': 488,
  'media-unavailable': 503,
  'media-lost': 503,
  'server-stopped': 503,
};

/**
 * One phone party, Twilio's Call resource while it lives. Everything that ends it goes through `end`, which closes, in
 * this order: the running verb, the SIP dialog, the media, then tells the StatusCallback and saves (docs/design/closures.md).
 */
export class Call {
  readonly record: CallRecord;
  readonly streams: CallStreams;
  readonly #deps: CallDeps;
  #leg: Leg;
  #deafen: (() => void)[] = [];
  #surrendered = false;
  readonly #referListeners = new Set<ReferListener>();
  readonly #handover: Handover;
  readonly #plan: CallPlan;
  readonly #log: Log;
  readonly #journal: CallJournal;
  readonly #callbacks: CallCallbacks;
  readonly #loader: DocumentLoader;
  readonly #cookies = createCookieJar();
  readonly #ended: (call: Call) => void;
  readonly #milestonesMs = new Map<string, number>();
  readonly #bornMs: number;
  /** Aborts with the call. */
  readonly #gone = new AbortController();
  #fallback: CallPlan['fallback'];
  #timeLimitMs: number;
  #timer: Timer | null = null;
  #recording: Promise<LiveRecording | null> | null = null;
  #termination: Termination | null = null;
  #run: { controller: AbortController; done: Promise<void> } | null = null;

  constructor(deps: CallDeps, { record, leg, plan, ended }: CallOptions) {
    this.#deps = deps;
    this.record = record;
    this.#leg = leg;
    this.#plan = plan;
    this.#ended = ended;
    this.#fallback = plan.fallback;
    this.#timeLimitMs = plan.timeLimitMs ?? DEFAULT_TIME_LIMIT_MS;
    this.#bornMs = deps.clock.nowMs();
    this.#log = deps.log.child({ callSid: record.sid });
    this.#journal = new CallJournal(deps.calls, deps.clock, record);
    this.streams = new CallStreams({ record, authToken: plan.authToken, clock: deps.clock, callbacks: deps.callbacks, journal: this.#journal, network: deps.network });
    const parameters = (): [string, string][] => this.#parameters();
    this.#callbacks = new CallCallbacks({ sender: deps.callbacks, clock: deps.clock, record, parameters, refused: ({ errorCode, message, url }) => this.#journal.problem({ errorCode, message: `${message} (${url})`, log: 1 }) }, plan.statusCallback);
    record.statusCallback = this.#callbacks.kept;
    this.#loader = new DocumentLoader({ client: deps.client, prompts: deps.prompts, journal: this.#journal, cookies: this.#cookies, authToken: plan.authToken, parameters, fallback: () => this.#fallback });
    this.#handover = new Handover({ call: record, dialler: deps.dialler, log: this.#log, gone: this.#gone.signal, leg: () => this.#leg, take: (next) => this.#take(next), end: (termination) => this.end(termination), journal: (problem) => this.#journal.problem(problem) });
    this.#listenTo(leg);
  }

  #listenTo(leg: Leg): void {
    for (const each of this.#deafen.splice(0)) each();
    this.#deafen.push(
      leg.on('rang', () => this.#rang()),
      leg.on('answered', () => this.#calledPhoneAnswered()),
      leg.on('soundedEarly', () => leg.phone && this.#plan.soundedEarly?.(leg.phone)),
      leg.on('heard', () => this.#reached('first packet')),
      leg.on('referReceived', (refer) => this.#referred(refer)),
      leg.on('measured', (quality) => this.#deps.calls.saveQuality(this.record.sid, quality)),
      leg.on('ended', (termination) => void (this.#handover.left(termination) || this.end(termination))),
    );
  }

  /** A talk that it is in takes care of it; else, and while that lasts, its phone hands the call itself over. */
  #referred(refer: IncomingSipRefer): void {
    if (this.#referListeners.size === 0 || this.#handover.busy) return this.#handover.received(refer);
    for (const listener of this.#referListeners) listener(refer);
  }

  #onRefer(listener: ReferListener): () => void {
    this.#referListeners.add(listener);
    return () => void this.#referListeners.delete(listener);
  }

  /** Whether its phone can go over to another call. */
  get movable(): boolean {
    return this.record.status === 'in-progress' && this.#leg.movable;
  }

  /** Its phone goes over to another call, by `moveTo`; this one is over. Null: it was already. */
  surrender(): Leg | null {
    if (!this.movable) return null;
    const leg = this.#leg;
    this.#surrendered = true;
    for (const each of this.#deafen.splice(0)) each();
    this.end(terminated('transferred'));
    return leg;
  }

  /** Its phone is another one from now on. */
  #take(leg: Leg): void {
    const before = this.#leg;
    this.#leg = leg;
    this.#listenTo(leg);
    before.giveAway();
    before.hangup(reasonHeader('transferred'));
    void before.close();
  }

  get live(): boolean {
    return !isFinal(this.record.status);
  }

  /** As the phone that has it now would have it: another one may have taken it over. */
  get by(): Readonly<CallRecord> {
    return this.#handover.by;
  }

  /** The media of its phone, once opened. */
  get phone(): PhoneMedia | null {
    return this.#leg.phone;
  }

  get journal(): CallJournal {
    return this.#journal;
  }

  /** Why it ended; null while it lives. */
  get termination(): Termination | null {
    return this.#termination;
  }

  /** Call-ID of its dialog; null before anything was sent. */
  get sipCallId(): string | null {
    return this.#leg.sipCallId;
  }

  /** Headers of the called phone's final answer. */
  get sipAnswerHeaders(): Leg['answerHeaders'] {
    return this.#leg.answerHeaders;
  }

  /** A call that came in: rings, and asks its application what to do. */
  startInbound(): void {
    if (!(this.#leg instanceof InboundLeg)) return;
    this.#leg.ring();
    this.#rang();
    this.#timer = this.#deps.clock.after(this.#plan.ringTimeoutMs ?? DEFAULT_RING_TIMEOUT_MS, () => this.end(terminated('no-answer', { sipStatusCode: 480 })));
    this.#start(this.#plan.source, this.#plan.attend);
  }

  /** A call we place. Ends by itself when it cannot be sent. */
  async dial(options: Parameters<OutboundLeg['dial']>[0]): Promise<void> {
    if (!this.live || !(this.#leg instanceof OutboundLeg)) return;
    this.record.startedAtMs = this.#deps.clock.wallMs();
    this.#reached('dialled');
    this.#tell({ event: 'initiated', callStatus: 'initiated' });
    try {
      await this.#leg.dial(options);
    } catch (error) {
      this.end(terminationOf(error, this.#log));
    }
  }

  /** The current verb is abandoned at once and another document runs (contract §5.3). */
  redirect(source: DocumentSource): void {
    if (!this.#run) this.#plan.overtaken?.();
    this.#start(source);
  }

  /** What a REST update may change beside. */
  change(options: { fallback?: { url: string; method: HttpMethod }; statusCallback?: { url?: string; method?: HttpMethod }; timeLimitMs?: number }): void {
    if (options.fallback) this.#fallback = options.fallback;
    if (options.statusCallback) {
      this.#callbacks.retarget(options.statusCallback);
      this.#save();
    }
    if (options.timeLimitMs === undefined) return;
    this.#timeLimitMs = options.timeLimitMs;
    if (this.record.answeredAtMs !== null) this.#limitTime();
  }

  /** The one door out. Only the first ending counts. */
  end(termination: Termination): void {
    const next = nextStatus(this.record.status, { ended: finalStatus(termination, this.record.answeredAtMs !== null) });
    if (!next) return;
    const { record } = this;
    const unheard = record.startedAtMs === null;
    record.status = next;
    this.#termination = termination;
    record.terminationReason = termination.reason;
    record.endedAtMs = this.#deps.clock.wallMs();
    this.#timer?.cancel();
    this.#run?.controller.abort();
    this.#gone.abort();
    this.streams.callEnded();
    this.#leaveLeg(termination);
    const sipStatusCode = sipCodeOf(termination, record.answeredAtMs !== null);
    // Canceled while queued: nobody is told (contract §4.2).
    if (!unheard) this.#tellEnd(endParameters(record, sipStatusCode));
    this.#save();
    this.#logEnd(termination);
    this.#ended(this);
  }

  /** Of a call that was recorded it is told when the recording is complete. */
  #tellEnd(parameters: [name: string, value: string][]): void {
    const tell = (more: [name: string, value: string][] = []): void => this.#callbacks.tell({ event: 'completed', callStatus: this.record.status, parameters: [...parameters, ...more] });
    if (!this.#recording) return tell();
    void this.#recording.then(async (live) => {
      const ended = await live?.done;
      tell(ended?.status === 'completed' ? this.#deps.recordings.parametersOf(ended) : []);
    });
  }

  /** A call that cannot be recorded goes on, and the debugger says so. */
  #recordAll(): void {
    const { recording: options } = this.#plan;
    const { phone } = this;
    if (!options || !phone) return;
    this.#recording = recordCall(this.#deps.recordings, { call: this.record, phone, source: 'OutboundAPI', options }).catch((error: unknown) => {
      // Who hangs up at once takes its media along.
      if (this.live) this.#journal.problem({ errorCode: 12400, message: `The call could not be recorded: ${messageOf(error)}`, log: 0 });
      return null;
    });
  }

  #leaveLeg(termination: Termination): void {
    const leg = this.#leg;
    if (this.#surrendered) return;
    if (leg instanceof InboundLeg && this.record.answeredAtMs === null) leg.refuse(REFUSALS[termination.reason] ?? 500, reasonHeader(termination.reason));
    else leg.hangup(termination.reason === 'answered-elsewhere' ? ANSWERED_ELSEWHERE : reasonHeader(termination.reason));
    void leg.close();
  }

  #start(source: DocumentSource | null, attend?: CallPlan['attend']): void {
    const previous = this.#run;
    previous?.controller.abort();
    const controller = new AbortController();
    this.#run = { controller, done: this.#execute(attend ?? this.#documents(source), controller.signal, previous?.done) };
  }

  #documents(source: DocumentSource | null): NonNullable<CallPlan['attend']> {
    return (context) => runDocuments(source, { loader: this.#loader, context });
  }

  /** Never rejects. */
  async #execute(work: NonNullable<CallPlan['attend']>, signal: AbortSignal, previous: Promise<void> | undefined): Promise<void> {
    try {
      if (previous) await this.#letGo(previous);
      if (signal.aborted) return;
      const termination = await work(this.#context(signal));
      if (termination && !signal.aborted) this.end(termination);
    } catch (error) {
      if (!signal.aborted) this.end(terminationOf(error, this.#log));
    }
  }

  async #letGo(previous: Promise<void>): Promise<void> {
    const waiting = new AbortController();
    const late = sleep(this.#deps.clock, LET_GO_MS, waiting.signal).then(
      () => this.#log.error({ afterMs: LET_GO_MS }, 'a verb did not let go of its call'),
      () => undefined,
    );
    await Promise.race([previous, late]);
    waiting.abort();
  }

  #context(signal: AbortSignal): RunContext {
    const { record } = this;
    const { clock, rooms, speech, prompts, recordings, gatherings, dialler } = this.#deps;
    return {
      call: record,
      clock,
      rooms,
      speech,
      recognizer: this.#deps.recognizer ?? null,
      prompts,
      recordings,
      gatherings,
      dialler,
      streams: this.streams,
      authToken: this.#plan.authToken,
      cookies: this.#cookies,
      signal,
      get answered() {
        return record.answeredAtMs !== null;
      },
      parameters: () => this.#parameters(),
      answer: (near) => this.#answer(signal, near),
      refer: (uri, own) => this.#leg.refer(uri, AbortSignal.any([signal, own])),
      soundEarly: () => (this.#leg instanceof InboundLeg ? this.#leg.soundEarly() : Promise.resolve(null)),
      onRefer: (listener) => this.#onRefer(listener),
      by: () => this.by,
      end: (termination) => this.end(termination),
      nested: (source, { signal: own, rule, parameters, phone }) => {
        const context = this.#context(AbortSignal.any([signal, own]));
        if (phone) Object.assign(context, { answer: () => Promise.resolve(phone) });
        return runNested(source, { loader: parameters ? this.#loader.beside(parameters) : this.#loader, context, rule });
      },
      reached: (milestone) => this.#reached(milestone),
      report: (problem, loaded) => this.#journal.problem({ ...problem, exchange: loaded?.exchange }),
    };
  }

  #parameters(): [string, string][] {
    return callParameters(this.record, this.#plan.webhookOptions);
  }

  /** Picks up a call that came in, once; rejects when the signal aborts first. */
  async #answer(signal: AbortSignal, near?: RoomMedia | null): Promise<PhoneMedia> {
    if (!(this.#leg instanceof InboundLeg)) {
      if (!this.#leg.phone) throw new InternalError('TwiML ran before the called phone answered');
      return this.#leg.phone;
    }
    const phone = await unlessAborted(this.#leg.answer(near), signal);
    if (this.record.answeredAtMs === null) this.#answered();
    return phone;
  }

  #rang(): void {
    if (!this.#advance('rang')) return;
    if (this.record.direction !== 'inbound') this.#tell({ event: 'ringing', callStatus: 'ringing' });
    this.#reached('180');
  }

  #answered(): void {
    if (!this.#advance('answered')) return;
    this.record.answeredAtMs = this.#deps.clock.wallMs();
    this.#reached('answered');
    this.#tell({ event: 'answered', callStatus: 'in-progress' });
    this.#recordAll();
    this.#limitTime();
  }

  #calledPhoneAnswered(): void {
    this.#answered();
    const { sendDigits, source, attend, machineDetection } = this.#plan;
    if (machineDetection && this.#leg.phone) return this.#detectMachine(machineDetection, this.#leg.phone);
    if (!sendDigits) return this.#start(source, attend);
    // Keys first, TwiML after (case D7). A failure to send them is the media's, which ends the call by itself.
    const sent = this.#leg.phone?.sendDigits(sendDigits).catch((error: unknown) => this.#log.warn({ error: messageOf(error) }, 'SendDigits failed'));
    void Promise.resolve(sent).then(() => {
      if (this.live && !this.#run) this.#start(source, attend);
    });
  }

  /** The first document waits for the verdict unless AsyncAmd; a redirect meanwhile takes its place. */
  #detectMachine(detection: MachineDetection, phone: PhoneMedia): void {
    const { clock, callbacks } = this.#deps;
    const detecting = detectAnsweredBy(phone, detection, { clock, log: this.#log, signal: this.#gone.signal });
    const { source, attend } = this.#plan;
    if (detection.asynchronous) this.#start(source, attend);
    void detecting.then((detected) => {
      if (!detected || !this.live) return;
      this.record.answeredBy = detected.answeredBy;
      this.#save();
      this.#reached('answered by');
      const target = detection.asynchronous?.callback;
      if (target) callbacks.send({ accountSid: this.record.accountSid, ...target, parameters: machineParameters(this.record, detected) });
      if (!detection.asynchronous && !this.#run) this.#start(source, attend);
    });
  }

  #advance(input: CallInput): boolean {
    const next = nextStatus(this.record.status, input);
    if (!next) {
      this.#log.warn({ status: this.record.status, input }, 'a call cannot do that now');
      return false;
    }
    const changed = next !== this.record.status;
    this.record.status = next;
    if (changed) this.#save();
    return changed;
  }

  #limitTime(): void {
    this.#timer?.cancel();
    const spentMs = this.#deps.clock.wallMs() - (this.record.answeredAtMs ?? this.#deps.clock.wallMs());
    this.#timer = this.#deps.clock.after(this.#timeLimitMs - spentMs, () => this.end(terminated('time-limit')));
  }

  /** Saved afterwards: after a crash the last callback goes on with the next number. */
  #tell(news: StatusNews): void {
    this.#callbacks.tell(news);
    this.#save();
  }

  #save(): void {
    this.record.updatedAtMs = this.#deps.clock.wallMs();
    this.record.statusCallback = this.#callbacks.kept;
    this.#deps.calls.saveCall({ ...this.record });
  }

  #reached(milestone: string): void {
    if (!this.#milestonesMs.has(milestone)) this.#milestonesMs.set(milestone, Math.round(this.#deps.clock.nowMs() - this.#bornMs));
  }

  #logEnd(termination: Termination): void {
    const { status, direction, from, to } = this.record;
    const level = termination.fault === 'server' ? 'warn' : 'info';
    this.#log[level]({ direction, from, to, status, ...termination, milestonesMs: Object.fromEntries(this.#milestonesMs) }, 'call ended');
  }
}

/** What an exception of a run means for its call. */
function terminationOf(error: unknown, log: Log): Termination {
  if (error instanceof SdpError) return terminated('no-common-codec', { detail: error.message });
  if (error instanceof MediaError) return terminated(error.reason === 'no-port' ? 'media-unavailable' : 'media-lost', { detail: error.message });
  log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'an exception ended a call');
  return terminated('internal-error', { detail: messageOf(error) });
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new InternalError('the call left'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
