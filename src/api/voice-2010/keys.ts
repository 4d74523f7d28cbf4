import { randomBytes } from 'node:crypto';
import { newSid, parseSid } from '../../base/sid.ts';
import type { KeyRecord } from '../../voice/model.ts';
import type { ApiDeps } from '../deps.ts';
import { rfc2822 } from '../../base/dates.ts';
import type { ApiRequest, Endpoints } from '../endpoint.ts';
import { notFound } from '../errors.ts';
import { listAnswer, pageOf, pageRequest } from '../paging.ts';
import { friendlyName } from './resource.ts';

const SECRET_BYTES = 16;

/** API keys (contract §9). The secret is told once, by the answer to the create. */
export function addKeys(endpoints: Endpoints, { directory, clock }: Pick<ApiDeps, 'directory' | 'clock'>): void {
  const keyOf = ({ account, path, part }: ApiRequest): KeyRecord => {
    const sid = parseSid('SK', part('sid'));
    const key = sid && directory.key(sid);
    if (!key || key.accountSid !== account.sid) throw notFound(path);
    return key;
  };
  endpoints.add(
    '/2010-04-01/Accounts/:accountSid/Keys',
    {
      GET: (request) => listAnswer(request, { key: 'keys', page: pageOf(directory.keys(request.account.sid), pageRequest(request.query)), render: keyBody }),
      POST: async ({ account, form }) => {
        const nowMs = clock.wallMs();
        const key: KeyRecord = { sid: newSid('SK'), accountSid: account.sid, friendlyName: friendlyName(form) ?? '', secret: randomBytes(SECRET_BYTES).toString('hex'), createdAtMs: nowMs, updatedAtMs: nowMs };
        await directory.saveKey(key);
        return { status: 201, body: { ...keyBody(key), secret: key.secret } };
      },
    },
    { tokenOnly: true },
  );
  endpoints.add(
    '/2010-04-01/Accounts/:accountSid/Keys/:sid',
    {
      GET: (request) => ({ status: 200, body: keyBody(keyOf(request)) }),
      POST: async (request) => {
        const before = keyOf(request);
        const key = { ...before, friendlyName: friendlyName(request.form) ?? before.friendlyName, updatedAtMs: clock.wallMs() };
        await directory.saveKey(key);
        return { status: 200, body: keyBody(key) };
      },
      DELETE: async (request) => {
        await directory.deleteKey(keyOf(request).sid);
        return { status: 204 };
      },
    },
    { tokenOnly: true },
  );
}

function keyBody(key: KeyRecord): object {
  return { sid: key.sid, friendly_name: key.friendlyName, date_created: rfc2822(key.createdAtMs), date_updated: rfc2822(key.updatedAtMs) };
}
