import { SipError } from '../errors.ts';
import { percentDecode } from './grammar.ts';
import { parseNameAddr, printNameAddr, type NameAddr } from './name-addr.ts';
import { bracket, parseHostPort, parseSipUri, uriScheme } from './uri.ts';

/** Who calls, as the network says it (RFC 3325, RFC 3323, and Remote-Party-ID of draft-ietf-sip-privacy-04). Pure. */
export interface CallerIdentity {
  /** Null: no header of that kind, or none that could be read. Only a peer that is trusted may be believed (RFC 3325 §4). */
  asserted: AssertedIdentity | null;
  /** The caller wants its identity kept from the called party: Privacy, `privacy=` of Remote-Party-ID, or an anonymous From. */
  withheld: boolean;
}

export interface AssertedIdentity {
  header: 'P-Asserted-Identity' | 'Remote-Party-ID';
  displayName: string;
  /** A number where there is one: `+15550100`, without separators and parameters; else the user of the SIP URI. */
  user: string;
  /** Of the SIP URI; '' when there is only a `tel:` one. */
  host: string;
}

/** How a trunk wants to be told who calls. `none`: as `from`, and without Privacy. */
export type IdentityStyle = 'pai' | 'rpid' | 'from' | 'none';

/** The parts of an identity of ours. They are parts, never header text: whatever they hold, no header can come of it. */
export interface OutgoingIdentity {
  /** Number or name; escaped as a URI wants it. */
  user: string;
  /** Name or address, without port. */
  host: string;
  displayName?: string;
  style: IdentityStyle;
  /** The called party must not learn it; the trunk may. */
  withheld: boolean;
}

export interface IdentityLines {
  /** URI for From. */
  from: string;
  fromDisplayName: string;
  headers: [name: string, value: string][];
}

const ANONYMOUS_HOST = 'anonymous.invalid';
const MAX_USER_CHARS = 128;
const MAX_NAME_CHARS = 128;

/** Reads the identity of an incoming request; `header` gives all values of a header, in order. */
export function readIdentity(header: (name: string) => readonly string[]): CallerIdentity {
  const wishes = privacyOf(header('Privacy'));
  const pai = assertedBy(header('P-Asserted-Identity'));
  const remote = pai ? null : remoteParty(header('Remote-Party-ID'));
  const asserted = pai ?? remote?.identity ?? null;
  if (wishes.has('none')) return { asserted, withheld: false };
  const withheld = wishes.has('id') || wishes.has('user') || wishes.has('header') || (remote?.withheld ?? false) || fromIsAnonymous(header('From'));
  return { asserted, withheld };
}

/** RFC 3323 §4.2: tokens between semicolons; commas are seen too. */
function privacyOf(values: readonly string[]): Set<string> {
  return new Set(values.flatMap((value) => value.split(/[;,\s]+/)).map((word) => word.toLowerCase()));
}

/** RFC 3325 §9.1: at most one SIP and one tel URI; the first of each counts, and the number is that of the tel URI. */
function assertedBy(values: readonly string[]): AssertedIdentity | null {
  const addresses = values.map(parseNameAddr).filter((address) => address !== null);
  const sip = addresses.find(({ uri }) => /^sips?:/i.test(uri));
  const tel = addresses.find(({ uri }) => uriScheme(uri) === 'tel');
  const first = sip ?? tel;
  return first ? identityOf('P-Asserted-Identity', { ...first, displayName: sip?.displayName || (tel?.displayName ?? '') }, tel) : null;
}

function remoteParty(values: readonly string[]): { identity: AssertedIdentity; withheld: boolean } | null {
  for (const address of values.map(parseNameAddr)) {
    if (!address || (address.params.get('party') ?? 'calling').toLowerCase() !== 'calling') continue;
    const identity = identityOf('Remote-Party-ID', address);
    const privacy = (address.params.get('privacy') ?? 'off').toLowerCase();
    if (identity) return { identity, withheld: /\b(full|uri|yes)\b/.test(privacy) };
  }
  return null;
}

function identityOf(header: AssertedIdentity['header'], address: NameAddr, tel?: NameAddr): AssertedIdentity | null {
  const sip = parseSipUri(address.uri);
  const number = telNumber(tel?.uri ?? address.uri);
  const user = number ?? (sip ? numberOrName(percentDecode(sip.user)) : '');
  if (user === '' || user.length > MAX_USER_CHARS) return null;
  return { header, displayName: address.displayName.slice(0, MAX_NAME_CHARS), user, host: sip?.host ?? '' };
}

/** RFC 3966: `tel:+1-555-0100;phone-context=…`. */
function telNumber(uri: string): string | null {
  const match = /^tel:(\+?[0-9().\-*#]+)(;|$)/i.exec(uri);
  return match ? (match[1] ?? '').replace(/[().-]/g, '') : null;
}

/** `+15550100;cpc=ordinary` is a number with parameters of its own (RFC 3261 §19.1.6). */
function numberOrName(user: string): string {
  const [before = ''] = user.split(';');
  return /^\+?[0-9().-]+$/.test(before) ? before.replace(/[().-]/g, '') : user;
}

function fromIsAnonymous(values: readonly string[]): boolean {
  const uri = parseSipUri(parseNameAddr(values[0] ?? '')?.uri ?? '');
  return uri !== null && (uri.host === ANONYMOUS_HOST || uri.user.toLowerCase() === 'anonymous');
}

/**
 * From, and what stands beside it, for a call of ours. A withheld identity leaves From anonymous (RFC 3323 §4.1.1.3) and
 * is told to the trunk alone, with `Privacy: id` (RFC 3325 §7). Throws SipError for a host that is none.
 */
export function identityLines(identity: OutgoingIdentity): IdentityLines {
  const displayName = plainText(identity.displayName ?? '');
  const uri = `sip:${escapedUser(identity.user)}@${checkedHost(identity.host)}`;
  const from = identity.withheld ? { from: `sip:anonymous@${ANONYMOUS_HOST}`, fromDisplayName: 'Anonymous' } : { from: uri, fromDisplayName: displayName };
  return { ...from, headers: besideFrom(identity, printNameAddr(displayName, uri)) };
}

function besideFrom({ style, withheld }: OutgoingIdentity, address: string): IdentityLines['headers'] {
  const privacy: IdentityLines['headers'] = withheld && style !== 'none' ? [['Privacy', 'id']] : [];
  if (style === 'pai') return [['P-Asserted-Identity', address], ...privacy];
  if (style === 'rpid') return [['Remote-Party-ID', `${address};party=calling;screen=yes;privacy=${withheld ? 'full' : 'off'}`], ...privacy];
  return privacy;
}

/** RFC 3261 §25.1, `user`: what is neither unreserved nor user-unreserved is escaped. */
function escapedUser(user: string): string {
  const text = wellFormed(user.slice(0, MAX_USER_CHARS));
  if (text === '') throw new SipError('an identity without a user');
  return encodeURIComponent(text).replace(/%2B/g, '+').replace(/%24/g, '$').replace(/%26/g, '&').replace(/%3D/g, '=').replace(/%2C/g, ',');
}

function checkedHost(host: string): string {
  const parsed = parseHostPort(bracket(host));
  if (!parsed || parsed.port !== null) throw new SipError(`not a host: ${JSON.stringify(host.slice(0, 100))}`);
  return parsed.host;
}

function plainText(text: string): string {
  return wellFormed(text.slice(0, MAX_NAME_CHARS)).replace(/\p{Cc}+/gu, ' ').trim();
}

/** Half a surrogate pair is no character. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}
