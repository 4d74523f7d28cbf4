import { randomBytes } from 'node:crypto';
import { newSid, parseSid } from '../../base/sid.ts';
import type { KeyRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import { rfc2822 } from '../../base/dates.ts';
import type { Answer, ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { friendlyName } from './resource.ts';

type Deps = Pick<ApiDeps, 'directory' | 'clock'>;

const SECRET_BYTES = 16;
/** The same keys under both names: signing keys are what they were called before. */
const NAMES: readonly { path: string; listKey: string }[] = [
  { path: '/2010-04-01/Accounts/:accountSid/Keys', listKey: 'keys' },
  { path: '/2010-04-01/Accounts/:accountSid/SigningKeys', listKey: 'signing_keys' },
];

/** API keys (contract §9). The secret is told once, by the answer to the create. */
export function addKeys(endpoints: Endpoints, deps: Deps): void {
  const { directory } = deps;
  for (const { path, listKey } of NAMES) {
    endpoints.add(
      path,
      {
        GET: (request) => listAnswer(request, { key: listKey, page: pageOf(directory.keys(request.account.sid), pageRequest(request.query)), render: keyBody }),
        POST: (request) => create(request, deps),
      },
      { tokenOnly: true },
    );
    endpoints.add(
      `${path}/:sid`,
      {
        GET: (request) => ({ status: 200, body: keyBody(keyOf(request, deps)) }),
        POST: (request) => update(request, deps),
        DELETE: async (request) => {
          await directory.deleteKey(keyOf(request, deps).sid);
          return { status: 204 };
        },
      },
      { tokenOnly: true },
    );
  }
}

function keyOf({ account, path, part }: ApiRequest, { directory }: Deps): KeyRecord {
  const sid = parseSid('SK', part('sid'));
  const key = sid && directory.key(sid);
  if (!key || key.accountSid !== account.sid) throw notFound(path);
  return key;
}

async function create({ account, form }: ApiRequest, { directory, clock }: Deps): Promise<Answer> {
  const nowMs = clock.wallMs();
  const key: KeyRecord = { sid: newSid('SK'), accountSid: account.sid, friendlyName: friendlyName(form) ?? '', secret: randomBytes(SECRET_BYTES).toString('hex'), createdAtMs: nowMs, updatedAtMs: nowMs };
  await directory.saveKey(key);
  return { status: 201, body: { ...keyBody(key), secret: key.secret } };
}

async function update(request: ApiRequest, deps: Deps): Promise<Answer> {
  const before = keyOf(request, deps);
  const key = { ...before, friendlyName: friendlyName(request.form) ?? before.friendlyName, updatedAtMs: deps.clock.wallMs() };
  await deps.directory.saveKey(key);
  return { status: 200, body: keyBody(key) };
}

function keyBody(key: KeyRecord): object {
  return { sid: key.sid, friendly_name: key.friendlyName, date_created: rfc2822(key.createdAtMs), date_updated: rfc2822(key.updatedAtMs) };
}
