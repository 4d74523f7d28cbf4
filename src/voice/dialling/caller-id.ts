import { e164Of } from '../dial-plan/number.ts';
import type { CallRecord, DirectoryRepository, PhoneNumberRecord } from '../model.ts';

/** What the called phone sees. */
export interface CallerId {
  /** As the Call resource has it. */
  text: string;
  /** User part of the From URI. */
  user: string;
  phoneNumberSid: PhoneNumberRecord['sid'] | null;
}

interface Context {
  call: Readonly<CallRecord>;
  directory: DirectoryRepository;
  /** Numbers want a number; a SIP phone or a client may see any name. */
  towardsNumber: boolean;
}

/**
 * The caller id of a `<Dial>`, by default the caller's own; null when it may not be used (13214). A number must be the call's
 * From or To, a number or a verified caller id of the account; that a SIP caller calls itself by a number proves nothing
 * (contract §3.4).
 */
export function callerIdOf(given: string | undefined, context: Context): CallerId | null {
  const wanted = given?.trim() ?? '';
  const text = wanted === '' ? context.call.from : wanted;
  const name = nameIn(text);
  const number = numberIn(name);
  if (number !== null) {
    const allowed = allowedNumber(number, context);
    if (allowed) return allowed;
    if (context.towardsNumber) return null;
  }
  if (context.towardsNumber) return anonymous(text, wanted);
  return wanted === '' || isName(name) ? { text, user: safeUser(name), phoneNumberSid: null } : null;
}

/** `sip:alice@host` and `client:alice` go by `alice`. */
function nameIn(text: string): string {
  return /^(?:sips?|client):([^@;?]+)/i.exec(text)?.[1] ?? text;
}

function numberIn(text: string): string | null {
  if (!/^\+?[\d\s().-]{3,30}$/.test(text)) return null;
  return e164Of(text) ?? text.replace(/[^\d+]/g, '');
}

function allowedNumber(number: string, { call, directory }: Context): CallerId | null {
  const own = directory.numberByDigits(number);
  if (own?.accountSid === call.accountSid) return { text: number, user: number, phoneNumberSid: own.sid };
  const ofCall = !/^(sips?|client):/i.test(call.from) && (number === call.from || number === call.to);
  const verified = ofCall || directory.callerIds(call.accountSid).some(({ phoneNumber }) => phoneNumber === number);
  return verified ? { text: number, user: number, phoneNumberSid: null } : null;
}

/** A caller who withheld its number may go on doing so. */
function anonymous(text: string, wanted: string): CallerId | null {
  return wanted === '' && text === 'anonymous' ? { text, user: text, phoneNumberSid: null } : null;
}

function isName(name: string): boolean {
  return /^[\w+.~!*'-]{1,64}$/.test(name);
}

/** A user part that needs no escaping. */
function safeUser(name: string): string {
  return name.replace(/[^\w+.~!*'-]/g, '_').slice(0, 64);
}
