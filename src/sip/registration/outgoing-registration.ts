import { randomInt } from 'node:crypto';
import type { Timer } from '../../base/clock.ts';
import { Emitter } from '../../base/emitter.ts';
import type { SipRegistration, SipRegistrationEvents, SipRegistrationOptions } from '../contract.ts';
import { outsideRequest, type OutsideRequest } from '../call/outside-request.ts';
import type { SipCore } from '../core.ts';
import { whyUnanswerable } from '../digest/answer.ts';
import { Authorizer } from '../digest/authorizer.ts';
import { SipError } from '../errors.ts';
import { newCallId, newTag } from '../identity.ts';
import { parseNumber } from '../message/grammar.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import { parseSipUri } from '../message/uri.ts';
import { RoutedRequest, retryAfterS } from '../resolve/routed-request.ts';
import { serviceRouteOf } from './service-route.ts';
import { RegistrationMachine, type RegistrationOutput, type RegistrationState } from './registration.ts';

const RANDOM_STEPS = 2 ** 32;
/** A server of the registrar that answers nothing for so long is given up for the next, or for now. */
const SILENCE_MS = 8_000;

/** Keeps us registered at a carrier: drives the machine with real requests. Same Call-ID, rising CSeq (RFC 3261 §10.2). */
export class OutgoingRegistration extends Emitter<SipRegistrationEvents> implements SipRegistration {
  readonly options: SipRegistrationOptions;
  readonly #core: SipCore;
  readonly #machine: RegistrationMachine;
  readonly #authorizer: Authorizer;
  readonly #callId = newCallId();
  readonly #fromTag = newTag();
  readonly #over: Promise<void>;
  #ended: () => void = () => undefined;
  /** The first request is only made, to see whether it can be. */
  #cseq = -1;
  #routed: RoutedRequest | null = null;
  #attempts = 0;
  #authorization: [name: string, value: string] | null = null;
  #timer: Timer | null = null;
  #reason: string | null = null;
  #serviceRoute: string | null = null;

  /** Throws SipError for a URI or name that cannot go into a message. */
  constructor(core: SipCore, options: SipRegistrationOptions, forget: () => void) {
    super();
    if (options.credentials.username === '') throw new SipError('a registration needs a user name');
    this.options = options;
    this.#core = core;
    this.#authorizer = new Authorizer(options.credentials);
    this.#machine = new RegistrationMachine({ ...(options.expiresS !== undefined && { expiresS: options.expiresS }), random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS });
    this.#over = new Promise((resolve) => (this.#ended = resolve));
    this.#request(0);
    void this.#over.then(forget);
    queueMicrotask(() => this.#run(this.#machine.start()));
  }

  get state(): RegistrationState {
    return this.#machine.state;
  }

  get reason(): string | null {
    return this.#reason;
  }

  get serviceRoute(): string | null {
    return this.state === 'registered' ? this.#serviceRoute : null;
  }

  refresh(): void {
    this.#run(this.#machine.refresh());
  }

  stop(): Promise<void> {
    this.#run(this.#machine.stop(this.#core.clock.nowMs()));
    return this.#over;
  }

  #run(outputs: RegistrationOutput[]): void {
    for (const output of outputs) {
      if (output.kind === 'send') this.#send(output);
      else if (output.kind === 'changed') this.#changed(output.state, output.reason);
      else this.#finish();
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    const { clock } = this.#core;
    const { nextMs } = this.#machine;
    this.#timer = nextMs === null ? null : clock.after(nextMs - clock.nowMs(), () => this.#run(this.#machine.expire(clock.nowMs())));
  }

  #changed(state: RegistrationState, reason: string | null): void {
    this.#reason = reason;
    const { log } = this.#core;
    const fields = { registrar: this.options.registrar, user: this.options.credentials.username, state, ...(reason !== null && { reason }) };
    if (state === 'failed') log.warn(fields, 'a registration at a carrier failed, it is tried again');
    else log.info(fields, 'a registration at a carrier changed');
    this.emit('changed', state, reason);
  }

  #finish(): void {
    this.#routed?.abandon();
    this.#routed = null;
    this.#ended();
  }

  #send({ expiresS, again }: { expiresS: number; again: boolean }): void {
    this.#routed?.abandon();
    this.#attempts = again ? this.#attempts + 1 : 0;
    const { request, destination, contact } = this.#request(expiresS);
    if (again && this.#authorization) request.headers.add(...this.#authorization);
    const mine = (): boolean => this.#routed === routed;
    const routed: RoutedRequest = new RoutedRequest(this.#core, request, {
      destination,
      contact,
      silenceMs: SILENCE_MS,
      user: {
        response: (response) => mine() && response.statusCode >= 200 && this.#answered(response, request),
        failed: (reason) => mine() && this.#run(this.#machine.unanswered(reason === 'timeout' ? 'no answer' : 'not reachable', this.#core.clock.nowMs())),
        late: () => undefined,
      },
    });
    this.#routed = routed;
    routed.start();
  }

  #answered(response: SipResponse, request: SipRequest): void {
    const { headers } = response;
    this.#authorization = this.#authorizer.answer(response, request, this.#attempts);
    if (response.statusCode < 300) this.#serviceRoute = serviceRouteOf(headers);
    const answer = {
      statusCode: response.statusCode,
      reasonPhrase: reasonOf(response),
      grantedS: this.#granted(response),
      minExpiresS: secondsOf(headers.get('min-expires')),
      retryAfterS: retryAfterS(response),
      answerable: this.#authorization !== null,
    };
    this.#run(this.#machine.answered(answer, this.#core.clock.nowMs()));
  }

  /** Of our own contact when it is listed (RFC 3261 §10.3), else what holds for all. */
  #granted({ headers }: SipResponse): number | null {
    const ours = this.#contactUser;
    const listed = headers.list('contact').map(parseNameAddr).find((address) => address && parseSipUri(address.uri)?.user === ours);
    return secondsOf(listed?.params.get('expires')) ?? secondsOf(headers.get('expires'));
  }

  get #contactUser(): string {
    return encodeURIComponent(this.options.contactUser ?? this.options.credentials.username);
  }

  #request(expiresS: number): OutsideRequest {
    const { registrar, address, outboundProxy } = this.options;
    const uri = parseSipUri(registrar);
    const to = address ?? `sip:${encodeURIComponent(this.options.credentials.username)}@${uri?.host ?? ''}`;
    const made = outsideRequest(this.#core, {
      method: 'REGISTER',
      uri: registrar.replace(/^(sips?:)[^@]*@/i, '$1'),
      from: to,
      to,
      fromTag: this.#fromTag,
      callId: this.#callId,
      cseq: ++this.#cseq,
      contactUser: this.#contactUser,
      ...(outboundProxy !== undefined && { outboundProxy }),
    });
    made.request.headers.add('Expires', String(expiresS));
    return made;
  }
}

function reasonOf({ statusCode, reasonPhrase, headers }: SipResponse): string {
  const why = statusCode === 401 || statusCode === 407 ? whyUnanswerable(headers.lines(statusCode === 401 ? 'www-authenticate' : 'proxy-authenticate')) : null;
  return why === null ? reasonPhrase : `${reasonPhrase} (${why})`;
}

function secondsOf(text: string | undefined): number | null {
  return parseNumber(text?.trim() ?? '', 2 ** 32 - 1);
}
