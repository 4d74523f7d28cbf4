import type { AccountSid } from '../../base/sid.ts';
import type { Trunk, TrunkDirectory } from '../carrier/model.ts';
import { mayCallNumber } from '../carrier/trunk-limits.ts';
import { firstUri } from '../carrier/trunk-uri.ts';
import type { Destination, DialRefusal } from '../dial-plan/fraud-guard.ts';
import { e164Of } from '../dial-plan/number.ts';
import type { Registrations } from '../registrations.ts';
import { textOf, type TwimlElement } from '../twiml/document.ts';
import { allowedHeader, readSipAddress } from './sip-address.ts';

/** One phone that a `<Dial>` calls. */
export interface Target {
  /** The noun it stands for. */
  noun: TwimlElement;
  /** As the Call resource has it. */
  to: string;
  /** Request-URI. */
  toUri: string;
  outboundProxy: string | null;
  headers: [name: string, value: string][];
  credentials: { username: string; password: string } | null;
  sendDigits: string | null;
  /** A number is called by it. */
  trunk: Trunk | null;
}

/** Why a noun cannot be called, for the debugger; `status` is what comes of it. */
export interface Unreachable {
  errorCode: number;
  message: string;
  status: 'failed' | 'no-answer';
}

export interface TargetContext {
  accountSid: AccountSid;
  dialler: { trunks: TrunkDirectory; registrations: Registrations; mayDial: (destination: Destination) => DialRefusal | null };
  /** Phones that are called at the same time. */
  planned: number;
  /** A piece that is left out. */
  warn: (problem: { errorCode: number; message: string }) => void;
}

/** The phones a noun means: one, or all that are registered under a name. */
export function targetsOf(noun: TwimlElement, context: TargetContext): Target[] | Unreachable {
  if (noun.name === 'Sip') return ofSip(noun, context);
  return noun.name === 'Client' ? ofClient(noun, context) : ofNumber(noun, context);
}

function ofNumber(noun: TwimlElement, context: TargetContext): Target[] | Unreachable {
  const { accountSid, dialler: { trunks } } = context;
  const text = textOf(noun).trim();
  const number = dialledNumber(text);
  if (number === null) return failed(13223, `<Dial>: '${text.slice(0, 60)}' is no phone number in E.164 format`);
  const byoc = noun.attributes['byoc']?.trim() ?? '';
  const trunk = byoc === '' ? trunks.defaultTrunk(accountSid) : trunks.findTrunk(accountSid, byoc);
  if (!trunk) return failed(13224, byoc === '' ? `<Dial>: ${number} cannot be called: no carrier is configured (PARTYLINE_CARRIER or a trunk)` : `<Dial>: there is no trunk '${byoc.slice(0, 60)}' (byoc)`);
  if (!mayCallNumber(trunk, number)) return failed(13227, `<Dial>: ${number} may not be called: trunk ${trunk.name} allows other numbers (outbound.allowedPrefixes)`);
  const refused = refusalOf({ to: number, trunk }, context);
  if (refused) return refused;
  const toUri = firstUri(trunk, number);
  if (toUri === null) return failed(13224, `<Dial>: trunk ${trunk.name} has no target that is enabled`);
  return [{ ...plain(noun), to: number, toUri, trunk, sendDigits: noun.attributes['sendDigits'] ?? null }];
}

/** E.164; ten digits are a number of the North American plan, as Twilio takes them. */
function dialledNumber(text: string): string | null {
  if (!/^\+?[\d\s().-]{3,30}$/.test(text)) return null;
  const digits = text.replace(/\D/g, '');
  if (!text.startsWith('+') && digits.length === 10) return `+1${digits}`;
  const number = e164Of(text.startsWith('+') ? text : `+${text}`);
  return number === null || number.length < 4 ? null : number;
}

const MAX_IDENTITY_CHARS = 256;

function ofClient(noun: TwimlElement, { accountSid, dialler: { registrations }, warn }: TargetContext): Target[] | Unreachable {
  const identity = textOf(onlyOne(noun, 'Identity', warn) ?? noun).trim().replace(/^client:/i, '');
  if (identity === '' || [...identity].length > MAX_IDENTITY_CHARS) return failed(13224, `<Client> names nobody, or with more than ${MAX_IDENTITY_CHARS} characters`);
  const contacts = registrations.contactsOf(accountSid, identity);
  if (contacts.length === 0) return nobody(`client:${identity}`);
  const headers = headersOf(inside(noun, 'Parameter'), { prefix: 'X-', warn });
  return contacts.map((contact) => ({ ...plain(noun), to: `client:${identity}`, toUri: contact.uri, outboundProxy: contact.outboundProxy, headers }));
}

function ofSip(noun: TwimlElement, context: TargetContext): Target[] | Unreachable {
  const { accountSid, dialler: { registrations }, warn } = context;
  const address = readSipAddress(textOf(onlyOne(noun, 'Uri', warn) ?? noun).trim());
  if ('problem' in address) return failed(13243, `<Sip>: ${address.problem}`);
  for (const { errorCode, message } of address.warnings) warn({ errorCode, message: `<Sip>: ${message}` });
  const credentials = credentialsOf(noun, warn);
  const listed = headersOf(inside(noun, 'Headers').flatMap((headers) => inside(headers, 'Header')), { prefix: '', warn });
  const target = { ...plain(noun), to: address.uri, toUri: address.uri, headers: [...address.headers, ...listed], credentials };
  const contacts = registrations.contactsAt(accountSid, { user: address.user, domainName: address.host });
  if (contacts === null) return refusalOf({ to: address.uri }, context) ?? [target];
  if (contacts.length === 0) return nobody(address.uri);
  return contacts.map((contact) => ({ ...target, toUri: contact.uri, outboundProxy: contact.outboundProxy }));
}

/** Elements of this name in a noun. */
function inside(noun: TwimlElement, name: string): TwimlElement[] {
  return noun.children.filter((child): child is TwimlElement => typeof child !== 'string' && child.name === name);
}

/** The first element of this name; a noun calls one address, and more of them are told. */
function onlyOne(noun: TwimlElement, name: string, warn: TargetContext['warn']): TwimlElement | undefined {
  const [first, ...more] = inside(noun, name);
  if (more.length > 0) warn({ errorCode: 12200, message: `<${noun.name}>: only the first <${name}> is called` });
  return first;
}

const MAX_LISTED_CHARS = 1024;

/** Headers that elements with `name` and `value` ask for; those that may not be sent are left out with 13252. */
function headersOf(elements: readonly TwimlElement[], { prefix, warn }: { prefix: string; warn: TargetContext['warn'] }): Target['headers'] {
  const headers: Target['headers'] = [];
  let chars = 0;
  for (const { name: element, attributes } of elements) {
    const { name = '', value = '' } = attributes;
    const header = allowedHeader(`${prefix}${name}`, value);
    chars += name.length + value.length;
    if (header && chars < MAX_LISTED_CHARS) headers.push(header);
    else warn({ errorCode: 13252, message: `<${element}>: '${name.slice(0, 60)}' may not be sent as a header and was left out` });
  }
  return headers;
}

function credentialsOf(noun: TwimlElement, warn: TargetContext['warn']): Target['credentials'] {
  const { username = '', password = '' } = noun.attributes;
  if (username === '' && password === '') return null;
  if (username !== '' && password !== '') return { username, password };
  warn({ errorCode: 13249, message: "<Sip>: 'username' and 'password' go together: neither was used" });
  return null;
}

/** What the account has no leave for. */
function refusalOf(destination: Pick<Destination, 'to' | 'trunk'>, { accountSid, dialler, planned }: TargetContext): Unreachable | null {
  const refusal = dialler.mayDial({ ...destination, accountSid, planned });
  return refusal && failed(refusal.twimlCode, `<Dial>: ${refusal.message}`);
}

function plain(noun: TwimlElement): Target {
  return { noun, to: '', toUri: '', outboundProxy: null, headers: [], credentials: null, sendDigits: null, trunk: null };
}

function failed(errorCode: number, message: string): Unreachable {
  return { errorCode, message, status: 'failed' };
}

/** Twilio's 32009: a SIP user without a phone. */
function nobody(address: string): Unreachable {
  return { errorCode: 32009, message: `<Dial>: no phone is registered as ${address}`, status: 'no-answer' };
}
