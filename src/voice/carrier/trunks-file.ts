import { z } from 'zod';
import { StartupError } from '../../base/errors.ts';
import type { AccountSid } from '../../base/sid.ts';
import { makeDigestSecret } from '../../sip/digest/secret.ts';
import { addressBits } from '../dial-plan/ip-range.ts';
import { isTooWide, WIDEST_OF_OPERATOR, WIDEST_OF_SUBACCOUNT } from '../dial-plan/network-width.ts';
import { resolveUrl } from '../webhook/target.ts';
import { DEFAULT_PRIORITY, DEFAULT_TRUNK_SETTINGS, DEFAULT_WEIGHT, MAX_PRIORITY, MAX_WEIGHT, type TrunkSettings } from './model.ts';
import { isTarget, MAX_TARGETS } from './target-uri.ts';
import { derivedSid, type DescribedTrunk } from './trunks.ts';

/** The file of PARTYLINE_TRUNKS_FILE: JSON, checked whole. docs/guides/connect-a-carrier.md explains each field. */

const { inbound, outbound, numbers, media, probeIntervalMs } = DEFAULT_TRUNK_SETTINGS;

const webUrl = z.string().refine((text) => resolveUrl(null, text) !== null, 'must be an http or https URL');
const method = z.enum(['GET', 'POST']);
const sipTarget = z.string().refine(isTarget, 'must look like sip:host:port;transport=tcp');
/** What fits into a quoted string of RFC 3261 as it is. */
const quotable = z.string().min(1).max(255).regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, 'must be ASCII without quotation marks, backslashes and control characters');
const digits = z.string().regex(/^\d{0,8}$/, 'must be digits');
const credentials = { username: quotable, password: quotable };

const network = z
  .string()
  .transform((text) => {
    const [address = '', length] = text.split('/');
    return { network: address, prefixLength: length === undefined ? (addressBits(address) ?? -1) : /^\d{1,3}$/.test(length) ? Number(length) : -1 };
  })
  .refine(({ network: address, prefixLength }) => prefixLength >= 0 && prefixLength <= (addressBits(address) ?? -1), 'must be an address or a network like 203.0.113.0/24')
  .refine((range) => !isTooWide(range, WIDEST_OF_OPERATOR), 'is wider than any carrier: at most /8 of IPv4 and /16 of IPv6');

const target = z.strictObject({
  uri: sipTarget,
  priority: z.int().min(0).max(MAX_PRIORITY).default(DEFAULT_PRIORITY),
  weight: z.int().min(1).max(MAX_WEIGHT).default(DEFAULT_WEIGHT),
  enabled: z.boolean().default(true),
});

const numberFormat = z.strictObject({
  countryCode: z.string().regex(/^[1-9]\d{0,3}$/, 'must be one to four digits').nullable().default(numbers.countryCode),
  nationalPrefix: digits.default(numbers.nationalPrefix),
  internationalPrefix: digits.default(numbers.internationalPrefix),
  bareNumbersAre: z.enum(['international', 'national']).default(numbers.bareNumbersAre),
  out: z.enum(['plus', 'digits', 'international', 'national']).default(numbers.out),
  stripIn: z.string().regex(/^[\d*#+]{0,16}$/, 'must be digits, * and #').default(numbers.stripIn),
  addOut: z.string().regex(/^[\d*#+]{0,16}$/, 'must be digits, * and #').default(numbers.addOut),
}).refine(({ countryCode, out, bareNumbersAre }) => countryCode !== null || (out !== 'national' && bareNumbersAre !== 'national'), 'national numbers need a countryCode');

const inboundSettings = z.strictObject({
  networks: z.array(network).max(200).default(inbound.networks),
  credentials: z.array(z.strictObject(credentials)).max(50).default([]),
  trustIdentity: z.boolean().default(inbound.trustIdentity),
});

const outboundSettings = z.strictObject({
  username: quotable.optional(),
  password: quotable.optional(),
  proxy: sipTarget.nullable().default(outbound.proxy),
  identity: z.enum(['pai', 'rpid', 'from', 'none']).default(outbound.identity),
  withheld: z.boolean().default(outbound.withheld),
  allowedPrefixes: z.array(z.string().regex(/^\+\d{1,15}$/, 'must be + and digits')).max(500).default(outbound.allowedPrefixes),
  maxCalls: z.int().min(1).max(100_000).nullable().default(outbound.maxCalls),
  callsPerMinute: z.int().min(1).max(100_000).nullable().default(outbound.callsPerMinute),
  answerTimeoutMs: z.int().min(500).max(30_000).default(outbound.answerTimeoutMs),
}).refine(({ username, password }) => (username === undefined) === (password === undefined), 'username and password go together');

const registration = z.strictObject({ registrar: sipTarget, ...credentials, expiresS: z.int().min(30).max(86_400).default(300) });

/** What Twilio has no field for. */
const settingsShape = {
  default: z.boolean().default(false),
  inbound: inboundSettings.prefault({}),
  outbound: outboundSettings.prefault({}),
  register: registration.nullable().default(null),
  numbers: numberFormat.prefault({}),
  media: z.strictObject({ srtp: z.enum(['off', 'allow', 'require']).nullable().default(media.srtp), codecs: z.array(z.enum(['pcmu', 'pcma', 'g722', 'opus'])).min(1).nullable().default(media.codecs) }).prefault({}),
  probeIntervalS: z.int().min(5).max(3600).nullable().default(probeIntervalMs === null ? null : probeIntervalMs / 1000),
};

const trunk = z.strictObject({
  name: z.string().trim().min(1).max(255),
  voiceUrl: webUrl.nullable().default(null),
  voiceMethod: method.default('POST'),
  voiceFallbackUrl: webUrl.nullable().default(null),
  voiceFallbackMethod: method.default('POST'),
  statusCallback: webUrl.nullable().default(null),
  statusCallbackMethod: method.default('POST'),
  callerName: z.boolean().default(false),
  ...settingsShape,
  targets: z.array(target).max(MAX_TARGETS).default([]),
});

const settingsOnly = z.strictObject(settingsShape);
const file = z.strictObject({ trunks: z.array(trunk).max(100) });

type TrunkEntry = z.output<typeof trunk>;
type SettingsEntry = z.output<typeof settingsOnly>;

/**
 * Trunks of the file's text, which belong to `accountSid`. Throws StartupError with one line that names the field, never a value:
 * it may be a password.
 */
export function readTrunks(text: string, { accountSid, nowMs }: { accountSid: AccountSid; nowMs: number }): DescribedTrunk[] {
  const parsed = file.safeParse(json(text));
  if (!parsed.success) throw wrong(complaintOf(parsed.error));
  const { trunks } = parsed.data;
  const twice = trunks.findIndex(({ name }, n) => trunks.findIndex((other) => other.name === name) !== n);
  if (twice >= 0) throw wrong(`trunks[${twice}].name is the name of another trunk too`);
  const users = trunks.flatMap(({ inbound: { credentials: given } }) => given.map(({ username }) => username));
  if (new Set(users).size !== users.length) throw wrong('trunks: a username of inbound.credentials is there twice');
  if (trunks.filter((entry) => entry.default).length > 1) throw wrong('trunks: only one can be the default');
  return trunks.map((entry) => described(entry, { accountSid, nowMs }));
}

/** The settings of one trunk, in the words of the file. `ofOperator`: of a trunk of the main account, whose networks may be wider. */
export function readTrunkSettings(text: string, { ofOperator }: { ofOperator: boolean }): { settings: TrunkSettings } | { complaint: string } {
  const parsed = settingsOnly.safeParse(json(text));
  if (!parsed.success) return { complaint: complaintOf(parsed.error) };
  const wide = ofOperator ? -1 : parsed.data.inbound.networks.findIndex((range) => isTooWide(range, WIDEST_OF_SUBACCOUNT));
  return wide >= 0 ? { complaint: `inbound.networks[${wide}] is too wide for a subaccount: at most /16 of IPv4 and /32 of IPv6` } : { settings: settingsOf(parsed.data) };
}

function complaintOf({ issues: [issue] }: z.ZodError): string {
  return issue?.path.length === 0 && issue.code === 'invalid_type' ? 'is no JSON object' : `${pathText(issue?.path ?? [])} ${issue?.message ?? 'is not valid'}`;
}

/** Undefined for what is no JSON: the message of the parser may quote the text, passwords and all. */
function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function wrong(complaint: string): StartupError {
  return new StartupError(`PARTYLINE_TRUNKS_FILE: ${complaint}`);
}

/** `trunks[0].targets[1].uri`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.map((part, n) => (typeof part === 'number' ? `[${part}]` : `${n === 0 ? '' : '.'}${String(part)}`)).join('') || 'it';
}

/** SIDs come from the names: they stay over restarts, and go with the name. */
function described(entry: TrunkEntry, { accountSid, nowMs }: { accountSid: AccountSid; nowMs: number }): DescribedTrunk {
  const stamps = { createdAtMs: nowMs, updatedAtMs: nowMs };
  const common = { accountSid, friendlyName: entry.name, ...stamps };
  const policySid = derivedSid('NY', accountSid, entry.name);
  const targets = entry.targets.map(({ uri, priority, weight, enabled }, n) => ({ sid: derivedSid('NE', accountSid, entry.name, String(n)), friendlyName: '', target: uri, priority, weight, enabled, ...stamps }));
  const { voiceUrl, voiceMethod, voiceFallbackUrl, voiceFallbackMethod, statusCallback, statusCallbackMethod } = entry;
  const urls = { voiceUrl, voiceMethod, voiceFallbackUrl, voiceFallbackMethod, statusCallback, statusCallbackMethod };
  const trunkRecord = { ...common, ...urls, sid: derivedSid('BY', accountSid, entry.name), cnamLookupEnabled: entry.callerName, connectionPolicySid: policySid, fromDomainSid: null, settings: settingsOf(entry) };
  return { trunk: trunkRecord, policy: { ...common, sid: policySid, targets } };
}

function settingsOf(entry: SettingsEntry): TrunkSettings {
  const { username, password, ...rest } = entry.outbound;
  return {
    isDefault: entry.default,
    inbound: { ...entry.inbound, credentials: entry.inbound.credentials.map((user) => ({ username: user.username, secret: makeDigestSecret(user) })) },
    outbound: { ...rest, credentials: username === undefined || password === undefined ? null : { username, password } },
    register: entry.register,
    numbers: entry.numbers,
    media: entry.media,
    probeIntervalMs: entry.probeIntervalS === null ? null : entry.probeIntervalS * 1000,
  };
}
