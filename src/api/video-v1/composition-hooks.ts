import { parseSid } from '../../base/sid.ts';
import type { HookParameters } from '../../recording/composition/contract.ts';
import type { CompositionHookRecord } from '../../recording/composition/model.ts';
import type { ApiDeps } from '../deps.ts';
import { dateOrNull, isoSeconds } from '../dates.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { given, type Form } from '../form.ts';
import { metaAnswer, pageOf, pageRequest } from '../paging.ts';
import { compositionParameters, specBody } from './compositions.ts';
import { createdBetween } from './rooms.ts';

/** Composition hooks (contract §7.8). An update replaces everything. */
export function addCompositionHooks(endpoints: Endpoints, { compositionHooks, compositionRepository }: ApiDeps): void {
  const hookOf = (request: ApiRequest): CompositionHookRecord => {
    const sid = parseSid('HK', request.part('sid'));
    const record = sid && compositionRepository.hook(request.account.sid, sid);
    if (!record) throw notFound(request.path);
    return record;
  };
  endpoints.add('/v1/CompositionHooks', {
    GET: (request) => {
      const hooks = compositionRepository.hooks(request.account.sid).filter(wantedBy(request.query));
      return metaAnswer(request, { key: 'composition_hooks', page: pageOf(hooks, pageRequest(request.query)), render: (record) => hookBody(record, request.origin) });
    },
    POST: async ({ account, form, origin }) => ({ status: 201, body: hookBody(await compositionHooks.create(account.sid, hookParameters(form)), origin) }),
  });
  endpoints.add('/v1/CompositionHooks/:sid', {
    GET: (request) => ({ status: 200, body: hookBody(hookOf(request), request.origin) }),
    POST: async (request) => {
      const record = await compositionHooks.update(request.account.sid, hookOf(request).sid, hookParameters(request.form));
      if (!record) throw notFound(request.path);
      return { status: 200, body: hookBody(record, request.origin) };
    },
    DELETE: async (request) => {
      await compositionRepository.deleteHook(hookOf(request).sid);
      return { status: 204 };
    },
  });
}

function hookParameters(form: Form): HookParameters {
  return given<HookParameters>({ ...compositionParameters(form), friendlyName: form.filled('FriendlyName'), enabled: form.boolean('Enabled') });
}

function wantedBy(query: Form): (record: CompositionHookRecord) => boolean {
  const enabled = query.boolean('Enabled');
  const friendlyName = query.filled('FriendlyName');
  const { createdAfterMs = 0, createdBeforeMs = Number.POSITIVE_INFINITY } = createdBetween(query);
  return (record) =>
    (enabled === undefined || record.enabled === enabled) &&
    (friendlyName === undefined || record.friendlyName === friendlyName) &&
    record.createdAtMs >= createdAfterMs &&
    record.createdAtMs <= createdBeforeMs;
}

function hookBody(record: CompositionHookRecord, origin: string): object {
  return {
    account_sid: record.accountSid,
    friendly_name: record.friendlyName,
    enabled: record.enabled,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: dateOrNull(isoSeconds, record.updatedAtMs),
    sid: record.sid,
    ...specBody(record.spec),
    url: `${origin}/v1/CompositionHooks/${record.sid}`,
  };
}
