import type { ApiDeps } from '../deps.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound, notYet } from '../errors.ts';
import { metaAnswer, pageRequest } from '../paging.ts';
import { roomOf } from './rooms.ts';

/** Transcriptions of a room: there are none, and none can be begun. */
export function addTranscriptions(endpoints: Endpoints, deps: Pick<ApiDeps, 'rooms' | 'roomRepository'>): void {
  endpoints.add('/v1/Rooms/:room/Transcriptions', {
    GET: async (request) => {
      await roomOf(request, deps);
      pageRequest(request.query);
      return metaAnswer(request, { key: 'transcriptions', page: { items: [], nextToken: null, previousToken: null }, render: (item) => item });
    },
    POST: async (request) => {
      await roomOf(request, deps);
      throw notYet('Transcriptions');
    },
  });
  endpoints.add('/v1/Rooms/:room/Transcriptions/:ttid', { GET: (request) => absent(request, deps) });
}

async function absent(request: ApiRequest, deps: Pick<ApiDeps, 'rooms' | 'roomRepository'>): Promise<never> {
  await roomOf(request, deps);
  throw notFound(request.path);
}
