import type { AccountSid } from '../../base/sid.ts';
import { parseSipUri } from '../../sip/message/uri.ts';
import { numbersAtHost, operatorsTrunksBeside, type NumberAtCarrier } from '../carrier/carrier-hosts.ts';
import type { Trunk } from '../carrier/model.ts';
import { mayCallNumber } from '../carrier/trunk-limits.ts';

/** What calls to numbers an account may place, so that whoever gets hold of it, or of a phone, cannot run up a bill. */
export interface OutboundPolicy {
  /** Beginnings of numbers (`+49`) that may be called; `all`: every one but those of `COSTLY`; null: nothing was said, only what a trunk of the operator allows. */
  prefixes: readonly string[] | 'all' | null;
  /** Calls to numbers that may stand at once; null: as many as come. */
  maxCalls: number | null;
  /** Calls to numbers that may be begun in a minute; null: as many as come. */
  callsPerMinute: number | null;
}

/** Of a server that only this machine reaches. */
export const OPEN_POLICY: OutboundPolicy = { prefixes: 'all', maxCalls: null, callsPerMinute: null };
/** Of any other. */
export const CLOSED_POLICY: OutboundPolicy = { prefixes: null, maxCalls: 100, callsPerMinute: 60 };

/** Satellites, premium rates and shared costs: refused unless a prefix as long as these, or longer, is listed. */
export const COSTLY: readonly string[] = [
  // Satellites and networks of no country (ITU-T E.164.D), premium rate of no country.
  '+870', '+878', '+881', '+882', '+883', '+888', '+979',
  // Premium rates of countries whose callers are defrauded most.
  '+1900', '+1976', '+3289', '+3389', '+39144', '+39166', '+39199', '+39892', '+39895', '+39899', '+34803', '+34806', '+34807', '+3190', '+449', '+4487', '+4190', '+43900', '+43930', '+46900', '+46939', '+4890', '+49137', '+49180', '+49900',
];

/** Why a destination may not be called. */
export interface DialRefusal {
  /** Twilio's number for a refusal over REST. */
  restCode: 21215 | 10004 | 20429;
  /** HTTP status of that. */
  httpStatus: 400 | 429;
  /** Twilio's number for the same in TwiML. */
  twimlCode: 13227 | 10004 | 20429;
  /** For people; says what to change. */
  message: string;
}

export interface Destination {
  accountSid: AccountSid;
  /** E.164, or a SIP address: one at a carrier is the number that it carries. */
  to: string;
  /** That the number would be called by. */
  trunk?: Trunk | null;
  /** Calls that are about to be placed besides. */
  planned?: number;
}

type FoundNumber = Omit<NumberAtCarrier, 'trunk'> & { trunk: Trunk | null };

const WINDOW_MS = 60_000;

/**
 * The one place that says whether an account may call somebody: REST, `<Dial>`, `<Refer>` and transfers ask it. Calls to
 * phones that are registered here and to SIP addresses elsewhere cost nothing and are not its business. Pure: the time is an argument.
 */
export class FraudGuard {
  readonly #policy: OutboundPolicy;
  readonly #trunks: () => readonly Trunk[];
  readonly #standing = new Map<AccountSid, number>();
  readonly #counted = new WeakSet<object>();
  /** When the calls of the last minute began, the oldest first. */
  readonly #begun = new Map<AccountSid, number[]>();

  /** `trunks`: all there are. */
  constructor(policy: OutboundPolicy, trunks: () => readonly Trunk[]) {
    this.#policy = policy;
    this.#trunks = trunks;
  }

  /** Null: it may be called. */
  mayDial(destination: Destination, nowMs: number): DialRefusal | null {
    const found = this.#numbersOf(destination);
    if (found.length === 0) return null;
    const refusals = found.map((number) => this.#refusalOfNumber(number));
    return (refusals.includes(null) ? null : refusals[0]) ?? this.#refusalOfMany(destination, nowMs);
  }

  /** A call leaves; `ended` with the same object takes it away again, whatever became of trunks meanwhile. */
  begun(call: Pick<Destination, 'accountSid' | 'to'>, nowMs: number): void {
    if (this.#numbersOf(call).length === 0) return;
    const { accountSid } = call;
    this.#counted.add(call);
    this.#standing.set(accountSid, (this.#standing.get(accountSid) ?? 0) + 1);
    if (this.#policy.callsPerMinute !== null) this.#begun.set(accountSid, [...this.#recent(accountSid, nowMs), nowMs]);
  }

  ended(call: Pick<Destination, 'accountSid' | 'to'>): void {
    if (!this.#counted.delete(call)) return;
    const left = (this.#standing.get(call.accountSid) ?? 0) - 1;
    if (left > 0) this.#standing.set(call.accountSid, left);
    else this.#standing.delete(call.accountSid);
  }

  #refusalOfNumber({ number, trunk }: FoundNumber): DialRefusal | null {
    const { prefixes } = this.#policy;
    if (number === null) return notPermitted(`what is called at the host of trunk ${trunk?.name ?? ''} is no number that can be read, and the carrier might read one`);
    if (trunk && !mayCallNumber(trunk, number)) return notPermitted(`${number} may not be called: trunk ${trunk.name} allows other numbers (outbound.allowedPrefixes)`);
    const beside = trunk && !trunk.ofOperator ? operatorsTrunksBeside(this.#trunks(), trunk) : [];
    if (beside.length > 0 && !beside.some((other) => mayCallNumber(other, number))) return notPermitted(`${number} may not be called: the server's own trunks to that carrier allow other numbers (outbound.allowedPrefixes)`);
    // What the server lists, or none, is the most that a trunk can have; where it lists nothing, its operator's trunks do. Subaccounts only narrow it.
    const allowed = typeof prefixes === 'string' || prefixes === null ? (trunk?.ofOperator ? trunk.settings.outbound.allowedPrefixes : []) : prefixes;
    const listed = allowed.filter((prefix) => number.startsWith(prefix));
    const costly = COSTLY.find((prefix) => number.startsWith(prefix));
    if (costly !== undefined && !listed.some((prefix) => prefix.length >= costly.length)) return notPermitted(`${number} may not be called: ${costly} is a satellite or premium range; list ${costly} in PARTYLINE_OUTBOUND_PREFIXES to allow it`);
    if (prefixes === 'all' || listed.length > 0) return null;
    if (prefixes === null) return notPermitted(`${number} may not be called: this server is reached by others, and nothing says which numbers it may call; set PARTYLINE_OUTBOUND_PREFIXES (as +49,+1, or all) or outbound.allowedPrefixes of a trunk of the main account`);
    return notPermitted(`${number} may not be called: it begins with none of PARTYLINE_OUTBOUND_PREFIXES (${prefixes.slice(0, 10).join(',') || 'none'})`);
  }

  #refusalOfMany({ accountSid, planned = 0 }: Destination, nowMs: number): DialRefusal | null {
    const { maxCalls, callsPerMinute } = this.#policy;
    if (maxCalls !== null && (this.#standing.get(accountSid) ?? 0) + planned >= maxCalls) return { restCode: 10004, httpStatus: 429, twimlCode: 10004, message: `the account has its ${maxCalls} calls to numbers at once already (PARTYLINE_OUTBOUND_MAX_CALLS)` };
    if (callsPerMinute !== null && this.#recent(accountSid, nowMs).length + planned >= callsPerMinute) return { restCode: 20429, httpStatus: 429, twimlCode: 20429, message: `the account has begun its ${callsPerMinute} calls to numbers of this minute already (PARTYLINE_OUTBOUND_CALLS_PER_MINUTE)` };
    return null;
  }

  #recent(accountSid: AccountSid, nowMs: number): number[] {
    return (this.#begun.get(accountSid) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS);
  }

  /** What a carrier would charge for, and by which trunks it may be; none: it costs nothing. */
  #numbersOf({ to, trunk = null }: Pick<Destination, 'to' | 'trunk'>): FoundNumber[] {
    if (!/^sips?:/i.test(to)) return /^\+\d+$/.test(to) ? [{ number: to, trunk }] : [];
    const uri = parseSipUri(to);
    return uri ? numbersAtHost(this.#trunks(), uri) : [];
  }
}

function notPermitted(message: string): DialRefusal {
  return { restCode: 21215, httpStatus: 400, twimlCode: 13227, message };
}
