import type { AccountSid, ApplicationSid, ByocTrunkSid, CallSid, NotificationSid, NumberSid, SipCredentialListSid, SipDomainSid, SipIpAclSid } from '../base/sid.ts';
import type { Page, PageRequest } from '../base/paging.ts';

/** The stored shapes of voice/ and the repositories it wants. Dates are milliseconds since 1970, UTC. */

export type CallStatus = 'queued' | 'ringing' | 'in-progress' | 'completed' | 'busy' | 'failed' | 'no-answer' | 'canceled';
export type CallDirection = 'inbound' | 'outbound-api' | 'outbound-dial';
export type HttpMethod = 'GET' | 'POST';
/** Events of a status callback (contract §4.2). */
export type CallEvent = 'initiated' | 'ringing' | 'answered' | 'completed';

/** Who is told the steps of a call, kept with it so that a restart can tell the last one. */
export interface KeptStatusCallback {
  url: string;
  method: HttpMethod;
  events: readonly CallEvent[];
  /** SequenceNumber of the next callback. */
  sequence: number;
}

export interface CallRecord {
  sid: CallSid;
  accountSid: AccountSid;
  parentCallSid: CallSid | null;
  to: string;
  from: string;
  phoneNumberSid: NumberSid | null;
  status: CallStatus;
  direction: CallDirection;
  createdAtMs: number;
  updatedAtMs: number;
  /** When it was dialled or arrived; null while queued. */
  startedAtMs: number | null;
  answeredAtMs: number | null;
  endedAtMs: number | null;
  answeredBy: string | null;
  forwardedFrom: string | null;
  callerName: string | null;
  /** Our own ending: see voice/termination.ts. Null while live. */
  terminationReason: string | null;
  /** Null or absent: nobody. */
  statusCallback?: KeptStatusCallback | null;
  /** Null or absent: not over yet, or nothing was heard of the phone. */
  quality?: CallQuality | null;
}

/** How it was for the phone of a call that is over, as its media told at the end. Null where the phone never told by RTCP. */
export interface CallQuality {
  codec: 'PCMU' | 'PCMA' | 'G722' | 'OPUS';
  /** Of `rating` and `mos`: ITU-T G.107, or G.107.1. */
  scale: 'narrow-band' | 'wide-band';
  /** R of what was heard of the phone. */
  rating: number | null;
  mos: number | null;
  packetsReceived: number;
  packetsSent: number;
  /** Of the phone's packets. */
  packetsLost: number;
  /** Late, foreign or broken. */
  packetsDiscarded: number;
  jitterMs: number;
  roundTripMs: number | null;
  /** Packets of ours that the phone missed. */
  remoteLost: number | null;
  remoteJitterMs: number | null;
}

/** A debugger entry of a call (contract §5.4): `log` 0 = error, 1 = warning. */
export interface NotificationRecord {
  sid: NotificationSid;
  accountSid: AccountSid;
  callSid: CallSid;
  log: 0 | 1;
  errorCode: number;
  messageText: string;
  messageAtMs: number;
  requestMethod: HttpMethod | null;
  requestUrl: string | null;
  requestVariables: string;
  responseBody: string;
  responseHeaders: string;
}

/** One webhook exchange of a call (`…/Calls/{sid}/Events.json`). */
export interface CallEventRecord {
  callSid: CallSid;
  atMs: number;
  request: { method: string; url: string; parameters: Record<string, string> };
  response: { responseCode: number | null; contentType: string | null; responseBody: string; requestDurationMs: number; validTwiml: boolean };
}

export interface AccountRecord {
  sid: AccountSid;
  friendlyName: string;
  status: 'active' | 'suspended' | 'closed';
  authToken: string;
  ownerAccountSid: AccountSid;
  /** Account settings of contract §7.2. */
  clientRoomCreation: boolean;
  roomStatusCallback: string | null;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface KeyRecord {
  sid: string;
  accountSid: AccountSid;
  friendlyName: string;
  secret: string;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Who answers calls to a number, a domain, or through an application. */
export interface VoiceUrls {
  voiceUrl: string | null;
  voiceMethod: HttpMethod;
  voiceFallbackUrl: string | null;
  voiceFallbackMethod: HttpMethod;
  statusCallback: string | null;
  statusCallbackMethod: HttpMethod;
}

/** What belongs to messaging and to regulation: kept and shown, without an effect here. */
export interface KeptSettings {
  smsUrl?: string | null;
  smsMethod?: HttpMethod;
  smsFallbackUrl?: string | null;
  smsFallbackMethod?: HttpMethod;
  smsStatusCallback?: string | null;
  messageStatusCallback?: string | null;
  smsApplicationSid?: string | null;
  addressSid?: string | null;
  identitySid?: string | null;
  bundleSid?: string | null;
}

export interface PhoneNumberRecord extends VoiceUrls {
  sid: NumberSid;
  accountSid: AccountSid;
  /** E.164 with +. */
  phoneNumber: string;
  friendlyName: string;
  voiceApplicationSid: ApplicationSid | null;
  trunkSid: string | null;
  voiceCallerIdLookup: boolean;
  voiceReceiveMode: 'voice' | 'fax';
  kept?: KeptSettings;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Voice URLs of an account under a name of their own (AP…), for numbers and calls that point at it (contract §6). */
export interface ApplicationRecord extends VoiceUrls {
  sid: ApplicationSid;
  accountSid: AccountSid;
  /** Empty when none was given. */
  friendlyName: string;
  voiceCallerIdLookup: boolean;
  publicApplicationConnectEnabled: boolean;
  kept?: KeptSettings;
  createdAtMs: number;
  updatedAtMs: number;
}

/** A number of somebody else's that the account has shown to be its own: it may stand in From and callerId. */
export interface CallerIdRecord {
  sid: NumberSid;
  accountSid: AccountSid;
  /** E.164 with +. */
  phoneNumber: string;
  friendlyName: string;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface CallFilter {
  accountSid: AccountSid;
  to?: string;
  from?: string;
  parentCallSid?: string;
  status?: CallStatus;
  startedAfterMs?: number;
  startedBeforeMs?: number;
  endedAfterMs?: number;
  endedBeforeMs?: number;
}

export interface NotificationFilter {
  accountSid: AccountSid;
  callSid?: CallSid;
  log?: 0 | 1;
  messageAfterMs?: number;
  messageBeforeMs?: number;
}

/** Where calls are kept. Same write rules as `RoomRepository`: saves return at once and in order, reads see them. */
export interface CallRepository {
  saveCall(record: CallRecord): void;
  /** Of a call that was saved before; nothing when it is gone. */
  saveQuality(sid: CallSid, quality: CallQuality): void;
  /** Resolves when everything saved so far is in the database, or was given up. */
  saved(): Promise<void>;
  saveNotification(record: NotificationRecord): void;
  saveEvent(record: CallEventRecord): void;
  findCall(accountSid: AccountSid, sid: CallSid): Promise<CallRecord | null>;
  listCalls(filter: CallFilter, page: PageRequest): Promise<Page<CallRecord>>;
  deleteCall(accountSid: AccountSid, sid: CallSid): Promise<void>;
  listNotifications(filter: NotificationFilter, page: PageRequest): Promise<Page<NotificationRecord>>;
  findNotification(accountSid: AccountSid, sid: NotificationSid): Promise<NotificationRecord | null>;
  listEvents(callSid: CallSid, page: PageRequest): Promise<Page<CallEventRecord>>;
  /** Ends calls that a crash left live, as `failed`; returns them so that their `completed` callbacks can be sent. */
  closeLeftovers(endedAtMs: number): Promise<CallRecord[]>;
}

/** Accounts, keys and numbers. Small and read on every request: the implementation keeps them in memory. */
export interface DirectoryRepository {
  account(sid: AccountSid): AccountRecord | null;
  accounts(): AccountRecord[];
  key(sid: string): KeyRecord | null;
  /** Newest first. */
  keys(accountSid: AccountSid): KeyRecord[];
  /** The number a call is for, by its exact E.164 text, over all accounts. */
  numberByDigits(phoneNumber: string): PhoneNumberRecord | null;
  number(accountSid: AccountSid, sid: NumberSid): PhoneNumberRecord | null;
  /** Newest first. */
  numbers(accountSid: AccountSid): PhoneNumberRecord[];
  saveAccount(record: AccountRecord): Promise<void>;
  saveKey(record: KeyRecord): Promise<void>;
  deleteKey(sid: string): Promise<void>;
  saveNumber(record: PhoneNumberRecord): Promise<void>;
  deleteNumber(sid: NumberSid): Promise<void>;
  application(accountSid: AccountSid, sid: ApplicationSid): ApplicationRecord | null;
  /** Newest first. */
  applications(accountSid: AccountSid): ApplicationRecord[];
  saveApplication(record: ApplicationRecord): Promise<void>;
  deleteApplication(sid: ApplicationSid): Promise<void>;
  /** A verified caller id. */
  callerId(accountSid: AccountSid, sid: NumberSid): CallerIdRecord | null;
  /** Newest first. */
  callerIds(accountSid: AccountSid): CallerIdRecord[];
  saveCallerId(record: CallerIdRecord): Promise<void>;
  deleteCallerId(sid: NumberSid): Promise<void>;
}

/** A directory that can also list an account's keys, for the REST resource. */
export interface KeyDirectory extends DirectoryRepository {
  /** Newest first. */
  keys(accountSid: AccountSid): KeyRecord[];
}

/** A credential list or an access list that guards a domain. */
export interface SipMapping<S extends string = string> {
  /** Of the list. */
  sid: S;
  createdAtMs: number;
}

/** A host name of ours for SIP calls (SD…), with its own application and its own guards (contract §6). */
export interface SipDomainRecord extends VoiceUrls {
  sid: SipDomainSid;
  accountSid: AccountSid;
  /** Lower case, whole: `acme.sip.localhost`. */
  domainName: string;
  friendlyName: string;
  /** Whether phones may register. */
  sipRegistration: boolean;
  callCredentialLists: SipMapping<SipCredentialListSid>[];
  callIpAcls: SipMapping<SipIpAclSid>[];
  registrationCredentialLists: SipMapping<SipCredentialListSid>[];
  /** The trunk that calls to it come by; null or absent: none. */
  byocTrunkSid?: ByocTrunkSid | null;
  createdAtMs: number;
  updatedAtMs: number;
}

export interface SipCredentialRecord {
  sid: string;
  username: string;
  /** What is kept of the password (sip/digest/secret.ts). */
  secret: { md5: string; sha256: string };
  createdAtMs: number;
  updatedAtMs: number;
}

/** Users of SIP domains (CL…). */
export interface SipCredentialListRecord {
  sid: SipCredentialListSid;
  accountSid: AccountSid;
  friendlyName: string;
  credentials: SipCredentialRecord[];
  createdAtMs: number;
  updatedAtMs: number;
}

export interface SipIpAddressRecord {
  sid: string;
  friendlyName: string;
  ipAddress: string;
  /** 0–32, for IPv6 0–128. */
  cidrPrefixLength: number;
  createdAtMs: number;
  updatedAtMs: number;
}

/** Addresses that may call SIP domains (AL…). */
export interface SipIpAclRecord {
  sid: SipIpAclSid;
  accountSid: AccountSid;
  friendlyName: string;
  addresses: SipIpAddressRecord[];
  createdAtMs: number;
  updatedAtMs: number;
}

/** SIP domains and the lists that guard them; held in memory as the directory is. Lists are newest first. */
export interface SipDirectory {
  /** By its whole name in lower case, over all accounts. */
  domainByName(domainName: string): SipDomainRecord | null;
  domain(accountSid: AccountSid, sid: SipDomainSid): SipDomainRecord | null;
  domains(accountSid: AccountSid): SipDomainRecord[];
  saveDomain(record: SipDomainRecord): Promise<void>;
  deleteDomain(sid: SipDomainSid): Promise<void>;
  credentialList(accountSid: AccountSid, sid: SipCredentialListSid): SipCredentialListRecord | null;
  credentialLists(accountSid: AccountSid): SipCredentialListRecord[];
  saveCredentialList(record: SipCredentialListRecord): Promise<void>;
  deleteCredentialList(sid: SipCredentialListSid): Promise<void>;
  ipAcl(accountSid: AccountSid, sid: SipIpAclSid): SipIpAclRecord | null;
  ipAcls(accountSid: AccountSid): SipIpAclRecord[];
  saveIpAcl(record: SipIpAclRecord): Promise<void>;
  deleteIpAcl(sid: SipIpAclSid): Promise<void>;
}
