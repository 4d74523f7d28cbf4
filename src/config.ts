import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { StartupError, messageOf } from './base/errors.ts';
import { isSid } from './base/sid.ts';
import { PHONE_CODECS, readPhoneCodecs } from './sdp/phone-codecs.ts';
import { needsCredential, readIceUrls, type TurnAccess } from './signaling/ice-servers.ts';
import { addresses, files, isAddress, isUrl, networks, onOff, port, portRange, text, wholeNumber } from './setting-kinds.ts';
import type { Strangers } from './voice/dial-plan/dial-plan.ts';
import { CLOSED_POLICY, OPEN_POLICY, type OutboundPolicy } from './voice/dial-plan/fraud-guard.ts';
import { isNetwork, type PrivateNetworks } from './voice/webhook/network-policy.ts';

/**
 * The settings of a server. Each is read from its flag, else its environment variable, else the file named by
 * `PARTYLINE_CONFIG_FILE` (JSON, the same names as the variables), else its default. docs/reference/config.md is checked
 * against this table by a test.
 */
interface Setting<T> {
  env: string;
  /** What people read in `--help` and in the reference. */
  about: string;
  /** As text, for people. */
  defaultText: string;
  secret?: boolean;
  schema: z.ZodType<T, string | undefined>;
}

const setting = <T>(value: Setting<T>): Setting<T> => value;

export const settings = {
  httpPort: setting({ env: 'PARTYLINE_HTTP_PORT', about: 'TCP port of the REST API, the signaling WebSocket and the page', defaultText: '8080', schema: port(8080) }),
  sipPort: setting({ env: 'PARTYLINE_SIP_PORT', about: 'SIP port, UDP and TCP', defaultText: '5060', schema: port(5060) }),
  sipTlsPort: setting({ env: 'PARTYLINE_SIP_TLS_PORT', about: 'SIP port over TLS, TCP; opened when there is a certificate', defaultText: '5061', schema: port(5061) }),
  sipTlsCert: setting({ env: 'PARTYLINE_SIP_TLS_CERT', about: 'PEM file of the certificate for SIP over TLS, with its chain; several with commas, the first for phones that name no host', defaultText: 'none: no SIP over TLS from outside', schema: files() }),
  sipTlsKey: setting({ env: 'PARTYLINE_SIP_TLS_KEY', about: 'PEM file of its private key; as many as certificates', defaultText: 'none', schema: files() }),
  sipTlsCa: setting({ env: 'PARTYLINE_SIP_TLS_CA', about: 'PEM file of certification authorities that are believed besides those of Node, of servers and of clients', defaultText: 'none', schema: text((value) => !value.includes('\0'), 'must be a file') }),
  sipTlsClients: setting({
    env: 'PARTYLINE_SIP_TLS_CLIENTS',
    about: 'Who may connect to the TLS port: any, or verified ones alone (with a certificate of an authority that is believed)',
    defaultText: 'any',
    schema: z.enum(['any', 'verified'], 'must be any or verified').optional().transform((value) => value ?? 'any'),
  }),
  sipTlsVerify: setting({ env: 'PARTYLINE_SIP_TLS_VERIFY', about: 'Whether servers that calls go out to over TLS must show a valid certificate for their name', defaultText: 'on', schema: onOff(true) }),
  sipNatKeepAliveS: setting({
    env: 'PARTYLINE_SIP_NAT_KEEPALIVE',
    about: 'How often, in seconds (10-600), registered phones behind NAT get an OPTIONS over UDP that keeps their NAT open; 0: never',
    defaultText: '30',
    schema: z
      .string()
      .regex(/^\d{1,3}$/, 'must be a number of seconds')
      .transform(Number)
      .refine((seconds) => seconds === 0 || (seconds >= 10 && seconds <= 600), 'must be 0 or 10 to 600 seconds')
      .optional()
      .transform((seconds) => seconds ?? 30),
  }),
  sipSessionS: setting({
    env: 'PARTYLINE_SIP_SESSION_TIMER',
    about: 'Session interval in seconds (90-86400) that calls ask for (RFC 4028): a phone or carrier that vanished is found out in that time; 0: none is asked for',
    defaultText: '1800',
    schema: z
      .string()
      .regex(/^\d{1,5}$/, 'must be a number of seconds')
      .transform(Number)
      .refine((seconds) => seconds === 0 || (seconds >= 90 && seconds <= 86_400), 'must be 0 or 90 to 86400 seconds')
      .optional()
      .transform((seconds) => seconds ?? 1800),
  }),
  bindAddress: setting({
    env: 'PARTYLINE_BIND_ADDRESS',
    about: 'IP address that every socket binds to; 0.0.0.0 is every interface, :: every one with IPv6 too',
    defaultText: '127.0.0.1',
    schema: z.string().refine(isAddress, 'must be an IP address').optional().transform((value) => value ?? '127.0.0.1'),
  }),
  sipBindAddresses: setting({ env: 'PARTYLINE_SIP_BIND_ADDRESS', about: 'IP addresses that SIP binds to, separated by commas', defaultText: 'the bind address', schema: addresses({ onePerFamily: false }) }),
  mediaBindAddress: setting({ env: 'PARTYLINE_MEDIA_BIND_ADDRESS', about: 'IP address that the media of phones and browsers binds to', defaultText: 'the bind address', schema: text(isAddress, 'must be an IP address') }),
  publicAddresses: setting({
    env: 'PARTYLINE_PUBLIC_ADDRESS',
    about: 'IP address put into SDP, Contact and ICE candidates, when it is not the bind address (NAT): IPv4, IPv6 or one of each with a comma',
    defaultText: 'the bind address',
    schema: addresses({ onePerFamily: true }),
  }),
  sipPublicAddresses: setting({ env: 'PARTYLINE_SIP_PUBLIC_ADDRESS', about: 'The same for SIP alone (Via, Contact)', defaultText: 'the public address', schema: addresses({ onePerFamily: true }) }),
  mediaPublicAddresses: setting({ env: 'PARTYLINE_MEDIA_PUBLIC_ADDRESS', about: 'The same for media alone (SDP, ICE candidates)', defaultText: 'the public address', schema: addresses({ onePerFamily: true }) }),
  localNetworks: setting({
    env: 'PARTYLINE_LOCAL_NETWORKS',
    about: 'Networks on this side of the NAT, separated by commas (192.168.0.0/16): phones there are told the bind address',
    defaultText: 'none: everybody is told the public address',
    schema: networks('must be networks like 192.168.0.0/16 separated by commas'),
  }),
  trustedProxies: setting({
    env: 'PARTYLINE_TRUSTED_PROXIES',
    about: 'Addresses and networks, separated by commas, of HTTP proxies whose X-Forwarded-For is believed: limits and access lists see the client of a WebSocket behind it',
    defaultText: 'none: the address of the proxy counts',
    schema: networks('must be addresses or networks like 10.0.0.0/8 separated by commas'),
  }),
  publicUrl: setting({
    env: 'PARTYLINE_PUBLIC_URL',
    about: 'Base URL that customers reach the HTTP port by; video resources carry absolute URLs made from it',
    defaultText: 'taken from each request',
    schema: text((value) => isUrl(value, ['http:', 'https:']), 'must be an http(s) URL'),
  }),
  rtpPorts: setting({
    env: 'PARTYLINE_RTP_PORTS',
    about: 'UDP ports for phones, two a call (RTP and RTCP)',
    defaultText: '10000-19999',
    schema: portRange({ min: 10000, max: 19999 }),
  }),
  phoneCodecs: setting({
    env: 'PARTYLINE_PHONE_CODECS',
    about: 'Codecs that phones may speak, most wanted first where we offer; a phone that offers gets its own first of these',
    defaultText: 'opus,G722,PCMU,PCMA',
    schema: z
      .string()
      .refine((value) => readPhoneCodecs(value) !== null, 'must be some of opus, G722, PCMU, PCMA, separated by commas')
      .optional()
      .transform((value) => readPhoneCodecs(value ?? '') ?? PHONE_CODECS),
  }),
  phoneSrtp: setting({
    env: 'PARTYLINE_PHONE_SRTP',
    about: 'SRTP with phones: off, allow (who offers it gets it; we offer it where signaling is TLS) or require',
    defaultText: 'allow',
    schema: z.enum(['off', 'allow', 'require'], 'must be off, allow or require').optional().transform((value) => value ?? 'allow'),
  }),
  webrtcPort: setting({
    env: 'PARTYLINE_WEBRTC_PORT',
    about: 'UDP port for browsers; media worker n uses this port + n',
    defaultText: '7882',
    schema: port(7882),
  }),
  metricsPort: setting({ env: 'PARTYLINE_METRICS_PORT', about: 'TCP port of Prometheus metrics, without credentials', defaultText: 'none', schema: z.string().regex(/^\d{1,5}$/, 'must be a port').optional().transform((value) => (value === undefined ? null : Number(value))).refine((value) => value === null || value <= 65535, 'must be a port') }),
  turnUrls: setting({
    env: 'PARTYLINE_TURN_URLS',
    about: 'TURN and STUN servers that browsers are told of, separated by commas: turn:turn.example.com:3478?transport=udp',
    defaultText: 'none: browsers reach the media port directly',
    schema: z
      .string()
      .refine((value) => readIceUrls(value) !== null, 'must be up to 8 URLs like turn:turn.example.com:3478?transport=udp separated by commas')
      .optional()
      .transform((value) => (value === undefined ? [] : (readIceUrls(value) ?? []))),
  }),
  turnSecret: setting({ env: 'PARTYLINE_TURN_SECRET', about: 'Secret shared with the TURN servers (coturn: static-auth-secret); each browser gets a user name and password of its own, made from it', defaultText: 'none', secret: true, schema: text((value) => value.length >= 8, 'must have at least 8 characters') }),
  turnTtlS: setting({
    env: 'PARTYLINE_TURN_TTL',
    about: 'How many seconds (60-604800) a user name made from the secret may be used for',
    defaultText: '86400',
    schema: z
      .string()
      .regex(/^\d{2,6}$/, 'must be a number of seconds')
      .transform(Number)
      .refine((seconds) => seconds >= 60 && seconds <= 604_800, 'must be 60 to 604800 seconds')
      .optional()
      .transform((seconds) => seconds ?? 86_400),
  }),
  turnUsername: setting({ env: 'PARTYLINE_TURN_USERNAME', about: 'User name at the TURN servers, when they share no secret with this one; every browser is told it', defaultText: 'none', schema: text((value) => value.length <= 509, 'must have at most 509 characters') }),
  turnPassword: setting({ env: 'PARTYLINE_TURN_PASSWORD', about: 'Password that goes with it; every browser is told it', defaultText: 'none', secret: true, schema: text(() => true, '') }),
  mediaWorkers: setting({
    env: 'PARTYLINE_MEDIA_WORKERS',
    about: 'Number of media worker processes (1-64)',
    defaultText: 'one per core',
    schema: z
      .string()
      .regex(/^([1-9]|[1-5]\d|6[0-4])$/, 'must be a whole number from 1 to 64')
      .transform(Number)
      .optional()
      .transform((value) => value ?? Math.min(availableParallelism(), 64)),
  }),
  dataDir: setting({
    env: 'PARTYLINE_DATA_DIR',
    about: 'Folder of the credentials, the embedded database, the recordings and the caches of prompts and speech',
    defaultText: './data',
    schema: z.string().min(1, 'must not be empty').optional().transform((value) => resolve(value ?? './data')),
  }),
  databaseUrl: setting({
    env: 'DATABASE_URL',
    about: 'PostgreSQL to use instead of the embedded database, one server for each database',
    defaultText: 'embedded database in the data folder',
    secret: true,
    schema: text((value) => isUrl(value, ['postgres:', 'postgresql:']), 'must be a postgres:// URL'),
  }),
  accountSid: setting({ env: 'PARTYLINE_ACCOUNT_SID', about: 'SID of the account', defaultText: 'made at the first start', schema: text((value) => isSid('AC', value), 'must be AC and 32 hexadecimal digits') }),
  authToken: setting({ env: 'PARTYLINE_AUTH_TOKEN', about: 'Auth token of the account', defaultText: 'made at the first start', secret: true, schema: text((value) => value.length >= 16, 'must have at least 16 characters') }),
  apiKeySid: setting({ env: 'PARTYLINE_API_KEY_SID', about: 'SID of the first API key', defaultText: 'made at the first start', schema: text((value) => isSid('SK', value), 'must be SK and 32 hexadecimal digits') }),
  apiKeySecret: setting({ env: 'PARTYLINE_API_KEY_SECRET', about: 'Secret of the first API key; signs access tokens', defaultText: 'made at the first start', secret: true, schema: text((value) => value.length >= 16, 'must have at least 16 characters') }),
  demo: setting({ env: 'PARTYLINE_DEMO', about: 'The demo page, its number and its application', defaultText: 'on', schema: onOff(true) }),
  demoNumber: setting({
    env: 'PARTYLINE_DEMO_NUMBER',
    about: 'The number of the demo application',
    defaultText: '+15550100',
    schema: z.string().regex(/^\+\d{3,15}$/, 'must be + and 3 to 15 digits').optional().transform((value) => value ?? '+15550100'),
  }),
  carrier: setting({
    env: 'PARTYLINE_CARRIER',
    about: 'Where numbers are called out, sip:host:port',
    defaultText: 'none: only SIP URIs can be called',
    schema: text((value) => /^sip:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(;transport=(udp|tcp|tls))?$/.test(value), 'must look like sip:host:port'),
  }),
  trunksFile: setting({ env: 'PARTYLINE_TRUNKS_FILE', about: 'JSON file that describes carriers (docs/guides/connect-a-carrier.md); read again on SIGHUP', defaultText: 'none: trunks are made over REST', schema: text((value) => !value.includes('\0'), 'must be a file') }),
  sipStrangers: setting({
    env: 'PARTYLINE_SIP_STRANGERS',
    about: 'Whether calls to numbers are taken from sources that are no trunk: allow or refuse',
    defaultText: 'allow when the bind address is a loopback address, else refused for accounts whose trunks say where calls come from',
    schema: z.enum(['allow', 'refuse'], 'must be allow or refuse').optional().transform((value) => value ?? null),
  }),
  outboundPrefixes: setting({
    env: 'PARTYLINE_OUTBOUND_PREFIXES',
    about: 'Beginnings of numbers that may be called, separated by commas (+49,+1), all or none; satellite and premium ranges only when listed themselves',
    defaultText: 'all when the bind address is a loopback address, else what the allowedPrefixes of the trunks of the main account name',
    schema: z
      .string()
      .regex(/^(all|none|\+\d{1,15}( *, *\+\d{1,15}){0,499})$/, 'must be all, none or beginnings of numbers like +49,+1')
      .optional()
      .transform((value) => (value === undefined ? null : value === 'all' ? value : value === 'none' ? [] : value.split(',').map((prefix) => prefix.trim()))),
  }),
  outboundMaxCalls: setting({ env: 'PARTYLINE_OUTBOUND_MAX_CALLS', about: 'How many calls to numbers an account may have at once', defaultText: 'no limit when the bind address is a loopback address, else 100', schema: wholeNumber(1, 100_000) }),
  outboundCallsPerMinute: setting({ env: 'PARTYLINE_OUTBOUND_CALLS_PER_MINUTE', about: 'How many calls to numbers an account may begin in a minute', defaultText: 'no limit when the bind address is a loopback address, else 60', schema: wholeNumber(1, 100_000) }),
  sipTransfers: setting({
    env: 'PARTYLINE_SIP_TRANSFERS',
    about: 'Which phones may transfer their calls (REFER, Replaces): off, users (to numbers only users of SIP domains, to such users everybody) or all',
    defaultText: 'users',
    schema: z.enum(['off', 'users', 'all'], 'must be off, users or all').optional().transform((value) => value ?? 'users'),
  }),
  maxCalls: setting({ env: 'PARTYLINE_MAX_CALLS', about: 'How many calls may stand at once; a call that comes in beyond is answered with 503', defaultText: 'no limit', schema: wholeNumber(1, 100_000) }),
  sipStrangerRate: setting({ env: 'PARTYLINE_SIP_STRANGER_RATE', about: 'How many SIP messages a second are read from an address that is no trunk, no registered phone and in no call; 0: as many as come', defaultText: 'no limit when the bind address is a loopback address, else 50', schema: wholeNumber(0, 100_000) }),
  callsPerSecond: setting({
    env: 'PARTYLINE_CALLS_PER_SECOND',
    about: 'How many REST calls an account may start in a second (0.1-1000); more wait in its queue, at most 24 hours',
    defaultText: 'no limit',
    schema: z
      .string()
      .regex(/^(0\.[1-9]|[1-9]\d{0,2}(\.\d)?|1000)$/, 'must be a number from 0.1 to 1000')
      .optional()
      .transform((value) => (value === undefined ? null : Number(value))),
  }),
  sipDomains: setting({
    env: 'PARTYLINE_SIP_DOMAINS',
    about: 'More host names that SIP calls may be addressed to, separated by commas',
    defaultText: 'the bind and public address, localhost, the host of the public URL',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9.,-]+$/, 'must be host names separated by commas')
      .optional()
      .transform((value) => (value ?? '').split(',').filter((host) => host !== '')),
  }),
  webhookPrivateNetworks: setting({
    env: 'PARTYLINE_WEBHOOK_PRIVATE_NETWORKS',
    about: 'Whether webhooks, callbacks and prompts may lead into private networks: allow, deny, or the networks that are open (10.0.0.0/8,fd00::/8)',
    defaultText: 'allow when the bind address is a loopback address, else deny',
    schema: z
      .string()
      .refine((value) => value === 'allow' || value === 'deny' || value.split(',').every((network) => isNetwork(network.trim())), 'must be allow, deny or networks like 10.0.0.0/8 separated by commas')
      .optional()
      .transform((value): PrivateNetworks | null => (value === undefined ? null : value === 'allow' || value === 'deny' ? value : value.split(',').map((network) => network.trim()))),
  }),
  sipDomainSuffix: setting({
    env: 'PARTYLINE_SIP_DOMAIN_SUFFIX',
    about: 'What the names of SIP domains end with',
    defaultText: 'sip.localhost',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/, 'must be a host name')
      .optional()
      .transform((value) => (value ?? 'sip.localhost').toLowerCase()),
  }),
  speechRecognizer: setting({
    env: 'PARTYLINE_SPEECH_RECOGNIZER',
    about: 'Program that turns a WAV file into text for Gather with speech',
    defaultText: 'none: Gather takes keys only',
    schema: text((value) => /^[^\0\r\n]+$/.test(value), 'must be a program and its arguments, separated by blanks'),
  }),
  sipDigest: setting({
    env: 'PARTYLINE_SIP_DIGEST',
    about: 'Digest algorithms that phones are asked by, most wanted first: MD5, SHA-256 or both with a comma',
    defaultText: 'MD5',
    schema: z
      .string()
      .regex(/^(MD5|SHA-256|MD5,SHA-256|SHA-256,MD5)$/i, 'must be MD5, SHA-256, or both separated by a comma')
      .optional()
      .transform((value) => (value ?? 'MD5').toUpperCase().split(',').map((name) => (name === 'SHA-256' ? name : 'MD5'))),
  }),
  clientRoomCreation: setting({ env: 'PARTYLINE_CLIENT_ROOM_CREATION', about: 'Whether a browser that connects to a room that is not there creates it', defaultText: 'on', schema: onOff(true) }),
  phoneAttributes: setting({
    env: 'PARTYLINE_PHONE_ATTRIBUTES',
    about: 'What rooms tell of the calls of their phones, in the Participant resource and in room callbacks: off, sid (the call SID) or numbers (From and To too)',
    defaultText: 'off',
    schema: z.enum(['off', 'sid', 'numbers'], 'must be off, sid or numbers').optional().transform((value) => value ?? 'off'),
  }),
  publicRecordings: setting({ env: 'PARTYLINE_PUBLIC_RECORDINGS', about: 'Whether whoever knows the address of a recording may download it, as from Twilio (`<Play>` of a RecordingUrl needs it); off: with credentials of the account only', defaultText: 'on', schema: onOff(true) }),
  logLevel: setting({
    env: 'PARTYLINE_LOG_LEVEL',
    about: 'error, warn, info or debug',
    defaultText: 'info',
    schema: z.enum(['error', 'warn', 'info', 'debug'], 'must be error, warn, info or debug').optional().transform((value) => value ?? 'info'),
  }),
} satisfies Record<string, Setting<unknown>>;

type Settings = typeof settings;
export type Config = { [K in keyof Settings]: z.output<Settings[K]['schema']> };

/** What `PARTYLINE_WEBHOOK_PRIVATE_NETWORKS` says or, unset, what suits the bind address: a laptop asks applications of its own, a server does not. */
export function privateNetworksOf({ webhookPrivateNetworks, bindAddress }: Pick<Config, 'webhookPrivateNetworks' | 'bindAddress'>): PrivateNetworks {
  return webhookPrivateNetworks ?? (/^127\.|^::1$/.test(bindAddress) ? 'allow' : 'deny');
}

/** What `PARTYLINE_SIP_STRANGERS` says or, unset, what suits the bind address. */
export function strangersOf({ sipStrangers, bindAddress }: Pick<Config, 'sipStrangers' | 'bindAddress'>): Strangers {
  return sipStrangers ?? (/^127\.|^::1$/.test(bindAddress) ? 'allow' : 'unless-trunks');
}

/** What `PARTYLINE_SIP_STRANGER_RATE` says or, unset, what suits the bind address. */
export function strangerRateOf({ sipStrangerRate, bindAddress }: Pick<Config, 'sipStrangerRate' | 'bindAddress'>): number | null {
  const rate = sipStrangerRate ?? (/^127\.|^::1$/.test(bindAddress) ? 0 : 50);
  return rate === 0 ? null : rate;
}

/** What the settings of calls to numbers say or, unset, what suits the bind address. */
export function outboundPolicyOf({ outboundPrefixes, outboundMaxCalls, outboundCallsPerMinute, bindAddress }: Pick<Config, 'outboundPrefixes' | 'outboundMaxCalls' | 'outboundCallsPerMinute' | 'bindAddress'>): OutboundPolicy {
  const { prefixes, maxCalls, callsPerMinute } = /^127\.|^::1$/.test(bindAddress) ? OPEN_POLICY : CLOSED_POLICY;
  return { prefixes: outboundPrefixes ?? prefixes, maxCalls: outboundMaxCalls ?? maxCalls, callsPerMinute: outboundCallsPerMinute ?? callsPerMinute };
}

/** `--http-port` for PARTYLINE_HTTP_PORT. */
export function flagOf(env: string): string {
  return `--${env.replace(/^PARTYLINE_/, '').toLowerCase().replaceAll('_', '-')}`;
}

/**
 * Reads the configuration. Throws StartupError with one line that names the setting, never its value when it is secret.
 * Empty variables count as not set.
 */
export function readConfig(argv: string[], env: Record<string, string | undefined>): Config {
  const flags = readFlags(argv);
  const file = readFile(env['PARTYLINE_CONFIG_FILE']);
  const result: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(settings) as [string, Setting<unknown>][]) {
    const given = flags.get(flagOf(entry.env)) ?? env[entry.env] ?? file[entry.env];
    const parsed = entry.schema.safeParse(given === '' ? undefined : given);
    if (!parsed.success) {
      const shown = entry.secret || given === undefined ? '' : ` (it is ${JSON.stringify(given.slice(0, 80))})`;
      throw new StartupError(`${entry.env} ${parsed.error.issues[0]?.message ?? 'is not valid'}${shown}`);
    }
    result[name] = parsed.data;
  }
  const config = result as Config;
  checkTogether(config);
  return config;
}

function checkTogether(config: Config): void {
  if ((config.apiKeySid === null) !== (config.apiKeySecret === null)) throw new StartupError('PARTYLINE_API_KEY_SID and PARTYLINE_API_KEY_SECRET go together: set both or neither');
  if ((config.accountSid === null) !== (config.authToken === null)) throw new StartupError('PARTYLINE_ACCOUNT_SID and PARTYLINE_AUTH_TOKEN go together: set both or neither');
  checkTurn(config);
  if (config.sipTlsCert.length !== config.sipTlsKey.length) throw new StartupError('PARTYLINE_SIP_TLS_CERT and PARTYLINE_SIP_TLS_KEY go together: name as many keys as certificates');
  if (config.webrtcPort !== 0 && config.webrtcPort + config.mediaWorkers - 1 > 65535) throw new StartupError('PARTYLINE_WEBRTC_PORT leaves no room for one port per media worker');
}

function checkTurn({ turnUrls, turnSecret, turnUsername, turnPassword }: Config): void {
  if ((turnUsername === null) !== (turnPassword === null)) throw new StartupError('PARTYLINE_TURN_USERNAME and PARTYLINE_TURN_PASSWORD go together: set both or neither');
  if (turnSecret !== null && turnUsername !== null) throw new StartupError('PARTYLINE_TURN_SECRET and PARTYLINE_TURN_USERNAME exclude each other: set one of them');
  if (turnUrls.some(needsCredential) && turnSecret === null && turnUsername === null) throw new StartupError('PARTYLINE_TURN_URLS needs PARTYLINE_TURN_SECRET, or PARTYLINE_TURN_USERNAME and PARTYLINE_TURN_PASSWORD');
}

/** How browsers sign in to the TURN servers; null when there is nothing to sign in to. */
export function turnAccessOf({ turnSecret, turnTtlS, turnUsername, turnPassword }: Config): TurnAccess | null {
  if (turnSecret !== null) return { kind: 'secret', secret: turnSecret, ttlS: turnTtlS };
  return turnUsername !== null && turnPassword !== null ? { kind: 'static', username: turnUsername, password: turnPassword } : null;
}

function readFlags(argv: string[]): Map<string, string> {
  const known = new Set(Object.values(settings).map((entry) => flagOf(entry.env)));
  const flags = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const [name = '', inline] = splitOnce(argv[i] ?? '', '=');
    if (!known.has(name)) throw new StartupError(`${name} is not an option; partyline serve --help lists them`);
    const value = inline ?? argv[++i];
    if (value === undefined) throw new StartupError(`${name} needs a value`);
    flags.set(name, value);
  }
  return flags;
}

function splitOnce(value: string, separator: string): [string, string | undefined] {
  const at = value.indexOf(separator);
  return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)];
}

function readFile(path: string | undefined): Record<string, string> {
  if (!path) return {};
  const known = new Set<string>(Object.values(settings).map((entry) => entry.env));
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new StartupError(`PARTYLINE_CONFIG_FILE cannot be read: ${messageOf(error)}`);
  }
  const shape = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).safeParse(parsed);
  if (!shape.success) throw new StartupError('PARTYLINE_CONFIG_FILE must hold one JSON object of names and plain values');
  const stranger = Object.keys(shape.data).find((name) => !known.has(name));
  if (stranger !== undefined) throw new StartupError(`PARTYLINE_CONFIG_FILE: ${stranger} is not a setting`);
  return Object.fromEntries(Object.entries(shape.data).map(([name, value]) => [name, String(value)]));
}

/** The text of `partyline serve --help`. */
export function describeSettings(): string {
  const rows = Object.values(settings).map((entry) => `  ${flagOf(entry.env).padEnd(26)} ${entry.env.padEnd(32)} ${entry.about} [${entry.defaultText}]`);
  return rows.join('\n');
}
