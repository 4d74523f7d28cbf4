import { stat } from 'node:fs/promises';
import { parseSid } from '../../base/sid.ts';
import { roomRecordingSeconds } from '../../recording/contract.ts';
import type { RoomRecordingFilter, RoomRecordingRecord, RoomRecordingStatus } from '../../recording/model.ts';
import type { ApiDeps } from '../deps.ts';
import { isoSeconds } from '../dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { FileAnswer } from '../file-answer.ts';
import { given } from '../form.ts';
import { addLinkedMedia, mediaLink } from '../media-links.ts';
import { metaAnswer, pageRequest } from '../paging.ts';
import { createdBetween, roomOf } from './rooms.ts';

const STATUSES: readonly RoomRecordingStatus[] = ['processing', 'completed', 'deleted', 'failed'];
const TYPES = ['audio', 'video', 'data'] as const;
const MAX_PAGE_SIZE = 100;
const CONTENT_TYPES = { mka: 'audio/x-matroska', mkv: 'video/x-matroska' };

type Deps = Pick<ApiDeps, 'rooms' | 'roomRepository' | 'roomRecordings' | 'clock'>;
type Find = (request: ApiRequest) => Promise<RoomRecordingRecord>;

/** Recordings of rooms, of an account and of one room (contract §7.7), and their media. */
export function addRecordings(endpoints: Endpoints, deps: Deps): void {
  const { repository } = deps.roomRecordings;
  endpoints.add('/v1/Recordings', {
    GET: async (request) => {
      const page = await repository.listRecordings(accountFilter(request), pageRequest(request.query, MAX_PAGE_SIZE));
      return metaAnswer(request, { key: 'recordings', page, render: (record) => accountBody(record, request.origin) });
    },
  });
  addInstance(endpoints, deps, { path: '/v1/Recordings/:sid', find: (request) => recordingOf(request, deps), body: accountBody });
  endpoints.add('/v1/Rooms/:room/Recordings', {
    GET: async (request) => {
      const { sid: roomSid } = await roomOf(request, deps);
      const page = await repository.listRecordings({ ...roomFilter(request), roomSid }, pageRequest(request.query));
      return metaAnswer(request, { key: 'recordings', page, render: (record) => roomBody(record, request.origin) });
    },
  });
  addInstance(endpoints, deps, { path: '/v1/Rooms/:room/Recordings/:sid', find: (request) => recordingOfRoom(request, deps), body: roomBody });
  addLinkedMedia(endpoints, { family: 'Recordings', clock: deps.clock, file: async (request) => fileOf(await recordingOf(request, deps), deps) });
}

/** One recording and its media, by either of its paths. */
function addInstance(endpoints: Endpoints, deps: Deps, { path, find, body }: { path: string; find: Find; body: (record: Readonly<RoomRecordingRecord>, origin: string) => object }): void {
  endpoints.add(path, {
    GET: async (request) => ({ status: 200, body: body(await find(request), request.origin) }),
    DELETE: async (request) => {
      await deps.roomRecordings.recordings.remove(await find(request));
      return { status: 204 };
    },
  });
  endpoints.add(`${path}/Media`, { GET: async (request) => mediaOf(request, await find(request), deps) });
}

/** 404 while it is being recorded, and when its file is gone. */
async function mediaOf(request: ApiRequest, record: Readonly<RoomRecordingRecord>, deps: Deps): Promise<Answer> {
  if (!(await fileOf(record, deps))) throw notFound(request.path);
  return mediaLink(request, { family: 'Recordings', sid: record.sid, clock: deps.clock });
}

async function fileOf(record: Readonly<RoomRecordingRecord>, { roomRecordings }: Pick<Deps, 'roomRecordings'>): Promise<FileAnswer | null> {
  const path = roomRecordings.recordings.pathOf(record);
  const file = record.status === 'completed' ? await stat(path).catch(() => null) : null;
  return file && { path, bytes: file.size, contentType: CONTENT_TYPES[record.container], fileName: `${record.sid}.${record.container}` };
}

/** Throws 404/20404. */
async function recordingOf(request: ApiRequest, { roomRecordings }: Pick<Deps, 'roomRecordings'>): Promise<RoomRecordingRecord> {
  const sid = parseSid('RT', request.part('sid'));
  const record = sid && (await roomRecordings.repository.findRecording(request.account.sid, sid));
  if (!record) throw notFound(request.path);
  return record;
}

async function recordingOfRoom(request: ApiRequest, deps: Deps): Promise<RoomRecordingRecord> {
  const room = await roomOf(request, deps);
  const record = await recordingOf(request, deps);
  if (record.roomSid !== room.sid) throw notFound(request.path);
  return record;
}

function roomFilter({ account, query }: ApiRequest): RoomRecordingFilter {
  return given<RoomRecordingFilter>({ accountSid: account.sid, status: query.oneOf('Status', STATUSES), sourceSid: normalSid(query.filled('SourceSid')), ...createdBetween(query) });
}

function accountFilter(request: ApiRequest): RoomRecordingFilter {
  const { query } = request;
  return given<RoomRecordingFilter>({ ...roomFilter(request), type: query.oneOf('MediaType', TYPES), groupingSids: query.all('GroupingSid')?.map((sid) => normalSid(sid) ?? sid) });
}

function normalSid(text: string | undefined): string | undefined {
  return text === undefined ? undefined : text.slice(0, 2) + text.slice(2).toLowerCase();
}

function commonBody(record: Readonly<RoomRecordingRecord>, url: string): object {
  return {
    account_sid: record.accountSid,
    status: record.status,
    date_created: isoSeconds(record.createdAtMs),
    sid: record.sid,
    source_sid: record.trackSid,
    size: record.bytes ?? 0,
    type: record.type,
    duration: roomRecordingSeconds(record) ?? 0,
    container_format: record.container,
    codec: record.codec,
    track_name: record.trackName,
    offset: record.offsetMs,
    media_external_location: null,
    grouping_sids: { room_sid: record.roomSid, participant_sid: record.participantSid },
    url,
    links: { media: `${url}/Media` },
  };
}

function accountBody(record: Readonly<RoomRecordingRecord>, origin: string): object {
  return { ...commonBody(record, `${origin}/v1/Recordings/${record.sid}`), status_callback: record.statusCallback, status_callback_method: record.statusCallbackMethod };
}

function roomBody(record: Readonly<RoomRecordingRecord>, origin: string): object {
  return { ...commonBody(record, `${origin}/v1/Rooms/${record.roomSid}/Recordings/${record.sid}`), room_sid: record.roomSid };
}
