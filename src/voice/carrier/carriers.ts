import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { OutgoingSipCall, OutgoingSipCallOptions, SipEnding, SipPlace, SipUserAgent } from '../../sip/contract.ts';
import { whyUnanswerable } from '../../sip/digest/answer.ts';
import { identityLines, type IdentityLines } from '../../sip/message/identity-headers.ts';
import { parseNumber } from '../../sip/message/grammar.ts';
import type { Problem } from '../call-journal.ts';
import { CarrierAddresses } from './carrier-addresses.ts';
import { CarrierCall, type CarrierTry } from './carrier-call.ts';
import type { Trunk, TrunkDirectory, TrunkTarget } from './model.ts';
import { fromE164 } from './number-format.ts';
import { OutsideCalls } from './outside-calls.ts';
import { orderTargets } from './order-targets.ts';
import { TargetHealth, wayOf } from './target-health.ts';
import { TargetProbes } from './target-probes.ts';
import { TrunkLimits } from './trunk-limits.ts';
import { TrunkRegistrations } from './trunk-registrations.ts';
import { fromHost, trunkUri } from './trunk-uri.ts';

/** How long the last target may say nothing: nobody else would be asked meanwhile. */
const LAST_SILENCE_MS = 10_000;
/** Twilio's number for a carrier that cannot be reached or refuses to work. */
const CARRIER_ERROR = 32011;

export interface CarriersDeps {
  sip: SipUserAgent;
  trunks: TrunkDirectory;
  clock: Clock;
  log: Log;
  /** Host of From where the trunk names none. */
  publicAddress: string;
  /** Whether this server itself listens there for SIP. Default: never. */
  isOwn?: (place: SipPlace) => boolean;
}

/** A call to a number, and the trunk it leaves by. */
export interface CarrierRoute {
  trunk: Trunk;
  /** E.164. */
  number: string;
  /** Who calls: a number, a name, or `anonymous`. */
  caller: string;
  /** What the debugger is told of each target that did not take the call. */
  journal: (problem: Problem) => void;
}

export interface CarrierCounts {
  targets: { healthy: number; unhealthy: number };
  registrations: Record<'registering' | 'registered' | 'failed', number>;
}

/** How a call would leave. */
export interface CarrierPreview extends IdentityLines {
  /** `to`: the Request-URI there; null: none can be made. */
  targets: { target: string; priority: number; weight: number; healthy: boolean; to: string | null }[];
  /** Why the trunk's limits would not let it begin now. */
  refusal: string | null;
}

/** How calls leave by trunks: which target is tried, who is healthy, where we are registered. */
export class Carriers {
  readonly #deps: CarriersDeps;
  readonly #health = new TargetHealth();
  readonly #limits = new TrunkLimits();
  readonly #probes: TargetProbes;
  readonly #registrations: TrunkRegistrations;
  readonly #addresses: CarrierAddresses;
  readonly #outside: OutsideCalls;

  constructor(deps: CarriersDeps) {
    this.#deps = deps;
    this.#registrations = new TrunkRegistrations(deps);
    this.#addresses = new CarrierAddresses(deps);
    this.#outside = new OutsideCalls({ ...deps, addresses: this.#addresses, isOwn: deps.isOwn ?? (() => false) });
    this.#probes = new TargetProbes({ ...deps, health: this.#health, cameBack: (trunk) => this.#registrations.refresh(trunk) });
  }

  /** Begins to probe and to register; the user agent listens by then. */
  start(): void {
    this.#addresses.start();
    this.#probes.start();
    this.#registrations.start();
  }

  /** Takes registrations away. Calls are not touched. */
  async stop(): Promise<void> {
    this.#addresses.stop();
    this.#probes.stop();
    await this.#registrations.stop();
  }

  counts(): CarrierCounts {
    return { targets: this.#probes.counts(), registrations: this.#registrations.counts() };
  }

  /** What a leg calls instead of the user agent: its call goes from target to target until one takes it. */
  callerFor(route: CarrierRoute): Pick<SipUserAgent, 'call'> {
    return { call: (options) => this.#call(route, options) };
  }

  /** What a leg calls that leaves by no trunk. `journal`: hears what is not called, and why. */
  outsideCaller(journal: CarrierRoute['journal']): Pick<SipUserAgent, 'call'> {
    return this.#outside.caller(journal);
  }

  /** How a call would leave now: its targets in the order in which they are tried, and what they are told. */
  preview(route: Omit<CarrierRoute, 'journal'>): CarrierPreview {
    const { trunk } = route;
    const nowMs = this.#deps.clock.nowMs();
    const targets = this.#ordered(trunk, nowMs).map(({ target, priority, weight }) => ({ target, priority, weight, healthy: this.#health.isHealthy(wayOf(trunk, { target })), to: trunkUri(trunk, { target }, route.number) }));
    return { targets, ...callerLines(route, this.#deps.publicAddress), refusal: this.#limits.refusal(trunk, nowMs) };
  }

  #call(route: CarrierRoute, options: OutgoingSipCallOptions): OutgoingSipCall {
    const { trunk, journal } = route;
    const nowMs = this.#deps.clock.nowMs();
    const refusal = this.#limits.refusal(trunk, nowMs);
    if (refusal !== null) {
      journal({ errorCode: CARRIER_ERROR, message: `The call was not placed: ${refusal}`, log: 0 });
      return new CarrierCall([], { cause: 'rejected', statusCode: 503, reasonPhrase: 'Trunk Limit Reached' });
    }
    const call = new CarrierCall(this.#triesOf(route, options));
    this.#limits.begun(trunk, nowMs);
    call.on('ended', () => this.#limits.ended(trunk));
    return call;
  }

  /** By priority and weight; who is dead or overloaded comes last. */
  #ordered(trunk: Trunk, nowMs: number): TrunkTarget[] {
    return this.#health.order(orderTargets(trunk.targets, (max) => randomInt(max)), (target) => wayOf(trunk, target), nowMs);
  }

  #triesOf(route: CarrierRoute, options: OutgoingSipCallOptions): CarrierTry[] {
    const { trunk } = route;
    const lines = callerLines(route, this.#deps.publicAddress);
    const startedAtMs = this.#deps.clock.nowMs();
    return this.#ordered(trunk, startedAtMs).flatMap((target) => {
      const to = trunkUri(trunk, target, route.number);
      return to === null ? [] : [this.#tryOf(route, target, ({ last }) => this.#place(options, { to, last, route, lines, startedAtMs }))];
    });
  }

  #place(options: OutgoingSipCallOptions, { to, last, route, lines, startedAtMs }: { to: string; last: boolean; route: CarrierRoute; lines: IdentityLines; startedAtMs: number }): OutgoingSipCall {
    const { sip, clock } = this.#deps;
    const { credentials, proxy, answerTimeoutMs } = route.trunk.settings.outbound;
    const way = proxy ?? this.#registrations.serviceRoute(route.trunk, to);
    return sip.call({
      ...options,
      to,
      from: lines.from,
      fromDisplayName: lines.fromDisplayName,
      headers: [...(options.headers ?? []), ...lines.headers],
      mayReach: (place) => this.#mayReach(route, place),
      silenceTimeoutMs: last ? Math.max(answerTimeoutMs, LAST_SILENCE_MS) : answerTimeoutMs,
      ...(options.ringTimeoutMs !== undefined && { ringTimeoutMs: Math.max(1, options.ringTimeoutMs - (clock.nowMs() - startedAtMs)) }),
      ...(way !== null && { outboundProxy: way }),
      ...(credentials && { credentials }),
    });
  }

  #mayReach({ trunk, number, journal }: CarrierRoute, place: SipPlace): boolean {
    const why = this.#outside.mayReachByTrunk({ trunk, number, place });
    if (why !== null) journal({ errorCode: CARRIER_ERROR, message: `Trunk ${trunk.name} does not call ${place.address}: ${why}`, log: 0 });
    return why === null;
  }

  #tryOf({ trunk, journal }: CarrierRoute, target: TrunkTarget, place: CarrierTry['place']): CarrierTry {
    const { log } = this.#deps;
    const way = wayOf(trunk, target);
    return {
      target: target.target,
      place,
      reached: () => this.#health.answered(way),
      ended: ({ ending, answerHeaders, next }) => {
        this.#note(way, ending, answerHeaders);
        if (!isFault(ending)) return;
        log.warn({ trunk: trunk.name, target: target.target, cause: ending.cause, statusCode: ending.statusCode, next }, 'a target of a trunk did not take a call');
        journal({ errorCode: CARRIER_ERROR, message: `${target.target} of trunk ${trunk.name} did not take the call (${textOf(ending, answerHeaders)})${next ? ': the next target is tried' : ''}`, log: next ? 1 : 0 });
      },
    };
  }

  #note(way: string, ending: SipEnding, answerHeaders: OutgoingSipCall['answerHeaders']): void {
    const nowMs = this.#deps.clock.nowMs();
    if (ending.cause === 'unreachable') return this.#health.failed(way, nowMs);
    if (ending.cause === 'rejected') this.#health.answered(way);
    if (ending.statusCode !== 503) return;
    const retryAfter = answerHeaders.find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
    const seconds = parseNumber(/^\s*(\d{1,9})/.exec(retryAfter ?? '')?.[1] ?? '', 2 ** 31);
    if (seconds !== null) this.#health.askedToRest(way, seconds * 1000, nowMs);
  }
}

/** A fault of the carrier or of its description, not an answer of the called phone. */
function isFault({ cause, statusCode = 0 }: SipEnding): boolean {
  return cause === 'unreachable' || (cause === 'rejected' && (statusCode === 408 || isChallenge(statusCode) || (statusCode >= 500 && statusCode < 600)));
}

const isChallenge = (statusCode: number): boolean => statusCode === 401 || statusCode === 407;

function textOf({ cause, statusCode, reasonPhrase }: SipEnding, answerHeaders: OutgoingSipCall['answerHeaders']): string {
  if (statusCode === undefined) return reasonPhrase ?? cause;
  const text = `${statusCode} ${reasonPhrase ?? ''}`.trim();
  if (!isChallenge(statusCode)) return text;
  const challenges = answerHeaders.filter(([name]) => /^(www|proxy)-authenticate$/i.test(name)).map(([, value]) => value);
  return `${text}: ${whyUnanswerable(challenges) ?? "the trunk's credentials are missing or wrong"}`;
}

/** Numbers of callers are written as called ones are, without the trunk's own prefix. A caller who is nobody is asserted as nobody. */
function callerLines({ trunk, caller }: Pick<CarrierRoute, 'trunk' | 'caller'>, publicAddress: string): IdentityLines {
  const { outbound, numbers } = trunk.settings;
  const isAnonymous = caller === 'anonymous';
  const user = /^\+\d+$/.test(caller) ? fromE164(caller, { ...numbers, addOut: '' }) : caller;
  return identityLines({ user, host: fromHost(trunk, publicAddress), style: isAnonymous ? 'from' : outbound.identity, withheld: isAnonymous || outbound.withheld });
}
