import type { SipParty, SipSecretLookup } from '../../sip/contract.ts';
import type { CallerIdentity } from '../../sip/message/identity-headers.ts';
import type { ApplicationSid } from '../../base/sid.ts';
import { hasSources, secretsOfTrunks, trunksOfContact, trunksOfSource, trunkOfUser, usableBy } from '../carrier/inbound.ts';
import type { Trunk } from '../carrier/model.ts';
import { toE164 } from '../carrier/number-format.ts';
import type { AccountRecord, DirectoryRepository, PhoneNumberRecord, SipDirectory, SipDomainRecord, VoiceUrls } from '../model.ts';
import { urlsOfNumber } from './application.ts';
import { callerOf, sipCallerOf, type Caller } from './caller.ts';
import { numberCandidates } from './number.ts';
import { admitToDomain } from './sip-domain.ts';
import { Trace, type Step } from './trace.ts';

/** A call that came in, as far as the dial plan looks at it. */
export interface CallFacts {
  requestUriUser: string;
  requestUriHost: string;
  /** User of To: what a carrier calls that was given our Contact by registration. */
  toUser: string;
  from: SipParty;
  identity: CallerIdentity;
  sourceAddress: string;
  /** Whom the sender has proven to be, to what was asked before; null: nothing was asked. */
  provenUser: string | null;
}

/** What calls are decided by. */
export interface DialPlan {
  directory: DirectoryRepository;
  sipDirectory: SipDirectory;
  trunks: readonly Trunk[];
  /** The host names this server goes by, lower case; a wildcard bind address among them stands for every IP address. */
  localHosts: readonly string[];
  strangers: Strangers;
}

/** Whether calls to numbers are taken from whoever sends them. `unless-trunks`: not for an account whose trunks say where calls come from. */
export type Strangers = 'allow' | 'refuse' | 'unless-trunks';

/** Who answers, and as whose call. */
export interface CallTarget {
  kind: 'call';
  account: AccountRecord;
  to: string;
  caller: Caller;
  number: PhoneNumberRecord | null;
  domain: SipDomainRecord | null;
  trunk: Trunk | null;
  urls: VoiceUrls;
  applicationSid: ApplicationSid | null;
  /** SIP user that the sender has proven to be. */
  username: string | null;
}

export interface Refusal {
  kind: 'refused';
  statusCode: 403 | 404;
  reasonPhrase: string;
  /** For the log. */
  why: string;
  errorCode: 32201 | null;
  /** Value of a Reason header, for the log of the caller's side; null: it is told nothing. */
  reason: string | null;
}

/** The sender must prove first who it is: then the call is decided again, with `provenUser`. */
export interface Ask {
  kind: 'ask';
  secretsOf: SipSecretLookup;
  /** What a wrong answer is logged with. */
  errorCode: 32202;
}

export interface Decision {
  outcome: CallTarget | Refusal | Ask;
  /** How it came to be. */
  steps: readonly Step[];
}

/** Request-URI, source and credentials → SIP domain, or trunk and number → account and application. Pure; nothing in From is believed. */
export function decideCall(facts: CallFacts, plan: DialPlan): Decision {
  const trace = new Trace();
  const domain = plan.sipDirectory.domainByName(facts.requestUriHost.toLowerCase());
  const outcome = domain ? toDomain(facts, plan, { trace, domain }) : toServer(facts, plan, trace);
  return { outcome, steps: trace.steps };
}

function toDomain(facts: CallFacts, plan: DialPlan, { trace, domain }: { trace: Trace; domain: SipDomainRecord }): Decision['outcome'] {
  trace.yes('domain', `${domain.domainName} is SIP domain ${domain.sid} of account ${domain.accountSid}`);
  const account = activeAccount(domain.accountSid, plan, trace);
  if (!account) return refused(403, 'Account not active', 'the account of this domain is not active');
  const admission = admitToDomain({ source: facts.sourceAddress, provenUser: facts.provenUser }, domain, plan.sipDirectory);
  traceAdmission(trace, { facts, domain, admission });
  if (admission.kind === 'refused') return { kind: 'refused', statusCode: 403, reasonPhrase: 'Forbidden', why: admission.reason, errorCode: admission.errorCode, reason: null };
  if (admission.kind === 'ask') return { kind: 'ask', secretsOf: admission.secretsOf, errorCode: 32202 };
  const trunk = plan.trunks.find(({ sid }) => sid === domain.byocTrunkSid) ?? null;
  if (!trunk) {
    trace.yes('application', urlText('the domain', domain));
    const to = facts.requestUriUser === '' ? `sip:${domain.domainName}` : `sip:${facts.requestUriUser}@${domain.domainName}`;
    return { kind: 'call', account, to, caller: sipCallerOf(facts), number: null, domain, trunk: null, urls: domain, applicationSid: null, username: facts.provenUser };
  }
  trace.yes('trunk', `its calls come by trunk ${trunkText(trunk)}`);
  const found = numberBy([trunk], facts.requestUriUser, { plan, trace });
  return found?.trunk ? answered(found, { facts, plan, trace, account, domain }) : byTrunk(trunk, { facts, trace, account, domain, called: facts.requestUriUser });
}

function traceAdmission(trace: Trace, { facts, domain, admission }: { facts: CallFacts; domain: SipDomainRecord; admission: ReturnType<typeof admitToDomain> }): void {
  const { callIpAcls, callCredentialLists } = domain;
  if (callIpAcls.length > 0) {
    const ofAddress = admission.kind === 'refused' && admission.errorCode === 32201;
    if (ofAddress) trace.refused('access list', `${facts.sourceAddress} is in none of its ${callIpAcls.length} access list(s): 403 (32201)`);
    else trace.yes('access list', `${facts.sourceAddress} is in one of its ${callIpAcls.length} access list(s)`);
  }
  if (admission.kind === 'ask') trace.note('credentials', `407: the sender must prove to be a user of its ${callCredentialLists.length} credential list(s)`);
  else if (callCredentialLists.length > 0 && facts.provenUser !== null) trace.yes('credentials', `the sender has proven to be ${printable(facts.provenUser)}`);
  if (admission.kind === 'refused' && admission.errorCode === null) trace.refused('access', `${admission.reason}: 403`);
}

function toServer(facts: CallFacts, plan: DialPlan, trace: Trace): Decision['outcome'] {
  const host = printable(facts.requestUriHost);
  trace.no('domain', `${host} is no SIP domain`);
  if (!isLocalHost(facts.requestUriHost, plan.localHosts)) {
    trace.refused('host', `${host} is no name of this server either (PARTYLINE_SIP_DOMAINS): 403`);
    return refused(403, 'Unknown domain', `no domain ${host} here`);
  }
  trace.yes('host', `${host} is this server`);
  const { trunks, called } = knownTrunks(facts, plan, trace);
  const found = numberBy(trunks, called, { plan, trace });
  const isStranger = found ? found.trunk === null : trunks.length === 0;
  const stranger = isStranger ? strangerOutcome(facts, plan, { trace, account: found?.number.accountSid ?? null }) : null;
  if (stranger) return stranger;
  if (!found) return withoutNumber(trunks, { facts, plan, trace, called });
  const account = activeAccount(found.number.accountSid, plan, trace);
  if (!account) return refused(403, 'Account not active', 'the account of this number is not active');
  if (found.number.trunkSid !== null) {
    trace.refused('number', `it is on Elastic SIP trunk ${found.number.trunkSid} and runs no application: 404`);
    return refused(404, 'Number is on a trunk', 'this number belongs to a SIP trunk and runs no application');
  }
  return answered(found, { facts, plan, trace, account, domain: null });
}

/** The trunks that the call may be of, the likeliest first, and what it calls. */
function knownTrunks(facts: CallFacts, plan: DialPlan, trace: Trace): { trunks: Trunk[]; called: string } {
  const called = facts.requestUriUser;
  const registered = trunksOfContact(plan.trunks, called);
  if (registered.length > 0) {
    trace.yes('trunk', `the Contact that was registered by trunk ${registered.map(trunkText).join(', ')}`);
    return { trunks: registered, called: facts.toUser };
  }
  // Who has proven to be somebody is believed before an address, which trunks of several accounts may name.
  const byUser = facts.provenUser === null ? null : trunkOfUser(plan.trunks, facts.provenUser);
  if (byUser) trace.yes('credentials', `the sender has proven to be ${printable(facts.provenUser ?? '')} of trunk ${trunkText(byUser)}`);
  const bySource = trunksOfSource(plan.trunks, facts.sourceAddress).filter((trunk) => trunk !== byUser);
  if (bySource.length > 0) trace.yes('trunk', `${facts.sourceAddress} is a source of trunk ${bySource.map(trunkText).join(', ')}`);
  else if (!byUser) trace.no('trunk', plan.trunks.length === 0 ? 'there is no trunk' : `${facts.sourceAddress} is a source of none of ${plan.trunks.length} trunk(s)`);
  return { trunks: [...(byUser ? [byUser] : []), ...bySource], called };
}

/** Null: a stranger may call. */
function strangerOutcome(facts: CallFacts, { trunks, strangers }: DialPlan, { trace, account }: { trace: Trace; account: AccountRecord['sid'] | null }): Refusal | Ask | null {
  const asked = account === null ? trunks : usableBy(trunks, account);
  const isRefused = strangers === 'refuse' || (strangers === 'unless-trunks' && asked.some(hasSources));
  if (!isRefused) {
    trace.yes('strangers', `${facts.sourceAddress} is nobody known, and strangers may call (PARTYLINE_SIP_STRANGERS)`);
    return null;
  }
  if (facts.provenUser === null && asked.some(({ settings }) => settings.inbound.credentials.length > 0)) {
    trace.note('credentials', '407: the sender must prove to be a user of a trunk');
    return { kind: 'ask', secretsOf: secretsOfTrunks(trunks), errorCode: 32202 };
  }
  trace.refused('strangers', `${facts.sourceAddress} is nobody known, and strangers may not call (PARTYLINE_SIP_STRANGERS): 403`);
  return { kind: 'refused', statusCode: 403, reasonPhrase: 'Forbidden', why: 'the source is of no trunk, and strangers may not call', errorCode: null, reason: null };
}

interface FoundNumber {
  number: PhoneNumberRecord;
  trunk: Trunk | null;
}

/**
 * The number that is called, read as one of the trunks writes numbers. A trunk reaches numbers of its own account: for any
 * other number the call is a stranger's.
 */
function numberBy(trunks: readonly Trunk[], called: string, { plan, trace }: { plan: DialPlan; trace: Trace }): FoundNumber | null {
  for (const trunk of trunks.length > 0 ? trunks : [null]) {
    const texts = textsOf(called, trunk);
    const number = texts.map((text) => plan.directory.numberByDigits(text)).find((record) => record !== null && mayCome(record, trunk));
    if (number) {
      trace.yes('number', `${printable(called)} is ${number.phoneNumber} (${number.sid}) of account ${number.accountSid}`);
      return { number, trunk };
    }
  }
  const others = trunks.flatMap((trunk) => textsOf(called, trunk)).map((text) => plan.directory.numberByDigits(text)).find((record) => record !== null);
  if (others) {
    trace.note('number', `${others.phoneNumber} is of account ${others.accountSid}, which the trunk is not of: the call is a stranger's`);
    return { number: others, trunk: null };
  }
  trace.no('number', `${printable(called)} is no number of this server${trunks[0] ? ` that trunk ${trunks[0].name} may call` : ''} (looked for ${textsOf(called, trunks[0] ?? null).join(', ') || 'nothing: no number'})`);
  return null;
}

function mayCome({ accountSid }: PhoneNumberRecord, trunk: Trunk | null): boolean {
  return trunk === null || trunk.accountSid === null || trunk.accountSid === accountSid;
}

function textsOf(called: string, trunk: Trunk | null): string[] {
  const normal = trunk ? toE164(called, trunk.settings.numbers) : null;
  return [...new Set([...(normal === null ? [] : [normal]), ...numberCandidates(called)])];
}

/**
 * Numbers of a carrier need not be declared: a trunk with an application answers whatever it brings. Of several accounts that name
 * the same source nobody gets them by that alone, but for the operator: one would take another's calls.
 */
function withoutNumber(trunks: readonly Trunk[], { facts, plan, trace, called }: { facts: CallFacts; plan: DialPlan; trace: Trace; called: string }): Decision['outcome'] {
  const trunk = answeringTrunk(trunks, { facts, trace });
  const accountSid = trunk?.accountSid ?? null;
  if (!trunk || accountSid === null) {
    trace.refused('number', `nobody answers ${printable(called)}: 404`);
    return refused(404, 'Unknown number', `no number ${printable(called)} here`);
  }
  const account = activeAccount(accountSid, plan, trace);
  return account ? byTrunk(trunk, { facts, trace, account, domain: null, called }) : refused(403, 'Account not active', 'the account of this trunk is not active');
}

function answeringTrunk(trunks: readonly Trunk[], { facts, trace }: Pick<Answering, 'facts' | 'trace'>): Trunk | undefined {
  const answering = trunks.filter(({ urls, accountSid }) => urls.voiceUrl !== null && accountSid !== null);
  const [first] = answering;
  if (!first || isProven(first, facts)) return first;
  const ofOperator = answering.find((trunk) => trunk.ofOperator);
  if (ofOperator || answering.every(({ accountSid }) => accountSid === first.accountSid)) return ofOperator ?? first;
  trace.refused('trunk', 'trunks of several subaccounts name this source: who of them is called only a declared number, or credentials, can tell');
  return undefined;
}

/** By more than the address. */
function isProven(trunk: Trunk, { provenUser, requestUriUser, toUser }: CallFacts): boolean {
  if (provenUser !== null && trunkOfUser([trunk], provenUser)) return true;
  return trunksOfContact([trunk], requestUriUser).length > 0 || trunksOfContact([trunk], toUser).length > 0;
}

interface Answering {
  facts: CallFacts;
  trace: Trace;
  account: AccountRecord;
  domain: SipDomainRecord | null;
}

/** By the number's application or URL, by the trunk's where it has none. */
function answered({ number, trunk }: FoundNumber, { facts, plan, trace, account, domain }: Answering & { plan: DialPlan }): CallTarget {
  const own = urlsOfNumber(number, plan.directory);
  const byTrunkUrl = own.urls.voiceUrl === null && trunk !== null && trunk.urls.voiceUrl !== null;
  const { urls, applicationSid } = byTrunkUrl ? { urls: withStatusCallback(trunk.urls, number), applicationSid: null } : own;
  trace.yes('application', urlText(byTrunkUrl ? `trunk ${trunk.name}` : own.applicationSid === null ? 'the number' : `application ${own.applicationSid}`, urls));
  return { kind: 'call', account, to: number.phoneNumber, caller: tracedCaller(facts, { trunk, trace }), number, domain, trunk, urls, applicationSid, username: facts.provenUser };
}

/** The number's own stands in where the trunk has none. */
function withStatusCallback(urls: VoiceUrls, { statusCallback, statusCallbackMethod }: VoiceUrls): VoiceUrls {
  return urls.statusCallback === null ? { ...urls, statusCallback, statusCallbackMethod } : urls;
}

function byTrunk(trunk: Trunk, { facts, trace, account, domain, called }: Answering & { called: string }): CallTarget {
  const urls = trunk.urls.voiceUrl === null && domain ? domain : trunk.urls;
  trace.yes('application', urlText(urls === domain ? 'the domain' : `trunk ${trunk.name}`, urls));
  const to = toE164(called, trunk.settings.numbers) ?? `sip:${called}@${facts.requestUriHost}`;
  return { kind: 'call', account, to, caller: tracedCaller(facts, { trunk, trace }), number: null, domain, trunk, urls, applicationSid: null, username: facts.provenUser };
}

function tracedCaller(facts: CallFacts, { trunk, trace }: { trunk: Trunk | null; trace: Trace }): Caller {
  const caller = callerOf(facts, trunk);
  trace.note('caller', `${printable(caller.from)}, by ${caller.by}`);
  return caller;
}

function activeAccount(sid: AccountRecord['sid'], { directory }: DialPlan, trace: Trace): AccountRecord | null {
  const account = directory.account(sid);
  if (account?.status === 'active') return account;
  trace.refused('account', `account ${sid} is ${account?.status ?? 'not there'}: 403`);
  return null;
}

function refused(statusCode: Refusal['statusCode'], reasonPhrase: string, text: string): Refusal {
  return { kind: 'refused', statusCode, reasonPhrase, why: text, errorCode: null, reason: `SIP;cause=${statusCode};text="${text}"` };
}

function urlText(whose: string, { voiceUrl, voiceMethod }: VoiceUrls): string {
  return voiceUrl === null ? `${whose} has no VoiceUrl: the call is answered by nobody` : `${whose} answers: ${voiceMethod} ${voiceUrl}`;
}

function trunkText({ name, sid }: Trunk): string {
  return `${name} (${sid})`;
}

export function isLocalHost(host: string, localHosts: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  if (localHosts.includes(name)) return true;
  const anyAddress = localHosts.includes('0.0.0.0') || localHosts.includes('::');
  return anyAddress && (/^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.includes(':'));
}

/** Text of outside, fit for a quoted string of a header. */
export function printable(text: string): string {
  return text.replace(/[^\w.+@:-]/g, '?').slice(0, 64);
}
