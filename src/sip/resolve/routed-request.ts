import type { Clock, Timer } from '../../base/clock.ts';
import { newBranch, type Identity } from '../identity.ts';
import { parseNumber } from '../message/grammar.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { serializeMessage } from '../message/serialize.ts';
import type { ClientTransaction, ClientUser, TransactionLayer } from '../transaction/layer.ts';
import type { Destination } from '../transport/destination.ts';
import { dressRequest, wayTo } from '../way.ts';
import type { Routes } from './routes.ts';

/** Who sends a request that may try several servers. */
export interface RoutedUser extends ClientUser {
  /** A server that was given up for its silence answers after all. Without it nobody hears. */
  late?(response: SipResponse, transaction: ClientTransaction): void;
}

export interface RoutedOptions {
  destination: Destination;
  user: RoutedUser;
  /** How long a server may say nothing at all before the next is tried. Default: as its transaction allows. */
  silenceMs?: number;
  /** Places where it is not sent are passed over. Default: none is. */
  mayReach?: (place: Destination) => boolean;
  /** Our Contact as it is in the request. Default: as the identity has it. */
  contact?: (way: ReturnType<typeof wayTo>) => string;
}

/** What it takes of the user agent it belongs to. */
export interface RoutingCore {
  readonly clock: Clock;
  readonly identity: Identity;
  readonly layer: TransactionLayer;
  readonly routes: Routes;
}

/** RFC 3261 §18.1.1: a larger request may not go in a datagram when the way to it is ours to choose. */
const MAX_DATAGRAM_BYTES = 1_300;
/** Headers and body that cannot make one, so that most requests need not be measured: a Via is added yet. */
const SURELY_SMALL_BYTES = 900;
/** How long a connection for a large request may take to be made, before a datagram is tried all the same. */
const LARGE_CONNECT_MS = 1_500;

/**
 * One request on its way to the first server that takes it:
 *
 *     finding ──no place──▶ failed
 *        │
 *        ▼
 *     trying ◀──503, unreachable, silent: next place── trying      any other answer ──▶ answered
 */
export class RoutedRequest implements ClientTransaction {
  readonly #core: RoutingCore;
  readonly #template: SipRequest;
  readonly #to: Destination;
  readonly #user: RoutedUser;
  readonly #silenceMs: number | null;
  readonly #mayReach: (place: Destination) => boolean;
  readonly #contact: (way: ReturnType<typeof wayTo>) => string;
  #left: Destination[] = [];
  #current: ClientTransaction | null = null;
  /** Counts tries: what belongs to an earlier one comes late. */
  #try = 0;
  #heard = false;
  #settled = false;
  #over = false;
  #timer: Timer | null = null;

  constructor(core: RoutingCore, request: SipRequest, { destination, user, silenceMs, mayReach, contact }: RoutedOptions) {
    this.#core = core;
    this.#template = request;
    this.#to = destination;
    this.#user = user;
    this.#silenceMs = silenceMs ?? null;
    this.#mayReach = mayReach ?? (() => true);
    this.#contact = contact ?? ((way) => core.identity.contact(way));
  }

  /** As it was sent last; before it was, without Via. */
  get request(): SipRequest {
    return this.#current?.request ?? this.#template;
  }

  get destination(): Destination {
    return this.#current?.destination ?? this.#to;
  }

  /** Whether anything was sent. */
  get sent(): boolean {
    return this.#current !== null;
  }

  start(): void {
    this.#core.routes.find(this.#to, (places) => {
      if (this.#over) return;
      this.#left = places.filter((place) => this.#mayReach(place));
      this.#next('transport');
    });
  }

  /** No other server is tried any more. */
  settle(): void {
    this.#settled = true;
  }

  abandon(): void {
    this.#finish();
    this.#current?.abandon();
  }

  stopRepeating(): void {
    this.#current?.stopRepeating();
  }

  // ── one try after the other ──

  /** `reason`: what is told when there is no other place. */
  #next(reason: 'timeout' | 'transport'): void {
    const place = this.#settled && this.#current ? undefined : this.#left.shift();
    if (place) return this.#send(place, this.#isLarge(place));
    this.#finish();
    this.#user.failed(reason);
  }

  #send(place: Destination, large: boolean): void {
    const attempt = ++this.#try;
    this.#heard = false;
    this.#timer?.cancel();
    const destination: Destination = large ? { ...place, transport: 'tcp' } : place;
    const branch = newBranch();
    const user: ClientUser = {
      response: (response) => this.#answered(response, { attempt, place: destination, transaction: () => transaction }),
      failed: (reason) => this.#failed(place, { attempt, large, reason }),
    };
    const transaction: ClientTransaction = this.#core.layer.request(this.#dressed(place, { destination, branch }), { branch, destination, user });
    // It may have failed while it was started, and another be on its way.
    if (attempt !== this.#try || this.#over) return;
    this.#current = transaction;
    this.#watch(place, large);
  }

  /** Under the address that this place knows us by. A Contact says where we listen, whatever a large request came over. */
  #dressed(place: Destination, way: { destination: Destination; branch: string }): SipRequest {
    const request = { ...this.#template, headers: this.#template.headers.clone() };
    if (request.headers.get('contact') === this.#contact(wayTo(this.#to))) request.headers.set('Contact', this.#contact(wayTo(place)));
    dressRequest(this.#core, request, way);
    return request;
  }

  #watch(place: Destination, large: boolean): void {
    const waitMs = large ? LARGE_CONNECT_MS : this.#left.length > 0 || this.#user.late ? this.#silenceMs : null;
    if (waitMs === null) return;
    this.#timer = this.#core.clock.after(waitMs, () => {
      if (this.#heard) return;
      if (!large) return this.#silent(place);
      if (this.#core.layer.isConnecting({ ...place, transport: 'tcp' })) return this.#notOverTcp(place);
      if (this.#silenceMs !== null) this.#timer = this.#core.clock.after(Math.max(0, this.#silenceMs - LARGE_CONNECT_MS), () => this.#silent(place));
    });
  }

  #answered(response: SipResponse, from: { attempt: number; place: Destination; transaction: () => ClientTransaction }): void {
    if (from.attempt !== this.#try) return this.#user.late?.(response, from.transaction());
    this.#heard = true;
    this.#timer?.cancel();
    if (response.statusCode >= 180) this.#judge(response, from.place);
    if (response.statusCode === 503 && this.#left.length > 0 && !this.#settled) return this.#next('transport');
    if (response.statusCode >= 180) this.#left = [];
    this.#user.response(response);
  }

  #judge(response: SipResponse, place: Destination): void {
    if (response.statusCode !== 503) return this.#core.routes.succeeded(place);
    const seconds = retryAfterS(response);
    if (seconds !== null) this.#core.routes.askedToRest(place, seconds * 1000);
  }

  #failed(place: Destination, { attempt, large, reason }: { attempt: number; large: boolean; reason: 'timeout' | 'transport' }): void {
    if (attempt !== this.#try || this.#over) return;
    // A timer that ran out after 100 is no reason to ask somebody else (RFC 3263 §4.3).
    if (this.#heard) return this.#finishWith(reason);
    if (large && reason === 'transport') return this.#notOverTcp(place);
    this.#core.routes.failed(place);
    this.#next(reason);
  }

  /** RFC 3261 §18.1.1: then it goes in a datagram after all. */
  #notOverTcp(place: Destination): void {
    this.#core.routes.failed({ ...place, transport: 'tcp' });
    this.#current?.abandon();
    this.#send(place, false);
  }

  #silent(place: Destination): void {
    if (this.#heard || this.#over) return;
    this.#core.routes.failed(place);
    this.#current?.stopRepeating();
    this.#try++;
    this.#next('timeout');
  }

  #isLarge(place: Destination): boolean {
    if (place.transport !== 'udp' || !this.#to.open?.transport) return false;
    const { headers, body } = this.#template;
    if (headers.bytes + body.length < SURELY_SMALL_BYTES || this.#core.routes.isResting({ ...place, transport: 'tcp' })) return false;
    return serializeMessage(this.#dressed(place, { destination: place, branch: newBranch() })).length > MAX_DATAGRAM_BYTES;
  }

  #finishWith(reason: 'timeout' | 'transport'): void {
    this.#finish();
    this.#user.failed(reason);
  }

  #finish(): void {
    this.#over = true;
    this.#left = [];
    this.#timer?.cancel();
  }
}

/** RFC 3261 §20.33: seconds, with a comment and a duration that do not matter here. Null without. */
export function retryAfterS(response: SipResponse): number | null {
  return parseNumber(/^\s*(\d{1,9})/.exec(response.headers.get('retry-after') ?? '')?.[1] ?? '', 2 ** 31);
}
