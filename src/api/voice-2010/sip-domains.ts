import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid, type AccountSid } from '../../base/sid.ts';
import type { SipDomainRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { Form } from '../form.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { sidOf } from '../voice-v1/resource.ts';
import { accountPath, API_VERSION, friendlyName } from './resource.ts';
import { NO_VOICE_URLS, method, url } from './voice-url-parameters.ts';

type Deps = Pick<ApiDeps, 'sip' | 'sipDomainSuffix' | 'clock' | 'trunks'>;

const MAX_DOMAINS = 100;
const PATH = '/2010-04-01/Accounts/:accountSid/SIP/Domains';

/** SIP domains (contract §6): host names of ours, each with its application. */
export function addSipDomains(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(PATH, {
    GET: (request) => listAnswer(request, { key: 'domains', page: pageOf(deps.sip.domains(request.account.sid), pageRequest(request.query)), render: domainBody }),
    POST: (request) => create(request, deps),
  });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: domainBody(domainOf(request, deps, 'sid')) }),
    POST: async (request) => {
      const record = changed(domainOf(request, deps, 'sid'), request.form, deps);
      await deps.sip.saveDomain(record);
      return { status: 200, body: domainBody(record) };
    },
    DELETE: async (request) => {
      await deps.sip.deleteDomain(domainOf(request, deps, 'sid').sid);
      return { status: 204 };
    },
  });
}

/** The domain that a part of the path names. Throws 404. */
export function domainOf({ account, path, part }: ApiRequest, { sip }: Pick<ApiDeps, 'sip'>, name: string): SipDomainRecord {
  const sid = parseSid('SD', part(name));
  const record = sid && sip.domain(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

export function domainPath({ accountSid, sid }: Pick<SipDomainRecord, 'accountSid' | 'sid'>): string {
  return `${accountPath(accountSid)}/SIP/Domains/${sid}`;
}

async function create({ account, form }: ApiRequest, deps: Deps): Promise<Answer> {
  if (form.filled('DomainName') === undefined) throw new TwilioError(21231, 'DomainName is required');
  if (deps.sip.domains(account.sid).length >= MAX_DOMAINS) throw new TwilioError(20001, `An account has at most ${MAX_DOMAINS} SIP domains`);
  const record = changed(blankDomain(account.sid, deps.clock.wallMs()), form, deps);
  await deps.sip.saveDomain(record);
  return { status: 201, body: domainBody(record) };
}

function blankDomain(accountSid: AccountSid, nowMs: number): SipDomainRecord {
  return {
    sid: newSid('SD'),
    accountSid,
    domainName: '',
    friendlyName: '',
    sipRegistration: false,
    ...NO_VOICE_URLS,
    callCredentialLists: [],
    callIpAcls: [],
    registrationCredentialLists: [],
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}

/** Throws 21231 and 21232 (name), 21402 (URL), 21403 (method), 21405 (a fallback without a URL), 20002, 20001. */
function changed(before: SipDomainRecord, form: Form, { sip, sipDomainSuffix, clock, trunks }: Deps): SipDomainRecord {
  refuseNotBuilt(form);
  const record: SipDomainRecord = {
    ...before,
    domainName: domainName(before, form, { sip, sipDomainSuffix }),
    friendlyName: friendlyName(form) ?? before.friendlyName,
    sipRegistration: form.boolean('SipRegistration') ?? before.sipRegistration,
    voiceUrl: url(form, 'VoiceUrl', before.voiceUrl),
    voiceMethod: method(form, 'VoiceMethod', before.voiceMethod),
    voiceFallbackUrl: url(form, 'VoiceFallbackUrl', before.voiceFallbackUrl),
    voiceFallbackMethod: method(form, 'VoiceFallbackMethod', before.voiceFallbackMethod),
    statusCallback: url(form, 'VoiceStatusCallbackUrl', before.statusCallback),
    statusCallbackMethod: method(form, 'VoiceStatusCallbackMethod', before.statusCallbackMethod),
    byocTrunkSid: sidOf(form, { name: 'ByocTrunkSid', prefix: 'BY', before: before.byocTrunkSid ?? null, exists: (sid) => trunks.trunk(before.accountSid, sid) !== null }),
    updatedAtMs: clock.wallMs(),
  };
  if (record.voiceFallbackUrl !== null && record.voiceUrl === null) throw new TwilioError(21405, 'VoiceFallbackUrl needs a VoiceUrl');
  return record;
}

const MAX_NAME_CHARS = 253;

/** Letters, digits and `-`, before the suffix of this server; a name below another of the same account is fine too. */
function domainName(before: SipDomainRecord, form: Form, { sip, sipDomainSuffix }: Pick<Deps, 'sip' | 'sipDomainSuffix'>): string {
  const name = form.filled('DomainName')?.trim().toLowerCase();
  if (name === undefined) return before.domainName;
  const end = `.${sipDomainSuffix}`;
  const labels = name.endsWith(end) ? name.slice(0, -end.length).split('.') : [];
  if (labels.length === 0 || name.length > MAX_NAME_CHARS || !labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label))) {
    throw new TwilioError(21231, `DomainName must be letters, digits and '-' followed by ${end}`);
  }
  const parent = labels.length > 1 ? sip.domainByName(`${labels.slice(1).join('.')}${end}`) : null;
  if (labels.length > 1 && parent?.accountSid !== before.accountSid) throw new TwilioError(21232, `DomainName ${name} is below a domain that this account does not have`);
  const taken = sip.domainByName(name);
  if (taken && taken.sid !== before.sid) throw new TwilioError(21231, `DomainName ${name} is taken`);
  return name;
}

/** Kept without an effect they would promise what nobody does. */
function refuseNotBuilt(form: Form): void {
  for (const name of ['Secure', 'EmergencyCallingEnabled']) if (form.boolean(name) === true) throw new TwilioError(20001, `${name} is not supported by this server`);
  if (form.filled('EmergencyCallerSid') !== undefined) throw new TwilioError(20001, 'EmergencyCallerSid is not supported by this server');
}

function domainBody(record: SipDomainRecord): object {
  const path = domainPath(record);
  return {
    account_sid: record.accountSid,
    api_version: API_VERSION,
    auth_type: authType(record),
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    domain_name: record.domainName,
    friendly_name: record.friendlyName,
    sid: record.sid,
    uri: `${path}.json`,
    voice_fallback_method: record.voiceFallbackMethod,
    voice_fallback_url: record.voiceFallbackUrl,
    voice_method: record.voiceMethod,
    voice_status_callback_method: record.statusCallbackMethod,
    voice_status_callback_url: record.statusCallback,
    voice_url: record.voiceUrl,
    subresource_uris: {
      credential_list_mappings: `${path}/CredentialListMappings.json`,
      ip_access_control_list_mappings: `${path}/IpAccessControlListMappings.json`,
    },
    sip_registration: record.sipRegistration,
    emergency_calling_enabled: false,
    secure: false,
    byoc_trunk_sid: record.byocTrunkSid ?? null,
    emergency_caller_sid: null,
  };
}

function authType({ callIpAcls, callCredentialLists }: SipDomainRecord): string {
  return [callIpAcls.length > 0 ? 'IP_ACL' : '', callCredentialLists.length > 0 ? 'CREDENTIAL_LIST' : ''].filter((name) => name !== '').join(',');
}
