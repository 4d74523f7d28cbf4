import type { AccountSid, ByocTrunkSid, ConnectionPolicySid, ConnectionPolicyTargetSid, SipDomainSid } from '../../base/sid.ts';
import type { PhoneSrtpPolicy } from '../../sdp/phone-security.ts';
import type { IdentityStyle } from '../../sip/message/identity-headers.ts';
import type { VoiceUrls } from '../model.ts';
import type { NumberFormat } from './number-format.ts';

/**
 * Carriers as resources: ByocTrunk, ConnectionPolicy and its targets as Twilio's Voice v1 API has them, and what Partyline
 * keeps of a trunk besides. Calls see neither: they see a `Trunk`, which is all of it joined.
 */

export interface ByocTrunkRecord extends VoiceUrls {
  sid: ByocTrunkSid;
  accountSid: AccountSid;
  /** Up to 255 characters, empty when none was given. */
  friendlyName: string;
  cnamLookupEnabled: boolean;
  connectionPolicySid: ConnectionPolicySid | null;
  /** Domain for From of calls that leave by the trunk. */
  fromDomainSid: SipDomainSid | null;
  /** Absent: the defaults. */
  settings?: TrunkSettings;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Targets of one or more trunks; the policy and what stands in it are one document. */
export interface ConnectionPolicyRecord {
  sid: ConnectionPolicySid;
  accountSid: AccountSid;
  friendlyName: string;
  targets: ConnectionPolicyTargetRecord[];
  createdAtMs: number;
  updatedAtMs: number;
}

export interface ConnectionPolicyTargetRecord extends TrunkTarget {
  sid: ConnectionPolicyTargetSid;
  friendlyName: string;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Where calls of a trunk go. */
export interface TrunkTarget {
  /** `sip:host`, with or without user, port and transport. */
  target: string;
  /** 0–65535, the lowest first. Default 10. */
  priority: number;
  /** 1–65535, its share among targets of the same priority. Default 10. */
  weight: number;
  /** Default true. */
  enabled: boolean;
}

export interface DigestCredentials {
  username: string;
  password: string;
}

/** What Partyline knows of a trunk and Twilio has no field for. */
export interface TrunkSettings {
  /** Calls to numbers that name no trunk leave by this one. */
  isDefault: boolean;
  inbound: {
    /** Source addresses that its calls come from. */
    networks: { network: string; prefixLength: number }[];
    /** Users that its calls prove to be by digest. */
    credentials: { username: string; secret: { md5: string; sha256: string } }[];
    /** Whether P-Asserted-Identity and Remote-Party-ID of its calls are believed (RFC 3325 §4). Default true. */
    trustIdentity: boolean;
  };
  outbound: {
    /** For 401 and 407 challenges; null: none. */
    credentials: DigestCredentials | null;
    /** Next hop of its requests instead of the target: `sip:host:port;transport=tcp`. */
    proxy: string | null;
    /** Default `none`: From alone. */
    identity: IdentityStyle;
    /** Every call is placed with its caller withheld. Default false. */
    withheld: boolean;
    /** E.164 beginnings (`+49`) that may be called; empty: none is refused. */
    allowedPrefixes: string[];
    /** Calls that may stand at once; null: as many as come. */
    maxCalls: number | null;
    /** Calls that may be begun in a minute; null: as many as come. */
    callsPerMinute: number | null;
    /** How long a target may stay without any answer before the next is tried. Default 2500. */
    answerTimeoutMs: number;
  };
  /** Registration at the carrier; null: none. */
  register: (DigestCredentials & { registrar: string; expiresS: number }) | null;
  numbers: NumberFormat;
  media: {
     /** Null: as the server (PARTYLINE_PHONE_SRTP). */
    srtp: PhoneSrtpPolicy | null;
    /** Most wanted first; null: all that the server has. */
    codecs: ('pcmu' | 'pcma' | 'g722' | 'opus')[] | null;
  };
  /** OPTIONS to each target; null: never. Default 30000. */
  probeIntervalMs: number | null;
}

/** A trunk as calls see it. */
export interface Trunk {
  sid: ByocTrunkSid;
  /** Null: every account may use it (PARTYLINE_CARRIER). */
  accountSid: AccountSid | null;
  /** Described by who runs the server: the trunks file, PARTYLINE_CARRIER, the main account. Subaccounts describe trunks for themselves alone. */
  ofOperator: boolean;
  name: string;
  /** Who answers calls to numbers that have no application of their own. */
  urls: VoiceUrls;
  cnamLookupEnabled: boolean;
  /** Host for From of calls that leave; null: our own address. */
  fromDomain: string | null;
  /** As they were described: `orderTargets` says in which order they are tried. */
  targets: readonly TrunkTarget[];
  settings: TrunkSettings;
}

/** Trunks and policies of the REST API; held in memory as the directory is. Lists are newest first. */
export interface TrunkRepository {
  trunk(accountSid: AccountSid, sid: ByocTrunkSid): ByocTrunkRecord | null;
  trunks(accountSid: AccountSid): ByocTrunkRecord[];
  /** Of all accounts. */
  allTrunks(): ByocTrunkRecord[];
  saveTrunk(record: ByocTrunkRecord): Promise<void>;
  deleteTrunk(sid: ByocTrunkSid): Promise<void>;
  policy(accountSid: AccountSid, sid: ConnectionPolicySid): ConnectionPolicyRecord | null;
  policies(accountSid: AccountSid): ConnectionPolicyRecord[];
  savePolicy(record: ConnectionPolicyRecord): Promise<void>;
  deletePolicy(sid: ConnectionPolicySid): Promise<void>;
}

/** The trunks that calls can use, whoever described them. */
export interface TrunkDirectory {
  all(): Trunk[];
  /** A trunk that the account may use. */
  findTrunk(accountSid: AccountSid, sid: string): Trunk | null;
  /** Where calls to numbers leave that name no trunk; null: they cannot. */
  defaultTrunk(accountSid: AccountSid): Trunk | null;
  /** Called after any change. Returns what ends it. */
  onChanged(listener: () => void): () => void;
}

export const DEFAULT_PRIORITY = 10;
export const DEFAULT_WEIGHT = 10;
export const MAX_PRIORITY = 65_535;
export const MAX_WEIGHT = 65_535;

/** Of a trunk about which nothing else was said. */
export const DEFAULT_TRUNK_SETTINGS: TrunkSettings = {
  isDefault: false,
  inbound: { networks: [], credentials: [], trustIdentity: true },
  outbound: { credentials: null, proxy: null, identity: 'none', withheld: false, allowedPrefixes: [], maxCalls: null, callsPerMinute: null, answerTimeoutMs: 2500 },
  register: null,
  numbers: { countryCode: null, nationalPrefix: '', internationalPrefix: '00', bareNumbersAre: 'international', out: 'plus', stripIn: '', addOut: '' },
  media: { srtp: null, codecs: null },
  probeIntervalMs: 30_000,
};
