import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid } from '../../base/sid.ts';
import type { ApplicationRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { Form } from '../form.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { accountPath, API_VERSION, friendlyName } from './resource.ts';
import { NO_VOICE_URLS, changedKept, changedUrls, checkApiVersion } from './voice-url-parameters.ts';

type Deps = Pick<ApiDeps, 'directory' | 'clock'>;

const MAX_APPLICATIONS = 1000;
const PATH = '/2010-04-01/Accounts/:accountSid/Applications';

/** Applications (contract §6): voice URLs that numbers and calls point at by their SID. */
export function addApplications(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(PATH, { GET: (request) => list(request, deps), POST: (request) => create(request, deps) });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: applicationBody(applicationOf(request, deps)) }),
    POST: async (request) => {
      const record = changed(applicationOf(request, deps), request.form, deps.clock.wallMs());
      await deps.directory.saveApplication(record);
      return { status: 200, body: applicationBody(record) };
    },
    DELETE: (request) => remove(request, deps),
  });
}

function applicationOf({ account, path, part }: ApiRequest, { directory }: Deps): ApplicationRecord {
  const sid = parseSid('AP', part('sid'));
  const record = sid && directory.application(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

async function create({ account, form }: ApiRequest, { directory, clock }: Deps): Promise<Answer> {
  if (directory.applications(account.sid).length >= MAX_APPLICATIONS) throw new TwilioError(21301, `An account has at most ${MAX_APPLICATIONS} applications`);
  const nowMs = clock.wallMs();
  const blank: ApplicationRecord = {
    sid: newSid('AP'),
    accountSid: account.sid,
    friendlyName: '',
    ...NO_VOICE_URLS,
    voiceCallerIdLookup: false,
    publicApplicationConnectEnabled: false,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const record = changed(blank, form, nowMs);
  await directory.saveApplication(record);
  return { status: 201, body: applicationBody(record) };
}

/** Throws 21402, 21403, 21405, 21406, 20002, 20001. */
function changed(before: ApplicationRecord, form: Form, nowMs: number): ApplicationRecord {
  checkApiVersion(form);
  return {
    ...before,
    ...changedUrls(before, form),
    friendlyName: friendlyName(form) ?? before.friendlyName,
    voiceCallerIdLookup: form.boolean('VoiceCallerIdLookup') ?? before.voiceCallerIdLookup,
    publicApplicationConnectEnabled: form.boolean('PublicApplicationConnectEnabled') ?? before.publicApplicationConnectEnabled,
    kept: changedKept(before.kept, form),
    updatedAtMs: nowMs,
  };
}

/** Numbers that pointed at it go back to their own URLs. */
async function remove(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { directory, clock } = deps;
  const { sid } = applicationOf(request, deps);
  for (const number of directory.numbers(request.account.sid)) {
    if (number.voiceApplicationSid === sid) await directory.saveNumber({ ...number, voiceApplicationSid: null, updatedAtMs: clock.wallMs() });
  }
  await directory.deleteApplication(sid);
  return { status: 204 };
}

function list(request: ApiRequest, { directory }: Deps): Answer {
  const name = request.query.filled('FriendlyName');
  const found = directory.applications(request.account.sid).filter((record) => name === undefined || record.friendlyName === name);
  return listAnswer(request, { key: 'applications', page: pageOf(found, pageRequest(request.query)), render: applicationBody });
}

function applicationBody(record: ApplicationRecord): object {
  const { kept } = record;
  return {
    account_sid: record.accountSid,
    api_version: API_VERSION,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    friendly_name: record.friendlyName,
    message_status_callback: kept?.messageStatusCallback ?? null,
    sid: record.sid,
    sms_fallback_method: kept?.smsFallbackMethod ?? 'POST',
    sms_fallback_url: kept?.smsFallbackUrl ?? null,
    sms_method: kept?.smsMethod ?? 'POST',
    sms_status_callback: kept?.smsStatusCallback ?? null,
    sms_url: kept?.smsUrl ?? null,
    status_callback: record.statusCallback,
    status_callback_method: record.statusCallbackMethod,
    uri: `${accountPath(record.accountSid)}/Applications/${record.sid}.json`,
    voice_caller_id_lookup: record.voiceCallerIdLookup,
    voice_fallback_method: record.voiceFallbackMethod,
    voice_fallback_url: record.voiceFallbackUrl,
    voice_method: record.voiceMethod,
    voice_url: record.voiceUrl,
    public_application_connect_enabled: record.publicApplicationConnectEnabled,
  };
}
