import { TwilioError } from '../../base/errors.ts';
import { readConfiguration } from '../../recording/transcription/configuration.ts';
import type { TranscriptionsRecord } from '../../recording/transcription/model.ts';
import type { Room } from '../../rooms/contract.ts';
import type { RoomRecord } from '../../rooms/model.ts';
import { dateOrNull, isoSeconds } from '../dates.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { metaAnswer, pageRequest } from '../paging.ts';
import { roomOf } from './rooms.ts';

type Deps = Pick<ApiDeps, 'rooms' | 'roomRepository' | 'transcriptions'>;

/** Whether what is said in a room is written down and told to its browsers (contract §7.8). */
export function addTranscriptions(endpoints: Endpoints, deps: Deps): void {
  const { service, repository } = deps.transcriptions;
  endpoints.add('/v1/Rooms/:room/Transcriptions', {
    GET: async (request) => {
      const { sid } = await roomOf(request, deps);
      const page = await repository.listTranscriptions(sid, pageRequest(request.query));
      return metaAnswer(request, { key: 'transcriptions', page, render: (record) => bodyOf(request, record) });
    },
    POST: async (request) => {
      const room = liveRoom(request, await roomOf(request, deps), deps);
      return { status: 202, body: bodyOf(request, await service.start(room, readConfiguration(request.form.text('Configuration')))) };
    },
  });
  endpoints.add('/v1/Rooms/:room/Transcriptions/:ttid', {
    GET: async (request) => ({ status: 200, body: bodyOf(request, await recordOf(request, deps)) }),
    POST: async (request) => {
      const record = await recordOf(request, deps);
      const status = request.form.text('Status');
      if (status !== 'started' && status !== 'stopped') throw new TwilioError(20001, 'Status is started or stopped');
      if (status === 'stopped' && record.status !== 'started') return { status: 202, body: bodyOf(request, record) };
      const room = liveRoom(request, await roomOf(request, deps), deps);
      return { status: 202, body: bodyOf(request, await service.setStatus(room, record, status)) };
    },
  });
}

function liveRoom(request: ApiRequest, { sid }: Pick<RoomRecord, 'sid'>, deps: Deps): Room {
  const room = deps.rooms.find(request.account.sid, sid);
  if (!room) throw new TwilioError(53118, 'The room is completed: nothing is said there any more');
  return room;
}

async function recordOf(request: ApiRequest, deps: Deps): Promise<TranscriptionsRecord> {
  const { sid } = await roomOf(request, deps);
  const record = await deps.transcriptions.repository.findTranscriptions(sid, request.part('ttid'));
  if (!record) throw notFound(request.path);
  return record;
}

function bodyOf(request: ApiRequest, record: TranscriptionsRecord): object {
  const { ttid, accountSid, roomSid, status, configuration, createdAtMs, updatedAtMs, startedAtMs, endedAtMs } = record;
  return {
    ttid,
    account_sid: accountSid,
    room_sid: roomSid,
    status,
    date_created: isoSeconds(createdAtMs),
    date_updated: isoSeconds(updatedAtMs),
    start_time: isoSeconds(startedAtMs),
    end_time: dateOrNull(isoSeconds, endedAtMs),
    duration: endedAtMs === null ? null : Math.round((endedAtMs - startedAtMs) / 1000),
    configuration,
    url: `${request.origin}/v1/Rooms/${roomSid}/Transcriptions/${ttid}`,
  };
}
