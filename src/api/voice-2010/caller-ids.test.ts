import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid } from '../../base/sid.ts';
import type { CallerIdRecord } from '../../voice/model.ts';

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const base = (): string => `/2010-04-01/Accounts/${world.account.sid}/OutgoingCallerIds`;
async function verified(phoneNumber: string, accountSid = world.account.sid): Promise<CallerIdRecord> {
  const nowMs = Date.now();
  const record: CallerIdRecord = { sid: newSid('PN'), accountSid, phoneNumber, friendlyName: 'Mobile', createdAtMs: nowMs, updatedAtMs: nowMs };
  await world.store.directory.saveCallerId(record);
  return record;
}

describe('a verified caller id', () => {
  it('begins with a call that asks for a code', async () => {
    const form = { PhoneNumber: '+1 (555) 555-0477', CallDelay: '5', Extension: '12', StatusCallback: 'https://app.example/verified', StatusCallbackMethod: 'GET' };
    const answer = await world.raw(`${base()}.json`, { body: new URLSearchParams(form) });
    expect(answer.status, answer.text).toBe(200);
    expect(problemsOf('api', 'api.v2010.account.validation_request', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({ phone_number: '+15555550477', friendly_name: '(555) 555-0477', validation_code: '012345', account_sid: world.account.sid });
    expect(world.calls.validated.at(-1)).toEqual({ phoneNumber: '+15555550477', friendlyName: '(555) 555-0477', callDelay: '5', extension: '12', statusCallback: 'https://app.example/verified', statusCallbackMethod: 'GET' });
    expect(await world.client.validationRequests.create({ phoneNumber: '+15557701', friendlyName: 'Mine' })).toMatchObject({ friendlyName: 'Mine', validationCode: '012345' });
  });

  it('is refused with the reason', async () => {
    expect((await world.raw(`${base()}.json`, { body: 'FriendlyName=x' })).body).toMatchObject({ status: 400, code: 21401 });
    world.calls.refusal = new TwilioError(21450, 'verified already');
    await expect(world.client.validationRequests.create({ phoneNumber: '+15557701' })).rejects.toMatchObject({ status: 400, code: 21450 });
  });

  it('is found, renamed and deleted', async () => {
    const { sid } = await verified('+15557702');
    const fetched = await world.raw(`${base()}/${sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.outgoing_caller_id', fetched.body)).toEqual([]);
    expect((await world.client.outgoingCallerIds.list({ phoneNumber: '+15557702' })).map((item) => item.sid)).toEqual([sid]);
    expect(await world.client.outgoingCallerIds.list({ friendlyName: 'Nobody' })).toEqual([]);
    expect(await world.client.outgoingCallerIds(sid).update({ friendlyName: 'Desk' })).toMatchObject({ friendlyName: 'Desk' });
    expect(await world.client.outgoingCallerIds(sid).remove()).toBe(true);
    await expect(world.client.outgoingCallerIds(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('of another account is not there', async () => {
    const other = await world.newAccount();
    const theirs = await verified('+15557703', other.sid);
    await expect(world.client.outgoingCallerIds(theirs.sid).fetch()).rejects.toMatchObject({ status: 404 });
    await expect(world.client.outgoingCallerIds(theirs.sid).remove()).rejects.toMatchObject({ status: 404 });
    expect(await world.client.outgoingCallerIds.list()).toEqual([]);
  });
});
