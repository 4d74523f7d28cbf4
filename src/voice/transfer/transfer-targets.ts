import type { CallRecord } from '../model.ts';
import type { IncomingSipRefer } from '../../sip/contract.ts';
import { percentDecode } from '../../sip/message/grammar.ts';
import { parseSipUri } from '../../sip/message/uri.ts';
import { e164Of } from '../dial-plan/number.ts';
import { callerIdOf, type CallerId } from '../dialling/caller-id.ts';
import type { Dialler } from '../dialling/dialler.ts';
import { targetsOf, type Target } from '../dialling/target.ts';
import type { TwimlElement } from '../twiml/document.ts';

/** Who is to be called for a transfer, and as whom; or the SIP answer to a REFER that names nobody who may be called. */
export type TransferTargets = { targets: Target[]; callerId: CallerId } | { statusCode: number; reason: string };

export interface TransferContext {
  /** The caller of the `<Dial>`, or of the room: who the target is told is calling. */
  call: Readonly<CallRecord>;
  dialler: Dialler;
  /** As the `<Dial>` has it. */
  callerId: string | undefined;
  /** The call of the phone that transfers. */
  by: Readonly<CallRecord>;
}

const MAX_PHONES = 10;
const MAX_REFERRED_BY_CHARS = 500;

/**
 * A phone transfers to whom its account may call, never to an address of its own choice: a user of a SIP domain of the
 * account; a user of such a domain transfers to numbers too, which leave by the account's trunk. Who merely called in, or is called
 * outside, does not: it would talk at the account's cost.
 */
export function transferTargets({ target, replaces, referredBy }: Pick<IncomingSipRefer, 'target' | 'replaces' | 'referredBy'>, { call, dialler, callerId: given, by }: TransferContext): TransferTargets {
  const noun = nounOf(target, call, dialler);
  if (!noun) return { statusCode: 403, reason: `${shown(target)} is neither a user of a SIP domain of this account nor a number` };
  if (noun.name === 'Number' && dialler.transfers?.toNumbers !== 'all' && !isUser(by, dialler)) return { statusCode: 403, reason: 'only users of SIP domains of this account transfer to numbers' };
  const found = targetsOf(noun, { accountSid: call.accountSid, dialler, planned: 0, warn: () => undefined });
  if ('errorCode' in found) return { statusCode: found.status === 'no-answer' ? 480 : 403, reason: found.message };
  const callerId = callerIdOf(given, { call, directory: dialler.directory, towardsNumber: noun.name === 'Number' });
  if (!callerId) return { statusCode: 403, reason: 'the caller may not be shown to a number' };
  const headers: [string, string][] = [];
  if (referredBy !== null && referredBy.length <= MAX_REFERRED_BY_CHARS) headers.push(['Referred-By', referredBy]);
  if (replaces) headers.push(['Replaces', `${replaces.callId};to-tag=${replaces.toTag};from-tag=${replaces.fromTag}${replaces.earlyOnly ? ';early-only' : ''}`]);
  return { callerId, targets: found.slice(0, MAX_PHONES).map((one) => ({ ...one, headers: [...one.headers, ...headers] })) };
}

/** A phone that registered with the account, or called one of its SIP domains and was let in. */
function isUser({ accountSid, to }: Readonly<CallRecord>, { registrations }: Dialler): boolean {
  if (to.startsWith('client:')) return true;
  const uri = parseSipUri(to);
  return uri !== null && registrations.contactsAt(accountSid, { user: uri.user, domainName: uri.host }) !== null;
}

/** The noun of `<Dial>` that means the same; null: it would call a stranger's address. */
function nounOf(target: string, { accountSid }: Readonly<CallRecord>, { registrations, transfers }: Dialler): TwimlElement | null {
  if (/^tel:/i.test(target)) return element('Number', e164Of(target.slice(4)));
  const uri = parseSipUri(target);
  if (!uri || uri.user === '') return null;
  const user = percentDecode(uri.user);
  const contacts = registrations.contactsAt(accountSid, { user: uri.user, domainName: uri.host });
  const number = /^\+?[\d().-]{4,20}(;|$)/.test(user) ? e164Of(user) : null;
  if (contacts?.length === 0 && number !== null) return element('Number', number);
  if (contacts) return element('Sip', `sip:${uri.user}@${uri.host}`);
  return transfers?.isOurs(uri.host) ? element('Number', number) : null;
}

/** For the log: a password of its URI is nobody's business. */
function shown(target: string): string {
  const uri = parseSipUri(target);
  return (uri ? `${uri.user}@${uri.host}` : target).slice(0, 100);
}

function element(name: string, text: string | null): TwimlElement | null {
  return text === null ? null : { name, attributes: {}, children: [text], line: 0, column: 0 };
}
