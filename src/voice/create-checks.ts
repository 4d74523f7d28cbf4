import { TwilioError } from '../base/errors.ts';
import type { AccountSid, ApplicationSid } from '../base/sid.ts';
import { planOfApplication } from './application-plan.ts';
import type { CreateCallOptions, UpdateCallOptions } from './contract.ts';
import type { Trunk, TrunkDirectory } from './carrier/model.ts';
import { mayCallNumber } from './carrier/trunk-limits.ts';
import { firstUri } from './carrier/trunk-uri.ts';
import { e164Of } from './dial-plan/number.ts';
import { checkMachineDetection, type MachineDetection } from './machine-detection.ts';
import { checkInlineActions } from './inline-twiml.ts';
import type { CallEvent, DirectoryRepository, HttpMethod, PhoneNumberRecord } from './model.ts';
import { sipCredentials, sipUri } from './sip-checks.ts';
import type { CallRecordingOptions } from './recording/call-recordings.ts';
import { readRecordingParameters } from './recording/recording-parameters.ts';
import type { DocumentSource } from './twiml/document-loader.ts';
import { resolveUrl } from './webhook/client.ts';

/** The parameters of a REST create, read and found good. */
export interface CheckedCreate {
  to: string;
  /** Request-URI of the INVITE; by a trunk, that of its first target. */
  toUri: string;
  /** A number is called by it; null: the address says where the call goes. */
  trunk: Trunk | null;
  from: string;
  fromUser: string;
  phoneNumberSid: PhoneNumberRecord['sid'] | null;
  source: DocumentSource;
  /** The application that answers, for the webhook parameter of that name. */
  applicationSid: ApplicationSid | null;
  /** Url and Twiml were both given: Url won. */
  twimlIgnored: boolean;
  fallback: { url: string; method: HttpMethod } | null;
  statusCallback: { url: string; method: HttpMethod; events: CallEvent[] } | null;
  sendDigits: string | null;
  ringTimeoutMs: number;
  timeLimitMs: number | null;
  credentials: { username: string; password: string } | null;
  machineDetection: MachineDetection | null;
  /** From the answer to the end. */
  recording: CallRecordingOptions | null;
  /** Why it calls, for the called phone to show. */
  reason: string | null;
}

const MAX_REASON_CHARS = 50;
const MAX_TWIML_CHARS = 4000;
const DEFAULT_RING_TIMEOUT_S = 60;
const MAX_RING_TIMEOUT_S = 600;
const MAX_TIME_LIMIT_S = 86_400;
const EVENTS: readonly string[] = ['initiated', 'ringing', 'answered', 'completed'] satisfies CallEvent[];

/** Parameters of Twilio's that are not built yet, with the error they are refused with (default 20001). Off is fine. */
const NOT_BUILT: Readonly<Record<string, number>> = { Trunk: 20001, CallToken: 20001, ClientNotificationUrl: 20001 };

/** Checks a REST create (contract §5.1); refusals are TwilioError with the numbers given there. */
export function checkCreate(options: CreateCallOptions, context: { accountSid: AccountSid; directory: DirectoryRepository; trunks: TrunkDirectory; anyFrom?: boolean }): CheckedCreate {
  refuseNotBuilt(options.other);
  if (blank(options.to)) throw new TwilioError(21201, "A 'To' phone number or SIP address is required.");
  if (blank(options.from)) throw new TwilioError(21213, "A 'From' phone number is required.");
  const application = blank(options.applicationSid) ? null : planOfApplication(options.applicationSid, context);
  const { source, twimlIgnored } = application ? { source: application.source, twimlIgnored: false } : sourceOf(options);
  const to = calledOf(options.to.trim(), { ...context, byoc: options.byoc });
  const from = senderOf((blank(options.callerId) ? options.from : options.callerId).trim(), { ...context, toIsNumber: to.trunk !== null });
  return {
    to: to.to,
    toUri: to.uri,
    trunk: to.trunk,
    ...from,
    source,
    applicationSid: application?.applicationSid ?? null,
    twimlIgnored,
    fallback: application ? application.fallback : fallbackOf(options),
    statusCallback: application ? application.statusCallback : statusCallbackOf(options),
    sendDigits: digitsOf(options.sendDigits),
    ringTimeoutMs: wholeSeconds(options.timeout, { code: 21208, name: 'Timeout', max: MAX_RING_TIMEOUT_S }, DEFAULT_RING_TIMEOUT_S) * 1000,
    timeLimitMs: timeLimitMs(options.timeLimit),
    credentials: sipCredentials(options),
    machineDetection: detectionOf(options),
    recording: recordingOf(options.other),
    reason: reasonOf(options.callReason),
  };
}

/** A REST update, read; absent members were not given. */
export interface CheckedUpdate {
  source?: DocumentSource;
  status?: 'canceled' | 'completed';
  fallback?: { url: string; method: HttpMethod };
  statusCallback?: { url?: string; method?: HttpMethod };
  timeLimitMs?: number;
}

/** Checks a REST update (contract §5.3). */
export function checkUpdate(options: UpdateCallOptions): CheckedUpdate {
  if (!blank(options.url) && !blank(options.twiml)) throw new TwilioError(21205, "'Url' and 'Twiml' exclude each other.");
  const status = options.status?.toLowerCase();
  if (status !== undefined && status !== 'canceled' && status !== 'completed') throw new TwilioError(20001, "'Status' must be 'canceled' or 'completed'.");
  if (!blank(options.twiml)) checkInlineActions(options.twiml);
  const fallback = fallbackOf(options);
  const limitMs = timeLimitMs(options.timeLimit);
  return {
    ...(blank(options.url) && blank(options.twiml) ? {} : { source: sourceOf(options).source }),
    ...(status === undefined ? {} : { status }),
    ...(fallback ? { fallback } : {}),
    ...(blank(options.statusCallback) && options.statusCallbackMethod === undefined
      ? {}
      : {
          statusCallback: {
            ...(blank(options.statusCallback) ? {} : { url: callbackUrl(options.statusCallback) }),
            ...(options.statusCallbackMethod === undefined ? {} : { method: methodOf(options.statusCallbackMethod) }),
          },
        }),
    ...(limitMs === null ? {} : { timeLimitMs: limitMs }),
  };
}

function blank(text: string | undefined): text is undefined {
  return text === undefined || text.trim() === '';
}

function refuseNotBuilt(other: Readonly<Record<string, string>>): void {
  for (const [name, code] of Object.entries(NOT_BUILT)) {
    const value = other[name];
    if (value === undefined || value === '' || value.toLowerCase() === 'false') continue;
    throw new TwilioError(code, `'${name}' is not supported by this server yet.`);
  }
}

/** `Record` and what goes with it; checked also where `Record` is off. */
function recordingOf(other: Readonly<Record<string, string>>): CallRecordingOptions | null {
  const record = other['Record']?.toLowerCase() ?? '';
  if (!['', 'true', 'false'].includes(record)) throw new TwilioError(20001, "'Record' must be true or false.");
  const parameters = {
    recordingChannels: other['RecordingChannels'],
    recordingTrack: other['RecordingTrack'],
    recordingStatusCallback: other['RecordingStatusCallback'],
    recordingStatusCallbackMethod: other['RecordingStatusCallbackMethod'],
    recordingStatusCallbackEvents: [other['RecordingStatusCallbackEvent'] ?? ''],
    trim: other['Trim'],
  };
  const options = readRecordingParameters(parameters, { trimmed: true });
  return record === 'true' ? options : null;
}

function sourceOf(options: { url?: string | undefined; method?: string | undefined; twiml?: string | undefined }): { source: DocumentSource; twimlIgnored: boolean } {
  if (!blank(options.url)) {
    const url = options.url.trim();
    if (!resolveUrl(null, url)) throw new TwilioError(21205, `Url '${url}' is not an http or https URL.`);
    return { source: { kind: 'url', url, method: methodOf(options.method) }, twimlIgnored: !blank(options.twiml) };
  }
  if (blank(options.twiml)) throw new TwilioError(21205, "One of 'Url', 'Twiml' or 'ApplicationSid' is required.");
  if (options.twiml.length > MAX_TWIML_CHARS) throw new TwilioError(21205, `'Twiml' must not be longer than ${MAX_TWIML_CHARS} characters.`);
  return { source: { kind: 'inline', twiml: options.twiml }, twimlIgnored: false };
}

function methodOf(text: string | undefined): HttpMethod {
  if (blank(text)) return 'POST';
  const method = text.trim().toUpperCase();
  if (method !== 'GET' && method !== 'POST') throw new TwilioError(21209, `Method '${text}' must be GET or POST.`);
  return method;
}

function fallbackOf(options: { fallbackUrl?: string; fallbackMethod?: string }): CheckedCreate['fallback'] {
  const method = methodOf(options.fallbackMethod);
  if (blank(options.fallbackUrl)) return null;
  const url = options.fallbackUrl.trim();
  if (!resolveUrl(null, url)) throw new TwilioError(21205, `FallbackUrl '${url}' is not an http or https URL.`);
  return { url, method };
}

function statusCallbackOf(options: CreateCallOptions): CheckedCreate['statusCallback'] {
  const events = eventsOf(options.statusCallbackEvents);
  const method = methodOf(options.statusCallbackMethod);
  return blank(options.statusCallback) ? null : { url: callbackUrl(options.statusCallback), method, events };
}

/** Host names of callbacks hold no underscore (contract §4.2). */
function callbackUrl(text: string): string {
  const url = text.trim();
  const resolved = resolveUrl(null, url);
  if (!resolved || new URL(resolved).hostname.includes('_')) throw new TwilioError(21609, `StatusCallback '${url}' is not a valid URL.`);
  return url;
}

function eventsOf(given: string[] | undefined): CallEvent[] {
  const names = (given ?? []).flatMap((text) => text.split(/[\s,]+/)).filter((name) => name !== '');
  const unknown = names.find((name) => !EVENTS.includes(name));
  if (unknown !== undefined) throw new TwilioError(21626, `StatusCallbackEvent '${unknown}' must be one of ${EVENTS.join(', ')}.`);
  return names.length === 0 ? ['completed'] : (names as CallEvent[]);
}

function digitsOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (!/^[0-9A-D#*wW]{1,32}$/.test(text)) throw new TwilioError(21206, "'SendDigits' may hold at most 32 of 0-9, A-D, #, *, w and W.");
  return text;
}

function wholeSeconds(text: string | undefined, limits: { code: number; name: string; max: number }, byDefault: number): number {
  if (blank(text)) return byDefault;
  const seconds = /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > limits.max) throw new TwilioError(limits.code, `'${limits.name}' must be a whole number from 1 to ${limits.max}.`);
  return seconds;
}

function timeLimitMs(text: string | undefined): number | null {
  return blank(text) ? null : wholeSeconds(text, { code: 20001, name: 'TimeLimit', max: MAX_TIME_LIMIT_S }, 0) * 1000;
}

function reasonOf(text: string | undefined): string | null {
  if (blank(text)) return null;
  const reason = text.trim();
  if (reason.length > MAX_REASON_CHARS || /[\x00-\x1f\x7f]/.test(reason)) throw new TwilioError(20001, `'CallReason' may hold at most ${MAX_REASON_CHARS} characters, on one line.`);
  return reason;
}

/** SendDigits switches detection off (contract §5.1). */
function detectionOf(options: CreateCallOptions): MachineDetection | null {
  const detection = checkMachineDetection(options);
  return blank(options.sendDigits) ? detection : null;
}

const MAX_IDENTITY_CHARS = 256;

/** `client:name`: a phone registered under that name, looked up when it is called. */
function clientAddress(to: string): string {
  const identity = to.slice('client:'.length);
  if (identity === '' || [...identity].length > MAX_IDENTITY_CHARS || !/^[A-Za-z0-9\-_.!~*'()&=+$]+$/.test(identity)) throw new TwilioError(21211, `'To' ${to} is not a client: letters, digits and -_.!~*'()&=+$.`);
  return `client:${identity}`;
}

/** Who is called, and the Request-URI for it; empty for a client. */
function calledOf(to: string, context: TrunkContext): { to: string; uri: string; trunk: Trunk | null } {
  if (/^sips?:/i.test(to)) return { to, uri: sipUri(to), trunk: null };
  if (/^client:/i.test(to)) return { to: clientAddress(to), uri: '', trunk: null };
  const number = /^\+?[\d\s().-]{1,30}$/.test(to) ? e164Of(to.startsWith('+') ? to : `+${to}`) : null;
  if (number === null || number.length < 4) throw new TwilioError(21211, `'To' ${to} is neither a phone number nor a SIP address.`);
  const trunk = trunkOf(to, context);
  if (!mayCallNumber(trunk, number)) throw new TwilioError(21215, `'To' ${number} may not be called: trunk ${trunk.name} allows other numbers (outbound.allowedPrefixes).`);
  return { to: number, uri: firstTargetUri(trunk, number), trunk };
}

interface TrunkContext {
  accountSid: AccountSid;
  trunks: TrunkDirectory;
  byoc: string | undefined;
}

/** `Byoc` means numbers alone (contract §6). */
function trunkOf(to: string, { accountSid, trunks, byoc }: TrunkContext): Trunk {
  if (!blank(byoc)) {
    const named = trunks.findTrunk(accountSid, byoc.trim());
    if (!named) throw new TwilioError(21300, `'Byoc' ${byoc}: there is no such trunk.`);
    return named;
  }
  const trunk = trunks.defaultTrunk(accountSid);
  if (!trunk) throw new TwilioError(21214, `'To' ${to} cannot be reached: no carrier is configured (PARTYLINE_CARRIER or a trunk), only SIP addresses can be called.`);
  return trunk;
}

function firstTargetUri(trunk: Trunk, number: string): string {
  const uri = firstUri(trunk, number);
  if (uri === null) throw new TwilioError(21214, `Trunk ${trunk.name} has no target that is enabled: numbers cannot be called by it.`);
  return uri;
}

interface SenderContext {
  accountSid: AccountSid;
  directory: DirectoryRepository;
  toIsNumber: boolean;
  /** The server itself calls: nobody pretends to be anybody. */
  anyFrom?: boolean;
}

/** `From` must be a number or a verified caller id of the account; towards a SIP address a plain name will do (contract §6). */
function senderOf(from: string, { accountSid, directory, toIsNumber, anyFrom = false }: SenderContext): Pick<CheckedCreate, 'from' | 'fromUser' | 'phoneNumberSid'> {
  if (anyFrom) return { from, fromUser: from, phoneNumberSid: null };
  if (/^\+?[\d\s().-]+$/.test(from)) {
    const number = e164Of(from.startsWith('+') ? from : `+${from}`);
    if (number === null) throw new TwilioError(21212, `'From' ${from} is not a valid phone number.`);
    const own = directory.numberByDigits(number);
    if (own?.accountSid === accountSid) return { from: number, fromUser: number, phoneNumberSid: own.sid };
    if (!directory.callerIds(accountSid).some(({ phoneNumber }) => phoneNumber === number)) throw new TwilioError(21210, `'From' ${from} is neither a number nor a verified caller id of this account.`);
    return { from: number, fromUser: number, phoneNumberSid: null };
  }
  const client = /^client:([\w+.-]{1,64})$/i.exec(from)?.[1];
  if (client !== undefined && !toIsNumber) return { from: `client:${client}`, fromUser: client, phoneNumberSid: null };
  if (toIsNumber || !/^[\w+.-]{1,64}$/.test(from)) throw new TwilioError(21212, `'From' ${from} is not a valid phone number.`);
  return { from, fromUser: from, phoneNumberSid: null };
}
