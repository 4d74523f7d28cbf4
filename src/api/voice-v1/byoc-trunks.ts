import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid, type AccountSid } from '../../base/sid.ts';
import type { ByocTrunkRecord } from '../../voice/carrier/model.ts';
import type { ApiDeps } from '../deps.ts';
import { isoSeconds } from '../dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { Form } from '../form.ts';
import { metaAnswer, pageOf, pageRequest } from '../paging.ts';
import { method, NO_VOICE_URLS, url } from '../voice-2010/voice-url-parameters.ts';
import { friendlyName, refuseDescribed, sidOf } from './resource.ts';

type Deps = Pick<ApiDeps, 'trunks' | 'sip' | 'clock'>;

const MAX_TRUNKS = 100;
const MAX_PAGE_SIZE = 100;
const PATH = '/v1/ByocTrunks';

/** BYOC trunks (contract §6): carriers of the account, each with the application that answers its calls. */
export function addByocTrunks(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(PATH, {
    GET: (request) => metaAnswer(request, { key: 'byoc_trunks', page: pageOf(deps.trunks.trunks(request.account.sid), pageRequest(request.query, MAX_PAGE_SIZE)), render: (record) => trunkBody(record, request.origin) }),
    POST: (request) => create(request, deps),
  });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: trunkBody(trunkOf(request, deps), request.origin) }),
    POST: async (request) => {
      const before = trunkOf(request, deps);
      refuseDescribed(before.sid, deps.trunks);
      const record = changed(before, request.form, deps);
      await deps.trunks.saveTrunk(record);
      return { status: 200, body: trunkBody(record, request.origin) };
    },
    DELETE: async (request) => {
      const { sid, accountSid } = trunkOf(request, deps);
      refuseDescribed(sid, deps.trunks);
      const user = deps.sip.domains(accountSid).find(({ byocTrunkSid }) => byocTrunkSid === sid);
      if (user) throw new TwilioError(20001, `Trunk ${sid} is in use by SIP domain ${user.sid}`);
      await deps.trunks.deleteTrunk(sid);
      return { status: 204 };
    },
  });
}

/** The trunk that the path names. Throws 404. */
export function trunkOf({ account, path, part }: ApiRequest, { trunks }: Pick<ApiDeps, 'trunks'>): ByocTrunkRecord {
  const sid = parseSid('BY', part('sid'));
  const record = sid && trunks.trunk(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

async function create({ account, form, origin }: ApiRequest, deps: Deps): Promise<Answer> {
  if (deps.trunks.trunks(account.sid).length >= MAX_TRUNKS) throw new TwilioError(20001, `An account has at most ${MAX_TRUNKS} trunks`);
  const record = changed(blankTrunk(account.sid, deps.clock.wallMs()), form, deps);
  await deps.trunks.saveTrunk(record);
  return { status: 201, body: trunkBody(record, origin) };
}

function blankTrunk(accountSid: AccountSid, nowMs: number): ByocTrunkRecord {
  return { sid: newSid('BY'), accountSid, friendlyName: '', ...NO_VOICE_URLS, cnamLookupEnabled: false, connectionPolicySid: null, fromDomainSid: null, createdAtMs: nowMs, updatedAtMs: nowMs };
}

/** Throws 20001 (a SID that is none or not there), 20002, 21402 (URL), 21403 (method), 21405 (a fallback without a URL). */
function changed(before: ByocTrunkRecord, form: Form, { trunks, sip, clock }: Deps): ByocTrunkRecord {
  const { accountSid } = before;
  const record: ByocTrunkRecord = {
    ...before,
    friendlyName: friendlyName(form) ?? before.friendlyName,
    voiceUrl: url(form, 'VoiceUrl', before.voiceUrl),
    voiceMethod: method(form, 'VoiceMethod', before.voiceMethod),
    voiceFallbackUrl: url(form, 'VoiceFallbackUrl', before.voiceFallbackUrl),
    voiceFallbackMethod: method(form, 'VoiceFallbackMethod', before.voiceFallbackMethod),
    statusCallback: url(form, 'StatusCallbackUrl', before.statusCallback),
    statusCallbackMethod: method(form, 'StatusCallbackMethod', before.statusCallbackMethod),
    cnamLookupEnabled: form.boolean('CnamLookupEnabled') ?? before.cnamLookupEnabled,
    connectionPolicySid: sidOf(form, { name: 'ConnectionPolicySid', prefix: 'NY', before: before.connectionPolicySid, exists: (sid) => trunks.policy(accountSid, sid) !== null }),
    fromDomainSid: sidOf(form, { name: 'FromDomainSid', prefix: 'SD', before: before.fromDomainSid, exists: (sid) => sip.domain(accountSid, sid) !== null }),
    updatedAtMs: clock.wallMs(),
  };
  if (record.voiceFallbackUrl !== null && record.voiceUrl === null) throw new TwilioError(21405, 'VoiceFallbackUrl needs a VoiceUrl');
  return record;
}

function trunkBody(record: ByocTrunkRecord, origin: string): object {
  return {
    account_sid: record.accountSid,
    sid: record.sid,
    friendly_name: record.friendlyName,
    voice_url: record.voiceUrl,
    voice_method: record.voiceMethod,
    voice_fallback_url: record.voiceFallbackUrl,
    voice_fallback_method: record.voiceFallbackMethod,
    status_callback_url: record.statusCallback,
    status_callback_method: record.statusCallbackMethod,
    cnam_lookup_enabled: record.cnamLookupEnabled,
    connection_policy_sid: record.connectionPolicySid,
    from_domain_sid: record.fromDomainSid,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: isoSeconds(record.updatedAtMs),
    url: `${origin}${PATH}/${record.sid}`,
  };
}
