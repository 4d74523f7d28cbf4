import type { Clock } from '../../base/clock.ts';
import type { AccountSid } from '../../base/sid.ts';
import type { OutgoingSipCall, OutgoingSipCallOptions, SipEnding, SipUserAgent } from '../../sip/contract.ts';
import { parseSipUri, requestUriOf, type SipUri } from '../../sip/message/uri.ts';
import type { Problem } from '../call-journal.ts';
import type { CarrierRoute, Carriers } from '../carrier/carriers.ts';
import { toE164 } from '../carrier/number-format.ts';
import type { Destination, DialRefusal } from '../dial-plan/fraud-guard.ts';
import { e164Of } from '../dial-plan/number.ts';
import type { Registrations } from '../registrations.ts';
import { contactsOf } from './contacts.ts';

/** What a leg asks of whoever calls; its offer comes besides. */
export type LegCallOptions = Omit<OutgoingSipCallOptions, 'body' | 'contentType'>;

/** Who is called next, and by whom. */
export interface Placing {
  caller: Pick<SipUserAgent, 'call'>;
  options: LegCallOptions;
}

export interface RedirectsDeps {
  accountSid: AccountSid;
  /** As of the Call: a number, a SIP address or `client:name`. */
  called: string;
  /** How it leaves; null: by no trunk. */
  route: CarrierRoute | null;
  sip: Pick<SipUserAgent, 'call'>;
  carriers: Pick<Carriers, 'callerFor'>;
  registrations: Pick<Registrations, 'contactsAt'>;
  mayDial: (destination: Destination) => DialRefusal | null;
  clock: Clock;
  journal: (problem: Problem) => void;
}

const FOLLOWED = [300, 301, 302];
const MAX_REDIRECTS = 5;
/** As of `OutgoingSipCallOptions`. */
const DEFAULT_RING_MS = 180_000;
/** Twilio's number for trouble with the other side's SIP. */
const SIP_ERROR = 32011;
const ENCRYPTED = /^sips:|;transport=tls\b/i;

/**
 * Follows the Contacts of a 3xx (RFC 3261 §8.1.3.4): one after the other, never the same twice, five in all. A redirection
 * leads nowhere the call could not have gone: to phones of the account's SIP domains, to numbers at the hosts of the same trunk, or
 * to the host that was called.
 */
export class Redirects {
  readonly #deps: RedirectsDeps;
  readonly #seen = new Set<string>();
  readonly #startedAtMs: number;
  readonly #first: LegCallOptions;
  #waiting: string[] = [];
  #followed = 0;

  /** `first`: what was called. */
  constructor(deps: RedirectsDeps, first: LegCallOptions) {
    this.#deps = deps;
    this.#first = first;
    this.#startedAtMs = deps.clock.nowMs();
    for (const uri of [first.to, deps.called]) this.#seen.add(keyOf(uri));
  }

  /** Who is called after a call that nobody took; null: nobody, the call is over. */
  next(ending: SipEnding, answerHeaders: OutgoingSipCall['answerHeaders']): Placing | null {
    const { cause, statusCode = 0 } = ending;
    if (cause !== 'unreachable' && (cause !== 'rejected' || statusCode >= 600)) return null;
    if (statusCode >= 300 && statusCode < 400) this.#redirected(statusCode, contactsOf(answerHeaders));
    for (let uri = this.#waiting.shift(); uri !== undefined; uri = this.#waiting.shift()) {
      const placing = this.#follow(uri);
      if (typeof placing !== 'string') return placing;
      this.#tell(`The call was not redirected to ${shown(uri)}: ${placing}`);
    }
    return null;
  }

  #redirected(statusCode: number, contacts: string[]): void {
    if (!FOLLOWED.includes(statusCode)) return this.#tell(`The call was answered with ${statusCode}: such a redirection is not followed`);
    if (contacts.length === 0) return this.#tell(`The call was answered with ${statusCode} without a Contact that can be read`);
    this.#waiting = [...contacts, ...this.#waiting];
  }

  #tell(message: string): void {
    this.#deps.journal({ errorCode: SIP_ERROR, message, log: 1 });
  }

  /** Or why it is not followed. */
  #follow(uri: string): Placing | string {
    if (this.#seen.has(keyOf(uri))) return 'it was called already';
    if (this.#followed >= MAX_REDIRECTS) return `a call is redirected ${MAX_REDIRECTS} times at most`;
    this.#seen.add(keyOf(uri));
    const placing = this.#placing(uri);
    if (typeof placing !== 'string') this.#followed++;
    return placing;
  }

  #placing(uri: string): Placing | string {
    if (/^tel:/i.test(uri)) return this.#toNumber(e164Of(uri.slice(4)), null);
    const sip = parseSipUri(uri);
    if (!sip) return 'it is no SIP address';
    if (sip.params.has('maddr')) return 'maddr would lead it elsewhere';
    return this.#toUser(sip) ?? (this.#deps.route ? this.#atTrunk(sip, uri) : this.#atHost(sip, uri));
  }

  /** A user of a SIP domain of the account; null: the host is none. */
  #toUser({ user, host }: SipUri): Placing | string | null {
    const { registrations, accountSid, sip } = this.#deps;
    const contacts = registrations.contactsAt(accountSid, { user, domainName: host });
    if (!contacts) return null;
    const [phone] = contacts;
    return phone ? { caller: sip, options: { ...this.#options(), to: phone.uri, outboundProxy: phone.outboundProxy } } : 'no phone is registered there';
  }

  #atTrunk(sip: SipUri, uri: string): Placing | string {
    const { trunk } = this.#deps.route ?? {};
    if (!trunk?.targets.some(({ enabled, target }) => enabled && parseSipUri(target)?.host === sip.host)) return 'it is neither a user of a SIP domain of this account nor at the host of a target of the trunk';
    const weaker = this.#weaker(uri);
    return weaker ?? this.#toNumber(toE164(sip.user, trunk.settings.numbers), addressOf(sip));
  }

  /** By the same trunk, `target` instead of its own ones. */
  #toNumber(number: string | null, target: string | null): Placing | string {
    const { route, carriers, mayDial, accountSid } = this.#deps;
    if (!route) return 'a number is called by the trunk that the call left by, and it left by none';
    if (number === null || !/^\+\d{4,}$/.test(number)) return 'it is no number';
    // The call itself is counted already.
    const refusal = mayDial({ accountSid, to: number, trunk: route.trunk, planned: -1 });
    if (refusal) return refusal.message;
    const trunk = target === null ? route.trunk : { ...route.trunk, targets: [{ target, priority: 0, weight: 1, enabled: true }] };
    return { caller: carriers.callerFor({ ...route, trunk, number }), options: { ...this.#options(), to: target ?? this.#first.to } };
  }

  #atHost(sip: SipUri, uri: string): Placing | string {
    const { called, mayDial, accountSid, sip: caller } = this.#deps;
    if (parseSipUri(called)?.host !== sip.host) return 'it is neither a user of a SIP domain of this account nor at the host that was called';
    const refusal = mayDial({ accountSid, to: uri });
    const { credentials } = this.#first;
    return refusal?.message ?? this.#weaker(uri) ?? { caller, options: { ...this.#options(), to: requestUriOf(uri), ...(credentials && { credentials }) } };
  }

  #weaker(uri: string): string | null {
    return ENCRYPTED.test(this.#first.to) && !ENCRYPTED.test(uri) ? 'the call was to be encrypted, and this would not be' : null;
  }

  /** Of the first call, but for where it goes and what it proves. */
  #options(): Omit<LegCallOptions, 'to'> {
    const { outboundProxy: _way, credentials: _proof, ringTimeoutMs = DEFAULT_RING_MS, ...rest } = this.#first;
    return { ...rest, ringTimeoutMs: Math.max(1, ringTimeoutMs - (this.#deps.clock.nowMs() - this.#startedAtMs)) };
  }
}

/** `sip:host:port;transport=…` of an address. */
function addressOf({ scheme, host, port, params }: SipUri): string {
  const transport = params.get('transport')?.toLowerCase() ?? '';
  return `${scheme}:${host}${port === null ? '' : `:${port}`}${/^(udp|tcp|tls)$/.test(transport) ? `;transport=${transport}` : ''}`;
}

/** The same for all spellings of one address. */
function keyOf(uri: string): string {
  const sip = parseSipUri(uri);
  return sip ? `${sip.user}@${addressOf(sip)}` : uri.toLowerCase();
}

function shown(uri: string): string {
  return requestUriOf(uri).replace(/^(sips?:[^:@]*):[^@]*@/i, '$1@').slice(0, 120);
}
