import type { ApiDeps } from '../deps.ts';
import { notFound, notYet } from '../errors.ts';
import type { ApiRequest, Endpoints, Handler } from '../endpoint.ts';
import { pageRequest, metaAnswer } from '../paging.ts';
import { EXCLUDE_ALL, INCLUDE_ALL } from '../../rooms/track-rules.ts';
import { roomOf } from './rooms.ts';

/** What hangs on recording: nothing is recorded yet, so lists are empty, rules are the defaults, and changes are refused. */
export function addRecordings(endpoints: Endpoints, deps: ApiDeps): void {
  const none = (key: string): Handler => async (request) => {
    if (request.path.startsWith('/v1/Rooms/')) await roomOf(request, deps);
    pageRequest(request.query);
    return metaAnswer(request, { key, page: { items: [], nextToken: null, previousToken: null }, render: (item) => item });
  };
  const absent = async (request: ApiRequest): Promise<never> => {
    await roomOf(request, deps);
    throw notFound(request.path);
  };
  endpoints.add('/v1/Rooms/:room/RecordingRules', {
    GET: async (request) => {
      const room = await roomOf(request, deps);
      return { status: 200, body: { room_sid: room.sid, rules: [room.recordParticipantsOnConnect ? INCLUDE_ALL : EXCLUDE_ALL], date_created: null, date_updated: null } };
    },
    POST: () => { throw notYet('RecordingRules'); },
  });
  endpoints.add('/v1/Rooms/:room/Recordings', { GET: none('recordings') });
  endpoints.add('/v1/Rooms/:room/Recordings/:sid', { GET: absent });
  endpoints.add('/v1/Rooms/:room/Transcriptions', { GET: none('transcriptions'), POST: () => { throw notYet('Transcriptions'); } });
  endpoints.add('/v1/Rooms/:room/Transcriptions/:ttid', { GET: absent });
  endpoints.add('/v1/Recordings', { GET: none('recordings') });
}
