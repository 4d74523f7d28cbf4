import { parseSid } from '../../base/sid.ts';
import type { ParticipantRecord, TrackRecord } from '../../rooms/model.ts';
import type { ApiDeps } from '../deps.ts';
import { isoSeconds } from '../dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { metaAnswer, pageOf, pageRequest } from '../paging.ts';
import { participantOf } from './participants.ts';

type Deps = Pick<ApiDeps, 'rooms' | 'roomRepository'>;

const PARTICIPANT = '/v1/Rooms/:room/Participants/:participant';

/** Tracks that a participant publishes and those it receives (contract §7.4). */
export function addTracks(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(`${PARTICIPANT}/PublishedTracks`, { GET: (request) => listPublished(request, deps) });
  endpoints.add(`${PARTICIPANT}/PublishedTracks/:track`, { GET: (request) => fetchPublished(request, deps) });
  endpoints.add(`${PARTICIPANT}/SubscribedTracks`, { GET: (request) => listSubscribed(request, deps) });
  endpoints.add(`${PARTICIPANT}/SubscribedTracks/:track`, { GET: (request) => fetchSubscribed(request, deps) });
}

async function listPublished(request: ApiRequest, deps: Deps): Promise<Answer> {
  const { sid } = await participantOf(request, deps);
  const page = await deps.roomRepository.listTracks(sid, pageRequest(request.query));
  return metaAnswer(request, { key: 'published_tracks', page, render: (record) => publishedBody(record, request.origin) });
}

/** By SID or by name; unpublished tracks are gone. */
async function fetchPublished(request: ApiRequest, deps: Deps): Promise<Answer> {
  const participant = await participantOf(request, deps);
  const wanted = request.part('track');
  const publications = deps.rooms.find(request.account.sid, participant.roomSid)?.participants.get(participant.sid)?.publications;
  const found = [...(publications?.values() ?? [])].find(({ sid, name }) => sid === parseSid('MT', wanted) || name === wanted);
  if (!found) throw notFound(request.path);
  return { status: 200, body: publishedBody(found.record, request.origin) };
}

async function listSubscribed(request: ApiRequest, deps: Deps): Promise<Answer> {
  const participant = await participantOf(request, deps);
  const page = pageOf(subscribedBy(participant, request, deps), pageRequest(request.query));
  return metaAnswer(request, { key: 'subscribed_tracks', page, render: (record) => subscribedBody(record, participant, request.origin) });
}

async function fetchSubscribed(request: ApiRequest, deps: Deps): Promise<Answer> {
  const participant = await participantOf(request, deps);
  const sid = parseSid('MT', request.part('track'));
  const found = subscribedBy(participant, request, deps).find((record) => record.sid === sid);
  if (!found) throw notFound(request.path);
  return { status: 200, body: subscribedBody(found, participant, request.origin) };
}

/** What the others publish and the participant's rules take in; phones receive no pictures. Nothing once the participant has left. */
function subscribedBy(participant: Readonly<ParticipantRecord>, request: ApiRequest, { rooms }: Deps): TrackRecord[] {
  const room = rooms.find(request.account.sid, participant.roomSid);
  const subscriber = room?.participants.get(participant.sid);
  if (!room || !subscriber) return [];
  return [...room.participants.values()]
    .flatMap((publisher) => [...publisher.publications.values()].filter((track) => subscriber.subscribesTo(publisher, track)).map(({ record }) => record))
    .filter(({ kind }) => participant.medium === 'browser' || kind === 'audio');
}

function trackBody(record: Readonly<TrackRecord>): object {
  return {
    sid: record.sid,
    room_sid: record.roomSid,
    name: record.name,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: isoSeconds(record.updatedAtMs),
    enabled: record.enabled,
    kind: record.kind,
  };
}

function publishedBody(record: Readonly<TrackRecord>, origin: string): object {
  return { ...trackBody(record), participant_sid: record.participantSid, url: `${origin}/v1/Rooms/${record.roomSid}/Participants/${record.participantSid}/PublishedTracks/${record.sid}` };
}

function subscribedBody(record: Readonly<TrackRecord>, subscriber: Readonly<ParticipantRecord>, origin: string): object {
  return {
    ...trackBody(record),
    participant_sid: subscriber.sid,
    publisher_sid: record.participantSid,
    url: `${origin}/v1/Rooms/${record.roomSid}/Participants/${subscriber.sid}/SubscribedTracks/${record.sid}`,
  };
}
