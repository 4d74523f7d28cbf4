import { TwilioError } from '../../base/errors.ts';
import { parseSid, type CompositionSid } from '../../base/sid.ts';
import type { RoomRecord } from '../../rooms/model.ts';
import type { CompositionParameters } from '../../recording/composition/composition-parameters.ts';
import { compositionSeconds } from '../../recording/composition/contract.ts';
import type { CompositionFilter, CompositionRecord, CompositionSpec, CompositionStatus } from '../../recording/composition/model.ts';
import { layoutBody } from '../../recording/composition/video-layout.ts';
import type { ApiDeps } from '../deps.ts';
import { dateOrNull, isoSeconds } from '../dates.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { FileAnswer } from '../file-answer.ts';
import { given, type Form } from '../form.ts';
import { addLinkedMedia, mediaLink } from '../media-links.ts';
import { metaAnswer, pageRequest } from '../paging.ts';
import { createdBetween } from './rooms.ts';

const STATUSES: readonly CompositionStatus[] = ['enqueued', 'processing', 'completed', 'deleted', 'failed'];
const MAX_PAGE_SIZE = 100;
const CONTENT_TYPES = { mp4: 'video/mp4', webm: 'video/webm' };

/** Compositions (contract §7.8). */
export function addCompositions(endpoints: Endpoints, deps: ApiDeps): void {
  const { compositions, compositionRepository } = deps;
  endpoints.add('/v1/Compositions', {
    GET: async (request) => {
      const page = await compositionRepository.listCompositions(filterOf(request), pageRequest(request.query, MAX_PAGE_SIZE));
      return metaAnswer(request, { key: 'compositions', page, render: (record) => compositionBody(record, request.origin) });
    },
    POST: async (request) => {
      const room = await roomOfForm(request, deps);
      return { status: 201, body: compositionBody(await compositions.create(room, compositionParameters(request.form)), request.origin) };
    },
  });
  endpoints.add('/v1/Compositions/:sid', {
    GET: async (request) => ({ status: 200, body: compositionBody(await compositionOf(request, deps), request.origin) }),
    DELETE: async (request) => {
      await compositions.remove(await compositionOf(request, deps));
      return { status: 204 };
    },
  });
  endpoints.add('/v1/Compositions/:sid/Media', {
    GET: async (request) => {
      const record = await compositionOf(request, deps);
      if (record.status !== 'completed') throw notFound(request.path);
      return mediaLink(request, { family: 'Compositions', sid: record.sid, clock: deps.clock });
    },
  });
  addLinkedMedia(endpoints, { family: 'Compositions', clock: deps.clock, file: async (request) => fileOf(await compositionOf(request, deps), deps) });
}

/** What a composition or a hook is made with. */
export function compositionParameters(form: Form): CompositionParameters {
  return given<CompositionParameters>({
    audioSources: form.all('AudioSources'),
    audioSourcesExcluded: form.all('AudioSourcesExcluded'),
    videoLayout: form.filled('VideoLayout'),
    resolution: form.filled('Resolution'),
    format: form.filled('Format'),
    trim: form.boolean('Trim'),
    statusCallback: form.filled('StatusCallback'),
    statusCallbackMethod: form.filled('StatusCallbackMethod'),
  });
}

/** What both resources show of a specification. */
export function specBody(spec: CompositionSpec): object {
  return {
    audio_sources: spec.audioSources,
    audio_sources_excluded: spec.audioSourcesExcluded,
    video_layout: layoutBody(spec.regions),
    resolution: `${spec.resolution.width}x${spec.resolution.height}`,
    trim: spec.trim,
    format: spec.format,
    status_callback: spec.statusCallback,
    status_callback_method: spec.statusCallbackMethod,
  };
}

/** The room that `RoomSid` names, in progress or over. Throws 20001. */
async function roomOfForm({ account, form }: ApiRequest, { rooms, roomRepository }: Pick<ApiDeps, 'rooms' | 'roomRepository'>): Promise<Readonly<RoomRecord>> {
  const sid = parseSid('RM', form.filled('RoomSid') ?? '');
  const room = sid && (rooms.find(account.sid, sid)?.record ?? (await roomRepository.findRoom(account.sid, sid)));
  if (!room) throw new TwilioError(20001, 'RoomSid is not the SID of a room');
  return room;
}

async function compositionOf(request: ApiRequest, { compositionRepository }: Pick<ApiDeps, 'compositionRepository'>): Promise<CompositionRecord> {
  const sid: CompositionSid | null = parseSid('CJ', request.part('sid'));
  const record = sid && (await compositionRepository.findComposition(request.account.sid, sid));
  if (!record) throw notFound(request.path);
  return record;
}

function fileOf(record: CompositionRecord, { compositions }: Pick<ApiDeps, 'compositions'>): FileAnswer | null {
  if (record.status !== 'completed' || record.bytes === null) return null;
  const { format } = record.spec;
  return { path: compositions.pathOf(record), bytes: record.bytes, contentType: CONTENT_TYPES[format], fileName: `${record.sid}.${format}` };
}

function compositionBody(record: Readonly<CompositionRecord>, origin: string): object {
  const url = `${origin}/v1/Compositions/${record.sid}`;
  return {
    account_sid: record.accountSid,
    status: record.status,
    date_created: isoSeconds(record.createdAtMs),
    date_completed: dateOrNull(isoSeconds, record.completedAtMs),
    date_deleted: dateOrNull(isoSeconds, record.deletedAtMs),
    sid: record.sid,
    room_sid: record.roomSid,
    ...specBody(record.spec),
    bitrate: bitrateKbps(record),
    size: record.bytes ?? 0,
    duration: compositionSeconds(record) ?? 0,
    media_external_location: null,
    url,
    links: { media: `${url}/Media` },
  };
}

function bitrateKbps({ bytes, durationMs }: Pick<CompositionRecord, 'bytes' | 'durationMs'>): number {
  return bytes && durationMs ? Math.round((bytes * 8) / durationMs) : 0;
}

function filterOf({ account, query }: ApiRequest): CompositionFilter {
  const roomSid = query.filled('RoomSid');
  const parsed = roomSid === undefined ? undefined : parseSid('RM', roomSid);
  if (parsed === null) throw new TwilioError(20001, 'RoomSid is not the SID of a room');
  return given<CompositionFilter>({ accountSid: account.sid, status: query.oneOf('Status', STATUSES), roomSid: parsed, ...createdBetween(query) });
}
