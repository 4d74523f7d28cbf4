import { TwilioError } from '../../base/errors.ts';
import { newSid, parseSid } from '../../base/sid.ts';
import { DEFAULT_PRIORITY, DEFAULT_WEIGHT, MAX_PRIORITY, MAX_WEIGHT, type ConnectionPolicyRecord, type ConnectionPolicyTargetRecord } from '../../voice/carrier/model.ts';
import { isTarget, MAX_TARGETS } from '../../voice/carrier/target-uri.ts';
import type { ApiDeps } from '../deps.ts';
import { isoSeconds } from '../dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import type { Form } from '../form.ts';
import { metaAnswer, pageOf, pageRequest } from '../paging.ts';
import { policyOf } from './connection-policies.ts';
import { friendlyName, refuseDescribed } from './resource.ts';

type Deps = Pick<ApiDeps, 'trunks' | 'clock'>;

const MAX_PAGE_SIZE = 100;
const PATH = '/v1/ConnectionPolicies/:policySid/Targets';

/** Targets of a connection policy (contract §6): SIP addresses of a carrier, by priority and weight. */
export function addConnectionPolicyTargets(endpoints: Endpoints, deps: Deps): void {
  endpoints.add(PATH, {
    GET: (request) => {
      const policy = policyOf(request, deps, 'policySid');
      return metaAnswer(request, { key: 'targets', page: pageOf(policy.targets, pageRequest(request.query, MAX_PAGE_SIZE)), render: (target) => targetBody(target, { policy, origin: request.origin }) });
    },
    POST: (request) => create(request, deps),
  });
  endpoints.add(`${PATH}/:sid`, {
    GET: (request) => {
      const { policy, target } = targetOf(request, deps);
      return { status: 200, body: targetBody(target, { policy, origin: request.origin }) };
    },
    POST: async (request) => {
      const { policy, target } = targetOf(request, deps);
      refuseDescribed(policy.sid, deps.trunks);
      const record = changed(target, request.form, deps.clock.wallMs());
      await deps.trunks.savePolicy({ ...policy, targets: policy.targets.map((known) => (known.sid === target.sid ? record : known)) });
      return { status: 200, body: targetBody(record, { policy, origin: request.origin }) };
    },
    DELETE: async (request) => {
      const { policy, target } = targetOf(request, deps);
      refuseDescribed(policy.sid, deps.trunks);
      await deps.trunks.savePolicy({ ...policy, targets: policy.targets.filter((known) => known.sid !== target.sid) });
      return { status: 204 };
    },
  });
}

function targetOf(request: ApiRequest, deps: Deps): { policy: ConnectionPolicyRecord; target: ConnectionPolicyTargetRecord } {
  const policy = policyOf(request, deps, 'policySid');
  const sid = parseSid('NE', request.part('sid'));
  const target = policy.targets.find((known) => known.sid === sid);
  if (!target) throw notFound(request.path);
  return { policy, target };
}

async function create(request: ApiRequest, { trunks, clock }: Deps): Promise<Answer> {
  const policy = policyOf(request, { trunks }, 'policySid');
  refuseDescribed(policy.sid, trunks);
  if (request.form.filled('Target') === undefined) throw new TwilioError(20001, 'Target is required');
  if (policy.targets.length >= MAX_TARGETS) throw new TwilioError(20001, `A connection policy has at most ${MAX_TARGETS} targets`);
  const nowMs = clock.wallMs();
  const target = changed({ sid: newSid('NE'), friendlyName: '', target: '', priority: DEFAULT_PRIORITY, weight: DEFAULT_WEIGHT, enabled: true, createdAtMs: nowMs, updatedAtMs: nowMs }, request.form, nowMs);
  await trunks.savePolicy({ ...policy, targets: [...policy.targets, target] });
  return { status: 201, body: targetBody(target, { policy, origin: request.origin }) };
}

/** Throws 20001, 20002. */
function changed(before: ConnectionPolicyTargetRecord, form: Form, nowMs: number): ConnectionPolicyTargetRecord {
  return {
    ...before,
    friendlyName: friendlyName(form) ?? before.friendlyName,
    target: targetUri(form) ?? before.target,
    priority: within(form, { name: 'Priority', min: 0, max: MAX_PRIORITY }) ?? before.priority,
    weight: within(form, { name: 'Weight', min: 1, max: MAX_WEIGHT }) ?? before.weight,
    enabled: form.boolean('Enabled') ?? before.enabled,
    updatedAtMs: nowMs,
  };
}

function targetUri(form: Form): string | undefined {
  const text = form.text('Target')?.trim();
  if (text !== undefined && !isTarget(text)) throw new TwilioError(20001, 'Target must be an address like sip:host:port;transport=tcp');
  return text;
}

function within(form: Form, { name, min, max }: { name: string; min: number; max: number }): number | undefined {
  const value = form.number(name);
  if (value !== undefined && !(value >= min && value <= max)) throw new TwilioError(20001, `${name} must be a whole number from ${min} to ${max}`);
  return value;
}

function targetBody(record: ConnectionPolicyTargetRecord, { policy, origin }: { policy: Pick<ConnectionPolicyRecord, 'sid' | 'accountSid'>; origin: string }): object {
  return {
    account_sid: policy.accountSid,
    connection_policy_sid: policy.sid,
    sid: record.sid,
    friendly_name: record.friendlyName,
    target: record.target,
    priority: record.priority,
    weight: record.weight,
    enabled: record.enabled,
    date_created: isoSeconds(record.createdAtMs),
    date_updated: isoSeconds(record.updatedAtMs),
    url: `${origin}/v1/ConnectionPolicies/${policy.sid}/Targets/${record.sid}`,
  };
}
