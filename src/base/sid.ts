import { randomBytes } from 'node:crypto';

declare const sidBrand: unique symbol;
/** A Twilio id: two capital letters and 32 hexadecimal digits (contract §2.5). */
export type Sid<P extends string = string> = string & { readonly [sidBrand]: P };

export type AccountSid = Sid<'AC'>;
export type KeySid = Sid<'SK'>;
export type CallSid = Sid<'CA'>;
export type NumberSid = Sid<'PN'>;
export type ApplicationSid = Sid<'AP'>;
export type RoomSid = Sid<'RM'>;
export type ParticipantSid = Sid<'PA'>;
export type TrackSid = Sid<'MT'>;
export type SipDomainSid = Sid<'SD'>;
export type SipCredentialListSid = Sid<'CL'>;
export type SipIpAclSid = Sid<'AL'>;
export type ByocTrunkSid = Sid<'BY'>;
export type ConnectionPolicySid = Sid<'NY'>;
export type ConnectionPolicyTargetSid = Sid<'NE'>;
export type NotificationSid = Sid<'NO'>;
export type StreamSid = Sid<'MZ'>;
export type RecordingSid = Sid<'RE'>;
export type RoomRecordingSid = Sid<'RT'>;
export type ConferenceSid = Sid<'CF'>;
export type QueueSid = Sid<'QU'>;
export type CompositionSid = Sid<'CJ'>;
export type HookSid = Sid<'HK'>;

export type SidPrefix = 'MZ' | 'AC' | 'SK' | 'CA' | 'PN' | 'AP' | 'RM' | 'PA' | 'MT' | 'SD' | 'NO' | 'RE' | 'CF' | 'RT' | 'CJ' | 'HK' | 'QU' | 'CL' | 'CR' | 'AL' | 'IP' | 'BY' | 'NY' | 'NE';

/** Makes a fresh SID from 128 random bits. */
export function newSid<P extends SidPrefix>(prefix: P): Sid<P> {
  return (prefix + randomBytes(16).toString('hex')) as Sid<P>;
}

/** True for `prefix` + 32 hexadecimal digits; capital digits are accepted on input. */
export function isSid<P extends SidPrefix>(prefix: P, text: string): text is Sid<P> {
  return text.length === 34 && text.startsWith(prefix) && /^[0-9a-fA-F]{32}$/.test(text.slice(2));
}

/** The stored form of a SID read from outside: digits in lower case. Null when it is none. */
export function parseSid<P extends SidPrefix>(prefix: P, text: string): Sid<P> | null {
  return isSid(prefix, text) ? ((prefix + text.slice(2).toLowerCase()) as Sid<P>) : null;
}
