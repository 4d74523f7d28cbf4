import { systemClock, type Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { silentLog, type Log } from '../base/log.ts';
import type { IncomingSipCall, SipTransportName, SipUserAgent } from '../sip/contract.ts';
import { createSipUserAgent } from '../sip/user-agent.ts';
import { PhoneAudio } from './phone-audio.ts';
import type { PhoneSound } from './phone-sound.ts';
import { describeEnding, SimulatedCall, SimulatedCallError } from './simulated-call.ts';

/** What the phone does when it is called. */
export type IncomingHabit = { kind: 'answer'; afterMs?: number } | { kind: 'ring' } | { kind: 'reject'; statusCode: number };

export interface SimulatedPhoneOptions {
  /** Where it listens, for SIP and RTP. Default 127.0.0.1. */
  address?: string;
  /** SIP port, UDP and TCP; 0 (default) takes a free one. */
  port?: number;
  /** How it places calls, unless the URI says. Default udp. */
  transport?: SipTransportName;
  /** User part of its own URI and of From. Default `phone`. */
  user?: string;
  /** Said in every call unless the call says otherwise. Default silence. */
  sound?: PhoneSound;
  /** Default: answer at once. */
  habit?: IncomingHabit;
  /** How much of what is heard each call keeps. Default 20 000. */
  keepMs?: number;
  clock?: Clock;
  log?: Log;
}

export interface PhoneCallOptions {
  /** User part of From, or a whole SIP URI. Default: the phone's own. */
  from?: string;
  sound?: PhoneSound;
  headers?: [name: string, value: string][];
  ringTimeoutMs?: number;
}

export interface SimulatedPhoneEvents {
  /** After the phone's habit was applied to it. */
  called: [call: SimulatedCall];
}

/**
 * A phone made of our own SIP and RTP, as many calls at a time as wanted (a small machine holds a hundred): hums a tone,
 * keeps what it hears, presses keys. For tests, and for developers without a phone.
 *
 * ```ts
 * const phone = await SimulatedPhone.start();
 * const call = await phone.call('sip:+15550100@127.0.0.1:5060', { sound: { kind: 'tone', frequencyHz: 440 } });
 * await call.answered();
 * call.heard.frequencyShare(620, 1000); // share of the last second in which 620 Hz was heard
 * call.hangup();
 * await phone.stop();
 * ```
 */
export class SimulatedPhone extends Emitter<SimulatedPhoneEvents> {
  readonly address: string;
  readonly user: string;
  /** Every call so far, in order. */
  readonly calls: SimulatedCall[] = [];
  /** May be changed at any time. */
  habit: IncomingHabit;
  readonly #agent: SipUserAgent;
  readonly #clock: Clock;
  readonly #options: SimulatedPhoneOptions;

  private constructor(agent: SipUserAgent, options: SimulatedPhoneOptions) {
    super();
    this.#agent = agent;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.address = options.address ?? '127.0.0.1';
    this.user = options.user ?? 'phone';
    this.habit = options.habit ?? { kind: 'answer' };
    agent.on('incomingCall', (incoming) => void this.#incoming(incoming).catch(() => incoming.reject(500)));
  }

  /** Rejects with StartupError when the port is taken. */
  static async start(options: SimulatedPhoneOptions = {}): Promise<SimulatedPhone> {
    const deps = { clock: options.clock ?? systemClock, log: options.log ?? silentLog };
    const agent = createSipUserAgent({ bindAddress: options.address ?? '127.0.0.1', port: options.port ?? 0, product: 'Partyline phone' }, deps);
    const phone = new SimulatedPhone(agent, options);
    await agent.start();
    return phone;
  }

  get port(): number {
    return this.#agent.ports.udp;
  }

  /** Where it is called over `transport` (default: its own). */
  uri(transport: SipTransportName = this.#options.transport ?? 'udp'): string {
    const port = transport === 'tcp' ? this.#agent.ports.tcp : this.#agent.ports.udp;
    return `sip:${this.user}@${this.address}:${port}${transport === 'tcp' ? ';transport=tcp' : ''}`;
  }

  /** Live dialogs and transactions of its user agent. */
  counts(): ReturnType<SipUserAgent['counts']> {
    return this.#agent.counts();
  }

  /** Sends an INVITE; resolves when it is on its way. How it goes on: `answered()`, `ended()` of the call. */
  async call(to: string, options: PhoneCallOptions = {}): Promise<SimulatedCall> {
    const call = await this.#open(null, options.sound);
    const from = options.from ?? this.user;
    const sip = this.#agent.call({
      to: this.#withTransport(to),
      from: from.startsWith('sip:') ? from : `sip:${from}@${this.address}:${this.port}`,
      body: call.offer,
      contentType: 'application/sdp',
      ...(options.headers ? { headers: options.headers } : {}),
      ...(options.ringTimeoutMs === undefined ? {} : { ringTimeoutMs: options.ringTimeoutMs }),
    });
    call.dialled(sip);
    return call;
  }

  /** The next call to this phone, from now on. Rejects with SimulatedCallError after `timeoutMs` (10 s). */
  nextCall(timeoutMs = 10_000): Promise<SimulatedCall> {
    return new Promise((resolve, reject) => {
      const off = this.once('called', (call) => {
        timer.cancel();
        resolve(call);
      });
      const timer = this.#clock.after(timeoutMs, () => {
        off();
        reject(new SimulatedCallError(`nobody called within ${timeoutMs} ms`));
      });
    });
  }

  /** A line per call, for people who look for what went wrong. */
  log(): string {
    return this.calls.map((call, n) => `call ${n + 1} ${call.direction} ${call.state} ${JSON.stringify(call.milestones)} sent=${call.packetsSent} heard=${call.heard.packets} ${describeEnding(call.ending)}`).join('\n');
  }

  /** Hangs up whatever is left and closes the sockets. */
  async stop(): Promise<void> {
    for (const call of this.calls) call.hangup();
    await this.#agent.stop();
  }

  async #open(incoming: IncomingSipCall | null, sound: PhoneSound | undefined): Promise<SimulatedCall> {
    let call: SimulatedCall | null = null;
    const audio = await PhoneAudio.open({
      address: this.address,
      clock: this.#clock,
      sound: sound ?? this.#options.sound ?? { kind: 'silence' },
      keepMs: this.#options.keepMs ?? 20_000,
      digitReceived: (digit) => call?.digitArrived(digit),
    });
    call = new SimulatedCall({ audio, clock: this.#clock, address: this.address, incoming });
    this.calls.push(call);
    return call;
  }

  async #incoming(incoming: IncomingSipCall): Promise<void> {
    const call = await this.#open(incoming, undefined);
    const { habit } = this;
    if (habit.kind === 'reject') call.reject(habit.statusCode);
    else if (habit.kind === 'answer' && habit.afterMs === undefined) call.answer();
    else call.ring();
    if (habit.kind === 'answer' && habit.afterMs !== undefined) this.#clock.after(habit.afterMs, () => call.answer());
    this.emit('called', call);
  }

  #withTransport(uri: string): string {
    return this.#options.transport !== 'tcp' || /;transport=/i.test(uri) ? uri : `${uri};transport=tcp`;
  }
}
