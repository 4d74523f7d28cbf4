import { TwilioError } from '../../base/errors.ts';
import { parseSid } from '../../base/sid.ts';
import type { ParticipantFilter, ParticipantRecord, ParticipantStatus, RoomRecord } from '../../rooms/model.ts';
import { INCLUDE_ALL, readTrackRules } from '../../rooms/track-rules.ts';
import type { ApiDeps } from '../deps.ts';
import { dateOrNull, isoSeconds, secondsBetween } from '../dates.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given } from '../form.ts';
import { metaAnswer, pageRequest } from '../paging.ts';
import { mutePhone } from './phone-mute.ts';
import { createdBetween, roomOf } from './rooms.ts';

const STATUSES: readonly ParticipantStatus[] = ['connected', 'reconnecting', 'disconnected'];

type Deps = Pick<ApiDeps, 'rooms' | 'roomRepository'>;

/** Participants of a room, phones and browsers alike (contract §7.3). */
export function addParticipants(endpoints: Endpoints, deps: Deps): void {
  const { rooms, roomRepository } = deps;
  endpoints.add('/v1/Rooms/:room/Participants', {
    GET: async (request) => {
      const page = await roomRepository.listParticipants(filterOf(request, await roomOf(request, deps)), pageRequest(request.query));
      return metaAnswer(request, { key: 'participants', page, render: (record) => participantBody(record, request.origin) });
    },
  });
  endpoints.add('/v1/Rooms/:room/Participants/:participant', {
    GET: async (request) => ({ status: 200, body: participantBody(await participantOf(request, deps), request.origin) }),
    POST: async (request) => {
      const before = await participantOf(request, deps);
      const live = rooms.find(request.account.sid, before.roomSid)?.participants.get(before.sid);
      const muted = request.form.boolean('Muted');
      const status = request.form.text('Status');
      if (status !== 'disconnected' && (status !== undefined || muted === undefined)) throw new TwilioError(53209, 'Status must be disconnected');
      if (muted !== undefined) mutePhone(live, muted);
      if (status !== undefined) live?.disconnect('participant-removed');
      return { status: 202, body: participantBody(live?.record ?? before, request.origin) };
    },
  });
  endpoints.add(`${PARTICIPANT}/SubscribeRules`, {
    GET: async (request) => ({ status: 200, body: rulesBody(await participantOf(request, deps)) }),
    POST: async (request) => {
      const { sid, roomSid } = await participantOf(request, deps);
      const rules = readTrackRules(request.form.text('Rules'), SUBSCRIBE_LIMITS);
      const live = rooms.find(request.account.sid, roomSid)?.participants.get(sid);
      if (!live) throw new TwilioError(53204, 'The participant has left: its rules can no longer change');
      live.setSubscribeRules(rules, { byRest: true });
      return { status: 200, body: rulesBody(live.record) };
    },
  });
  endpoints.add(`${PARTICIPANT}/Anonymize`, {
    POST: async (request) => {
      const before = await participantOf(request, deps);
      const live = rooms.find(request.account.sid, before.roomSid)?.participants.get(before.sid);
      live?.anonymize();
      const record = live?.record ?? { ...before, identity: before.sid, call: null };
      if (!live) roomRepository.saveParticipant(record);
      return { status: 200, body: participantBody(record, request.origin) };
    },
  });
}

const PARTICIPANT = '/v1/Rooms/:room/Participants/:participant';
const SUBSCRIBE_LIMITS = { code: 53215, kinds: ['audio', 'video', 'data'] as const };

function rulesBody({ sid, roomSid, subscribeRules }: Readonly<ParticipantRecord>): object {
  const { rules, createdAtMs, updatedAtMs } = subscribeRules ?? { rules: [INCLUDE_ALL], createdAtMs: null, updatedAtMs: null };
  return { participant_sid: sid, room_sid: roomSid, rules, date_created: dateOrNull(isoSeconds, createdAtMs), date_updated: dateOrNull(isoSeconds, updatedAtMs) };
}

/** The participant that a path names: by SID at any time, by identity while connected. Throws 404/20404. */
export async function participantOf(request: ApiRequest, deps: Deps): Promise<Readonly<ParticipantRecord>> {
  const room = await roomOf(request, deps);
  const identityOrSid = request.part('participant');
  const live = deps.rooms.find(request.account.sid, room.sid);
  const sid = parseSid('PA', identityOrSid);
  const connected = (sid && live?.participants.get(sid)) ?? live?.participantByIdentity(identityOrSid);
  if (connected) return connected.record;
  const record = sid && (await deps.roomRepository.findParticipant(room.sid, sid));
  if (!record) throw notFound(request.path);
  return record;
}

/** Rooms in progress show who is connected, completed ones who was there. */
function filterOf({ query }: ApiRequest, room: Readonly<RoomRecord>): ParticipantFilter {
  const usual = room.status === 'in-progress' ? 'connected' : 'disconnected';
  return given<ParticipantFilter>({ roomSid: room.sid, status: query.oneOf('Status', STATUSES) ?? usual, identity: query.filled('Identity'), ...createdBetween(query) });
}

function participantBody(record: Readonly<ParticipantRecord>, origin: string): object {
  const url = `${origin}/v1/Rooms/${record.roomSid}/Participants/${record.sid}`;
  return {
    sid: record.sid,
    room_sid: record.roomSid,
    account_sid: record.accountSid,
    status: record.status,
    identity: record.identity,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: isoSeconds(record.updatedAtMs),
    start_time: isoSeconds(record.startedAtMs),
    end_time: dateOrNull(isoSeconds, record.endedAtMs),
    duration: record.endedAtMs === null ? null : secondsBetween(record.startedAtMs, record.endedAtMs),
    ...callMembers(record),
    url,
    links: { published_tracks: `${url}/PublishedTracks`, subscribed_tracks: `${url}/SubscribedTracks`, subscribe_rules: `${url}/SubscribeRules`, anonymize: `${url}/Anonymize` },
  };
}

/** Not Twilio's: where the server is set to tell of phones. Official clients leave out what they do not know. */
function callMembers({ call }: Readonly<ParticipantRecord>): object {
  if (!call) return {};
  const numbers = call.from === null ? {} : { from: call.from, to: call.to };
  return { call_sid: call.sid, ...numbers };
}
