import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { parseSid } from '../../base/sid.ts';
import type { Conference } from '../../voice/conference/conference.ts';
import type { ConferenceFilter, ConferenceRecord, ConferenceStatus } from '../../voice/conference/model.ts';
import type { ApiDeps } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given, type Form } from '../form.ts';
import { listAnswer, pageRequest } from '../paging.ts';
import { dateRange } from './calls.ts';
import { addRecordingsOf } from './recordings.ts';
import { accountPath, API_VERSION } from './resource.ts';
import { method, url } from './voice-url-parameters.ts';

const PATH = '/2010-04-01/Accounts/:accountSid/Conferences';
const STATUSES: readonly ConferenceStatus[] = ['init', 'in-progress', 'completed'];

type Deps = Pick<ApiDeps, 'gatherings' | 'conferenceRepository'>;

/** Conferences, live ones and those that are over, and their recordings. */
export function addConferences(endpoints: Endpoints, deps: Deps & Pick<ApiDeps, 'voiceRecordings'>): void {
  endpoints.add(PATH, {
    GET: async (request) => {
      const page = await deps.conferenceRepository.listConferences(filterOf(request), pageRequest(request.query));
      return listAnswer(request, { key: 'conferences', page, render: conferenceBody });
    },
  });
  endpoints.add(`${PATH}/:conferenceSid`, {
    GET: async (request) => ({ status: 200, body: conferenceBody(await recordOf(request, deps)) }),
    POST: (request) => update(request, deps),
  });
  addRecordingsOf(endpoints, { path: `${PATH}/:conferenceSid`, owner: async (request) => ({ conferenceSid: (await recordOf(request, deps)).sid }) }, deps.voiceRecordings);
}

/** The live conference that a path names. Throws 404/20404. */
export function liveConference({ account, path, part }: ApiRequest, { gatherings }: Pick<ApiDeps, 'gatherings'>): Conference {
  const sid = parseSid('CF', part('conferenceSid'));
  const conference = sid && gatherings.conferences.live(account.sid, sid);
  if (!conference) throw notFound(path);
  return conference;
}

async function recordOf({ account, path, part }: ApiRequest, { conferenceRepository }: Deps): Promise<ConferenceRecord> {
  const sid = parseSid('CF', part('conferenceSid'));
  const record = sid && (await conferenceRepository.findConference(account.sid, sid));
  if (!record) throw notFound(path);
  return record;
}

/** Status=completed ends it; AnnounceUrl is heard by all. Throws 20001 for an announcement that nobody can hear. */
async function update(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { form, account } = request;
  const record = await recordOf(request, deps);
  const status = form.oneOf('Status', ['completed']);
  const announcement = announcementOf(form);
  const live = deps.gatherings.conferences.live(account.sid, record.sid);
  if (announcement && live?.record.status !== 'in-progress') throw new TwilioError(20001, 'AnnounceUrl needs a conference in progress');
  if (announcement) void live?.announce(announcement);
  if (status) live?.end('conference-ended-via-api');
  return { status: 200, body: conferenceBody(live?.record ?? record) };
}

/** Throws 21205 (URL), 21403 (method). */
export function announcementOf(form: Form): { url: string; method: 'GET' | 'POST' } | null {
  const announceUrl = url(form, 'AnnounceUrl', null, 21205);
  const announceMethod = method(form, 'AnnounceMethod', 'POST');
  return announceUrl === null ? null : { url: announceUrl, method: announceMethod };
}

function filterOf({ account, query }: ApiRequest): ConferenceFilter {
  const [createdAfterMs, createdBeforeMs] = dateRange(query, 'DateCreated');
  const [updatedAfterMs, updatedBeforeMs] = dateRange(query, 'DateUpdated');
  return given<ConferenceFilter>({ accountSid: account.sid, friendlyName: query.filled('FriendlyName'), status: query.oneOf('Status', STATUSES), createdAfterMs, createdBeforeMs, updatedAfterMs, updatedBeforeMs });
}

export function conferencePath({ accountSid, sid }: Pick<ConferenceRecord, 'accountSid' | 'sid'>): string {
  return `${accountPath(accountSid)}/Conferences/${sid}`;
}

function conferenceBody(record: ConferenceRecord): object {
  const path = conferencePath(record);
  return {
    account_sid: record.accountSid,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    api_version: API_VERSION,
    friendly_name: record.friendlyName,
    region: record.region,
    sid: record.sid,
    status: record.status,
    uri: `${path}.json`,
    subresource_uris: { participants: `${path}/Participants.json`, recordings: `${path}/Recordings.json` },
    reason_conference_ended: record.reasonEnded,
    call_sid_ending_conference: record.callSidEnding,
  };
}
