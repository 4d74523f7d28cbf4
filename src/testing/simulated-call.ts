import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { messageOf } from '../base/errors.ts';
import { answerPhoneOffer, readPhoneAnswer } from '../sdp/phone-answer.ts';
import type { PhoneCodecName } from '../sdp/phone-codecs.ts';
import { writePhoneOffer, type LocalDescription } from '../sdp/phone-offer.ts';
import type { IncomingSipCall, OutgoingSipCall, ReofferAnswer, SipBody, SipCallBase, SipCallEvents, SipEnding } from '../sip/contract.ts';
import type { HeardSound } from './heard-sound.ts';
import type { PhoneAudio, PhoneReception } from './phone-audio.ts';
import type { PhoneSound } from './phone-sound.ts';

const SDP = 'application/sdp';
/** What PhoneAudio can say and hear. */
const CODECS: readonly PhoneCodecName[] = ['PCMU', 'PCMA'];
const ANSWER_TIMEOUT_MS = 15_000;
const END_TIMEOUT_MS = 15_000;

/** What was waited for did not come. `ending` is set when the call was over instead. */
export class SimulatedCallError extends Error {
  override readonly name = 'SimulatedCallError';
  readonly ending: SipEnding | null;
  constructor(message: string, ending: SipEnding | null = null) {
    super(message);
    this.ending = ending;
  }
}

export interface SimulatedCallEvents {
  /** 180, 183 and the like from the other side. */
  ringing: [statusCode: number];
  answered: [];
  /** A key came from the other side. */
  digitReceived: [digit: string];
  /** Last event, exactly once. */
  ended: [ending: SipEnding];
}

/** Either direction's SIP call, as far as both are alike. */
type AnySipCall = Pick<SipCallBase<SipCallEvents>, 'callId' | 'hangup' | 'on'>;

/** One call of a simulated phone. */
export class SimulatedCall extends Emitter<SimulatedCallEvents> {
  readonly direction: 'outgoing' | 'incoming';
  /** The SIP call beneath: headers, Call-ID, source. */
  readonly incoming: IncomingSipCall | null;
  /** Keys that came from the other side, in order. */
  digitsReceived = '';
  /** Clock milliseconds since the INVITE; null until it happens. */
  readonly milestones: { ringingMs: number | null; answeredMs: number | null; endedMs: number | null } = { ringingMs: null, answeredMs: null, endedMs: null };
  readonly #audio: PhoneAudio;
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #local: LocalDescription;
  #sip: AnySipCall | null = null;
  #state: 'dialling' | 'ringing' | 'answered' | 'ended' = 'dialling';
  #ending: SipEnding | null = null;

  constructor(options: { audio: PhoneAudio; clock: Clock; address: string; incoming: IncomingSipCall | null }) {
    super();
    this.#audio = options.audio;
    this.#clock = options.clock;
    this.#beganMs = options.clock.nowMs();
    this.incoming = options.incoming;
    this.direction = options.incoming ? 'incoming' : 'outgoing';
    this.#local = { address: options.address, port: options.audio.localPort, sessionId: String(randomBytes(4).readUInt32BE(0)), version: 1, codecs: CODECS };
    if (!options.incoming) return;
    this.#follow(options.incoming);
    // Its port was being opened while the caller gave up.
    if (options.incoming.state === 'ended') this.#ended({ cause: 'remote-cancel' });
  }

  get state(): 'dialling' | 'ringing' | 'answered' | 'ended' {
    return this.#state;
  }

  get ending(): SipEnding | null {
    return this.#ending;
  }

  get callId(): string {
    return this.#sip?.callId ?? '';
  }

  get heard(): HeardSound {
    return this.#audio.heard;
  }

  /** How the other side's packets came, of the whole call. */
  get reception(): PhoneReception {
    return this.#audio.reception;
  }

  get packetsSent(): number {
    return this.#audio.packetsSent;
  }

  get localPort(): number {
    return this.#audio.localPort;
  }

  /** The body of our INVITE. */
  get offer(): Uint8Array {
    return Buffer.from(writePhoneOffer(this.#local));
  }

  /** Binds the outgoing SIP call; the phone does it. */
  dialled(sip: OutgoingSipCall): void {
    sip.on('progressed', (statusCode, body) => {
      if (this.#state === 'dialling') this.#state = 'ringing';
      this.milestones.ringingMs ??= this.#ageMs();
      if (body) this.#answerReceived(body);
      this.emit('ringing', statusCode);
    });
    sip.on('accepted', (body) => {
      if (body && !this.#answerReceived(body)) return this.hangup();
      this.#answered();
    });
    this.#follow(sip);
  }

  /** 180 to the caller. */
  ring(): void {
    this.#state = 'ringing';
    this.incoming?.ring();
  }

  /** Takes an incoming call, or rejects it with 488 when its offer holds nothing we speak. */
  answer(): void {
    const { incoming } = this;
    if (!incoming || this.#state === 'answered' || this.#state === 'ended') return;
    if (!incoming.body) return incoming.accept({ body: { contentType: SDP, bytes: this.offer } });
    try {
      const { text, stream } = answerPhoneOffer(incoming.body.bytes, this.#local);
      this.#audio.connect(stream);
      incoming.accept({ body: { contentType: SDP, bytes: Buffer.from(text) } });
    } catch {
      incoming.reject(488);
    }
  }

  reject(statusCode: number): void {
    this.incoming?.reject(statusCode);
  }

  /** The phone tells of a key that came. */
  digitArrived(digit: string): void {
    this.digitsReceived += digit;
    this.emit('digitReceived', digit);
  }

  hangup(): void {
    this.#sip?.hangup();
  }

  say(sound: PhoneSound): void {
    this.#audio.say(sound);
  }

  /** 0-9 * # A-D, `w` waits 0.5 s, `W` 1 s. Resolves when all of it was sent. */
  sendDigits(digits: string): Promise<void> {
    return this.#audio.sendDigits(digits);
  }

  /** Resolves when the call stands. Rejects with SimulatedCallError when it ends or `timeoutMs` (15 s) pass first. */
  async answered(timeoutMs = ANSWER_TIMEOUT_MS): Promise<void> {
    if (this.milestones.answeredMs !== null) return;
    await this.#waitFor('answered', timeoutMs);
    if (this.milestones.answeredMs === null) throw new SimulatedCallError(`the call ended before it was answered: ${describeEnding(this.#ending)}`, this.#ending);
  }

  /** Resolves with how the call ended. Rejects with SimulatedCallError when it has not after `timeoutMs` (15 s). */
  async ended(timeoutMs = END_TIMEOUT_MS): Promise<SipEnding> {
    if (!this.#ending) await this.#waitFor('ended', timeoutMs);
    if (!this.#ending) throw new SimulatedCallError('the call has no ending');
    return this.#ending;
  }

  /** Until that event or the end of the call. */
  #waitFor(event: 'answered' | 'ended', timeoutMs: number): Promise<void> {
    if (this.#ending) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        timer.cancel();
        offs.forEach((off) => off());
        resolve();
      };
      const offs = [this.on(event, settle), this.on('ended', settle)];
      const timer = this.#clock.after(timeoutMs, () => {
        offs.forEach((off) => off());
        reject(new SimulatedCallError(`the call was not ${event} within ${timeoutMs} ms; it is ${this.#state}`));
      });
    });
  }

  #follow(sip: AnySipCall): void {
    this.#sip = sip;
    sip.on('confirmed', (body) => {
      if (this.direction === 'outgoing') return;
      if (body) this.#answerReceived(body);
      this.#answered();
    });
    sip.on('reoffered', (body, respond) => respond(this.#reoffered(body)));
    sip.on('reofferAnswered', (body) => void (body && this.#answerReceived(body)));
    sip.on('ended', (ending) => this.#ended(ending));
  }

  #answered(): void {
    if (this.milestones.answeredMs !== null || this.#state === 'ended') return;
    this.#state = 'answered';
    this.milestones.answeredMs = this.#ageMs();
    this.emit('answered');
  }

  #ended(ending: SipEnding): void {
    if (this.#ending) return;
    this.#ending = ending;
    this.#state = 'ended';
    this.milestones.endedMs = this.#ageMs();
    this.#audio.close();
    this.emit('ended', ending);
  }

  #answerReceived(body: SipBody): boolean {
    try {
      this.#audio.connect(readPhoneAnswer(body.bytes, { codecs: CODECS }));
      return true;
    } catch {
      return false;
    }
  }

  /** A re-INVITE: hold, resume, another address; or an invitation to offer. */
  #reoffered(body: SipBody | null): ReofferAnswer {
    this.#local.version++;
    if (!body) return { statusCode: 200, body: { contentType: SDP, bytes: this.offer } };
    try {
      const { text, stream } = answerPhoneOffer(body.bytes, this.#local);
      this.#audio.connect(stream);
      return { statusCode: 200, body: { contentType: SDP, bytes: Buffer.from(text) } };
    } catch (error) {
      return { statusCode: 488, reasonPhrase: messageOf(error) };
    }
  }

  #ageMs(): number {
    return Math.round(this.#clock.nowMs() - this.#beganMs);
  }
}

/** An ending in words: `486 Busy Here`, `hung up by the other side`. */
export function describeEnding(ending: SipEnding | null): string {
  if (!ending) return 'not yet';
  if (ending.cause === 'rejected') return `rejected with ${ending.statusCode ?? '?'}${ending.reasonPhrase ? ` ${ending.reasonPhrase}` : ''}`;
  return ENDINGS[ending.cause];
}

const ENDINGS: Record<Exclude<SipEnding['cause'], 'rejected'>, string> = {
  'remote-bye': 'hung up by the other side',
  'remote-cancel': 'cancelled by the caller',
  local: 'hung up here',
  'ring-timeout': 'nobody answered',
  'ack-timeout': 'no ACK came',
  unreachable: 'no answer from the other side at all',
  'dialog-lost': 'the other side no longer knew the call',
  'session-expired': 'the other side no longer said that it is there',
  'server-stopped': 'the phone was switched off',
};
