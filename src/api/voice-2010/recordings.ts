import { rfc2822 } from '../../base/dates.ts';
import { TwilioError } from '../../base/errors.ts';
import { parseSid, type CallSid } from '../../base/sid.ts';
import type { RecordingFilter, RecordingRecord } from '../../voice/recording/model.ts';
import type { WantedMedia } from '../../voice/recording/recording-media.ts';
import { readRecordingParameters } from '../../voice/recording/recording-parameters.ts';
import { recordingSeconds, type LiveRecording } from '../../voice/recording/recordings.ts';
import type { ApiDeps, VoiceRecordings } from '../deps.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given } from '../form.ts';
import { listAnswer, pageRequest } from '../paging.ts';
import { callOf, dateRange } from './calls.ts';
import { accountPath, API_VERSION, callPath } from './resource.ts';

type Deps = Pick<ApiDeps, 'calls' | 'callRepository'> & VoiceRecordings;

/** Whose recordings a path is about: a call or a conference of the account. */
export type RecordingOwner = { callSid: CallSid } | { conferenceSid: string };

/** Recordings of an account and of a call (contract §5.4), and their sound. */
export function addVoiceRecordings(endpoints: Endpoints, apiDeps: Pick<ApiDeps, 'calls' | 'callRepository' | 'voiceRecordings'>): void {
  const deps: Deps = { ...apiDeps, ...apiDeps.voiceRecordings };
  endpoints.add('/2010-04-01/Accounts/:accountSid/Recordings', { GET: (request) => list(request, deps, accountFilter(request)) });
  endpoints.add(
    '/2010-04-01/Accounts/:accountSid/Recordings/:sid',
    {
      GET: async (request) => (request.path.endsWith('.json') ? { status: 200, body: accountBody(await recordingOf(request, deps), request.origin) } : await media(request, deps)),
      DELETE: async (request) => remove(await recordingOf(request, deps), deps),
    },
    // Twilio gives sound away to whoever knows its address; here only when the owner of the server wants that.
    { open: ({ path, method }) => apiDeps.voiceRecordings.publicRecordings && (method === 'GET' || method === 'HEAD') && !path.endsWith('.json') },
  );
  const owner = async (request: ApiRequest): Promise<RecordingOwner> => ({ callSid: (await callOf(request, deps)).sid });
  addRecordingsOf(endpoints, { path: '/2010-04-01/Accounts/:accountSid/Calls/:callSid', owner, start: (request) => startOfCall(request, deps) }, deps);
}

/** `…/Recordings` below a call or a conference. Without `start` nothing can be begun there. */
export function addRecordingsOf(endpoints: Endpoints, { path, owner, start }: { path: string; owner: (request: ApiRequest) => Promise<RecordingOwner>; start?: (request: ApiRequest) => Promise<Answer> }, deps: Pick<Deps, 'recordings' | 'recordingRepository'>): void {
  endpoints.add(`${path}/Recordings`, {
    GET: async (request) => list(request, deps, given<RecordingFilter>({ accountSid: request.account.sid, ...(await owner(request)), ...createdRange(request) })),
    ...(start ? { POST: start } : {}),
  });
  endpoints.add(`${path}/Recordings/:sid`, {
    GET: async (request) => ({ status: 200, body: ownedBody(await ownedRecording(request, await owner(request), deps)) }),
    POST: async (request) => update(request, await owner(request), deps),
    DELETE: async (request) => remove(await ownedRecording(request, await owner(request), deps), deps),
  });
}

async function startOfCall(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { sid } = await callOf(request, deps);
  const { form } = request;
  const options = readRecordingParameters(
    {
      recordingChannels: form.text('RecordingChannels'),
      recordingTrack: form.text('RecordingTrack'),
      recordingStatusCallback: form.text('RecordingStatusCallback'),
      recordingStatusCallbackMethod: form.text('RecordingStatusCallbackMethod'),
      recordingStatusCallbackEvents: form.all('RecordingStatusCallbackEvent'),
      trim: form.text('Trim'),
    },
    { trimmed: false },
  );
  const live = await deps.callRecordings.start(sid, options);
  return { status: 201, body: ownedBody(live.record) };
}

const CURRENT = 'Twilio.CURRENT';

/** Pause, resume, stop. Throws 21220 for a recording that is over. */
async function update(request: ApiRequest, owner: RecordingOwner, deps: Pick<Deps, 'recordings' | 'recordingRepository'>): Promise<Answer> {
  const status = request.form.oneOf('Status', ['in-progress', 'paused', 'stopped']);
  if (status === undefined) throw new TwilioError(20001, "'Status' is required: in-progress, paused or stopped");
  const pauseBehavior = request.form.oneOf('PauseBehavior', ['skip', 'silence']) ?? 'silence';
  const live = await liveRecording(request, owner, deps);
  if (status === 'paused') await live.pause(pauseBehavior);
  else if (status === 'in-progress') await live.resume();
  // The file is completed after the answer.
  else void live.stop();
  return { status: 200, body: ownedBody(live.record) };
}

async function liveRecording(request: ApiRequest, owner: RecordingOwner, deps: Pick<Deps, 'recordings' | 'recordingRepository'>): Promise<LiveRecording> {
  if (request.part('sid') === CURRENT) {
    const current = deps.recordings.liveOf('callSid' in owner ? owner.callSid : owner.conferenceSid).at(-1);
    if (!current) throw notFound(request.path);
    return current;
  }
  const record = await ownedRecording(request, owner, deps);
  const live = deps.recordings.live(record.sid);
  if (!live) throw new TwilioError(21220, 'The recording is over: its status cannot be changed');
  return live;
}

/** Throws 404/20404. */
async function recordingOf(request: ApiRequest, { recordings, recordingRepository }: Pick<Deps, 'recordings' | 'recordingRepository'>): Promise<RecordingRecord> {
  const sid = parseSid('RE', request.part('sid').replace(/\.(wav|mp3)$/, ''));
  const live = sid && recordings.live(sid);
  if (live && live.record.accountSid === request.account.sid) return live.record;
  const record = sid && (await recordingRepository.findRecording(request.account.sid, sid));
  if (!record) throw notFound(request.path);
  return record;
}

async function ownedRecording(request: ApiRequest, owner: RecordingOwner, deps: Pick<Deps, 'recordings' | 'recordingRepository'>): Promise<RecordingRecord> {
  const record = await recordingOf(request, deps);
  if ('callSid' in owner ? record.callSid !== owner.callSid : record.conferenceSid !== owner.conferenceSid) throw notFound(request.path);
  return record;
}

async function remove(record: RecordingRecord, { recordings }: Pick<Deps, 'recordings'>): Promise<Answer> {
  await recordings.remove(record);
  return { status: 204 };
}

async function list(request: ApiRequest, { recordingRepository }: Pick<Deps, 'recordingRepository'>, filter: RecordingFilter): Promise<Answer> {
  const page = await recordingRepository.listRecordings(filter, pageRequest(request.query));
  const underOwner = !request.path.startsWith(`${accountPath(request.account.sid)}/Recordings`);
  return listAnswer(request, { key: 'recordings', page, render: (record) => (underOwner ? ownedBody(record) : accountBody(record, request.origin)) });
}

function accountFilter(request: ApiRequest): RecordingFilter {
  const { account, query } = request;
  const callSid = query.filled('CallSid');
  return given<RecordingFilter>({ accountSid: account.sid, callSid: callSid as CallSid | undefined, conferenceSid: query.filled('ConferenceSid'), ...createdRange(request) });
}

function createdRange({ query }: ApiRequest): { createdAfterMs: number | undefined; createdBeforeMs: number | undefined } {
  const [createdAfterMs, createdBeforeMs] = dateRange(query, 'DateCreated');
  return { createdAfterMs, createdBeforeMs };
}

async function media(request: ApiRequest, deps: Deps): Promise<Answer> {
  const record = await recordingOf(request, deps);
  const file = await deps.recordingMedia.file(record, wantedMedia(request));
  if (!file) throw notFound(request.path);
  const { path, bytes, contentType, extension } = file;
  return { status: 200, file: { path, bytes, contentType, fileName: `${record.sid}.${extension}` } };
}

function wantedMedia({ path, query }: ApiRequest): WantedMedia {
  const channels = query.oneOf('RequestedChannels', ['1', '2']);
  return { format: path.endsWith('.mp3') ? 'mp3' : 'wav', channels: channels === undefined ? null : channels === '1' ? 1 : 2 };
}

function commonBody(record: Readonly<RecordingRecord>): object {
  const seconds = recordingSeconds(record);
  return {
    account_sid: record.accountSid,
    api_version: API_VERSION,
    call_sid: record.callSid,
    conference_sid: record.conferenceSid,
    date_created: rfc2822(record.createdAtMs),
    date_updated: rfc2822(record.updatedAtMs),
    start_time: rfc2822(record.startedAtMs),
    duration: seconds === null ? null : String(seconds),
    sid: record.sid,
    price: null,
    price_unit: 'USD',
    status: record.status,
    channels: record.channels,
    source: record.source,
    error_code: null,
    encryption_details: null,
  };
}

function accountBody(record: Readonly<RecordingRecord>, origin: string): object {
  const path = `${accountPath(record.accountSid)}/Recordings/${record.sid}`;
  return {
    ...commonBody(record),
    uri: `${path}.json`,
    subresource_uris: { add_on_results: `${path}/AddOnResults.json`, transcriptions: `${path}/Transcriptions.json` },
    media_url: `${origin}${path}`,
  };
}

/** Under its call or conference; only a call's recording has a track. */
function ownedBody(record: Readonly<RecordingRecord>): object {
  const base = commonBody(record);
  if (record.conferenceSid !== null) return { ...base, uri: `${accountPath(record.accountSid)}/Conferences/${record.conferenceSid}/Recordings/${record.sid}.json` };
  return { ...base, uri: `${callPath(record.accountSid, record.callSid ?? '')}/Recordings/${record.sid}.json`, track: record.track };
}
