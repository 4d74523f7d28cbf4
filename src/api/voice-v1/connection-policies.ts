import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid } from '../../base/sid.ts';
import type { ConnectionPolicyRecord } from '../../voice/carrier/model.ts';
import type { ApiDeps } from '../deps.ts';
import { isoSeconds } from '../dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { metaAnswer, pageOf, pageRequest } from '../paging.ts';
import { friendlyName, refuseDescribed } from './resource.ts';

type Deps = Pick<ApiDeps, 'trunks' | 'clock'>;

const MAX_POLICIES = 100;
const MAX_PAGE_SIZE = 100;
const PATH = '/v1/ConnectionPolicies';

/** Connection policies (contract §6): lists of targets that trunks point at. */
export function addConnectionPolicies(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(PATH, {
    GET: (request) => metaAnswer(request, { key: 'connection_policies', page: pageOf(deps.trunks.policies(request.account.sid), pageRequest(request.query, MAX_PAGE_SIZE)), render: (record) => policyBody(record, request.origin) }),
    POST: (request) => create(request, deps),
  });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => ({ status: 200, body: policyBody(policyOf(request, deps, 'sid'), request.origin) }),
    POST: async (request) => {
      const before = policyOf(request, deps, 'sid');
      refuseDescribed(before.sid, deps.trunks);
      const record = { ...before, friendlyName: friendlyName(request.form) ?? before.friendlyName, updatedAtMs: deps.clock.wallMs() };
      await deps.trunks.savePolicy(record);
      return { status: 200, body: policyBody(record, request.origin) };
    },
    DELETE: async (request) => {
      const { sid } = policyOf(request, deps, 'sid');
      refuseDescribed(sid, deps.trunks);
      const user = deps.trunks.trunks(request.account.sid).find(({ connectionPolicySid }) => connectionPolicySid === sid);
      if (user) throw new TwilioError(20001, `Connection policy ${sid} is in use by trunk ${user.sid}`);
      await deps.trunks.deletePolicy(sid);
      return { status: 204 };
    },
  });
}

/** The policy that a part of the path names. Throws 404. */
export function policyOf({ account, path, part }: ApiRequest, { trunks }: Pick<ApiDeps, 'trunks'>, name: string): ConnectionPolicyRecord {
  const sid = parseSid('NY', part(name));
  const record = sid && trunks.policy(account.sid, sid);
  if (!record) throw notFound(path);
  return record;
}

async function create({ account, form, origin }: ApiRequest, { trunks, clock }: Deps): Promise<Answer> {
  if (trunks.policies(account.sid).length >= MAX_POLICIES) throw new TwilioError(20001, `An account has at most ${MAX_POLICIES} connection policies`);
  const nowMs = clock.wallMs();
  const record: ConnectionPolicyRecord = { sid: newSid('NY'), accountSid: account.sid, friendlyName: friendlyName(form) ?? '', targets: [], createdAtMs: nowMs, updatedAtMs: nowMs };
  await trunks.savePolicy(record);
  return { status: 201, body: policyBody(record, origin) };
}

function policyBody(record: ConnectionPolicyRecord, origin: string): object {
  const url = `${origin}${PATH}/${record.sid}`;
  return {
    account_sid: record.accountSid,
    sid: record.sid,
    friendly_name: record.friendlyName,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: isoSeconds(record.updatedAtMs),
    url,
    links: { targets: `${url}/Targets` },
  };
}
