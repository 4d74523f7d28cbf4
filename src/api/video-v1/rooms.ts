import { TwilioError } from '../../base/errors.ts';
import { parseSid } from '../../base/sid.ts';
import type { CreateRoomOptions } from '../../rooms/contract.ts';
import type { RoomFilter, RoomRecord, RoomStatus } from '../../rooms/model.ts';
import type { ApiDeps } from '../deps.ts';
import { readConfiguration } from '../../recording/transcription/configuration.ts';
import { dateOrNull, filterDate, isoSeconds, secondsBetween } from '../dates.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given, type Form } from '../form.ts';
import { metaAnswer, pageRequest } from '../paging.ts';

const STATUSES: readonly RoomStatus[] = ['in-progress', 'completed', 'failed'];

type Deps = Pick<ApiDeps, 'rooms' | 'roomRepository'>;

/** Rooms (contract §7.1). */
export function addRooms(endpoints: Endpoints, deps: Deps): void {
  const { rooms, roomRepository } = deps;
  endpoints.add('/v1/Rooms', {
    GET: async (request) => {
      const page = await roomRepository.listRooms(filterOf(request), pageRequest(request.query));
      return metaAnswer(request, { key: 'rooms', page, render: (record) => roomBody(record, request.origin) });
    },
    POST: async ({ account, form, origin }) => {
      const room = await rooms.create(account.sid, createOptions(form));
      return { status: 201, body: roomBody(room.record, origin) };
    },
  });
  endpoints.add('/v1/Rooms/:room', {
    GET: async (request) => ({ status: 200, body: roomBody(await roomOf(request, deps), request.origin) }),
    POST: async (request) => {
      const { sid } = await roomOf(request, deps);
      if (request.form.text('Status') !== 'completed') throw new TwilioError(53112, 'Status must be completed');
      const room = rooms.find(request.account.sid, sid);
      if (!room) throw new TwilioError(53112, 'The room is not in progress');
      room.end('completed-by-api');
      return { status: 202, body: roomBody(room.record, request.origin) };
    },
  });
}

/** The room that a path names: by SID at any time, by name while in progress. Throws 404/20404. */
export async function roomOf(request: ApiRequest, { rooms, roomRepository }: Deps): Promise<Readonly<RoomRecord>> {
  const nameOrSid = request.part('room');
  const live = rooms.find(request.account.sid, nameOrSid);
  if (live) return live.record;
  const sid = parseSid('RM', nameOrSid);
  const record = sid && (await roomRepository.findRoom(request.account.sid, sid));
  if (!record) throw notFound(request.path);
  return record;
}

function roomBody(record: Readonly<RoomRecord>, origin: string): object {
  const url = `${origin}/v1/Rooms/${record.sid}`;
  return {
    sid: record.sid,
    status: record.status,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: isoSeconds(record.updatedAtMs),
    account_sid: record.accountSid,
    enable_turn: true,
    unique_name: record.uniqueName,
    status_callback: record.statusCallback,
    status_callback_method: record.statusCallbackMethod,
    end_time: dateOrNull(isoSeconds, record.endedAtMs),
    duration: record.endedAtMs === null ? null : secondsBetween(record.createdAtMs, record.endedAtMs),
    type: record.type,
    max_participants: record.maxParticipants,
    max_participant_duration: record.maxParticipantDurationS,
    max_concurrent_published_tracks: null,
    record_participants_on_connect: record.recordParticipantsOnConnect,
    video_codecs: record.videoCodecs,
    media_region: record.mediaRegion,
    audio_only: record.audioOnly,
    empty_room_timeout: record.emptyRoomTimeoutMin,
    unused_room_timeout: record.unusedRoomTimeoutMin,
    large_room: record.largeRoom,
    url,
    links: { participants: `${url}/Participants`, recordings: `${url}/Recordings`, recording_rules: `${url}/RecordingRules`, transcriptions: `${url}/Transcriptions` },
  };
}

function filterOf({ account, query }: ApiRequest): RoomFilter {
  return given<RoomFilter>({ accountSid: account.sid, status: query.oneOf('Status', STATUSES) ?? 'in-progress', uniqueName: query.filled('UniqueName'), ...createdBetween(query) });
}

/** DateCreatedAfter and DateCreatedBefore, both inclusive. */
export function createdBetween(query: Form): { createdAfterMs?: number; createdBeforeMs?: number } {
  const at = (name: string): number | undefined => {
    const text = query.filled(name);
    return text === undefined ? undefined : filterDate(name, text).startMs;
  };
  return given<{ createdAfterMs?: number; createdBeforeMs?: number }>({ createdAfterMs: at('DateCreatedAfter'), createdBeforeMs: at('DateCreatedBefore') });
}

function createOptions(form: Form): CreateRoomOptions {
  const configuration = readConfiguration(form.filled('TranscriptionsConfiguration'));
  return given<CreateRoomOptions>({
    uniqueName: form.filled('UniqueName'),
    type: form.filled('Type'),
    statusCallback: form.filled('StatusCallback'),
    statusCallbackMethod: form.filled('StatusCallbackMethod'),
    maxParticipants: form.number('MaxParticipants'),
    recordParticipantsOnConnect: form.boolean('RecordParticipantsOnConnect'),
    videoCodecs: form.all('VideoCodecs'),
    mediaRegion: form.filled('MediaRegion'),
    emptyRoomTimeout: form.number('EmptyRoomTimeout'),
    unusedRoomTimeout: form.number('UnusedRoomTimeout'),
    maxParticipantDuration: form.number('MaxParticipantDuration'),
    audioOnly: form.boolean('AudioOnly'),
    largeRoom: form.boolean('LargeRoom'),
    recordingRules: form.filled('RecordingRules'),
    transcribeOnConnect: form.boolean('TranscribeParticipantsOnConnect') === true ? configuration : undefined,
  });
}
