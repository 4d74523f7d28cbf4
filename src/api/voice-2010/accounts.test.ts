import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type twilio from 'twilio';
import { problemsOf } from '../../../test/openapi.ts';
import { basic, callRecord, openRestWorld, type RestWorld } from '../../../test/rest-world.ts';

// Subaccounts: made, suspended, closed, and kept apart.

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

interface Sub {
  sid: string;
  token: string;
  client: ReturnType<twilio.Twilio['api']['v2010']['accounts']>;
}

async function subaccount(friendlyName = 'Branch'): Promise<Sub> {
  const { sid, authToken: token } = await world.client.api.v2010.accounts.create({ friendlyName });
  return { sid, token, client: world.clientAs(sid, token).api.v2010.accounts(sid) };
}
const setStatus = (sid: string, status: string, authorization?: string): ReturnType<RestWorld['raw']> =>
  world.raw(`/2010-04-01/Accounts/${sid}.json`, { body: new URLSearchParams({ Status: status }), ...(authorization === undefined ? {} : { authorization }) });

describe('a subaccount', () => {
  it('is made with a token of its own, listed, renamed', async () => {
    const created = await world.raw('/2010-04-01/Accounts.json', { body: 'FriendlyName=Branch+1' });
    expect(created.status, created.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account', created.body)).toEqual([]);
    expect(created.body).toMatchObject({ friendly_name: 'Branch 1', status: 'active', type: 'Full', owner_account_sid: world.account.sid });
    const { sid, auth_token: token } = created.body as { sid: string; auth_token: string };
    expect(token).not.toBe(world.account.authToken);
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/Calls.json`, { authorization: basic(sid, token) })).status).toBe(200);
    expect((await world.client.api.v2010.accounts.list({ friendlyName: 'Branch 1' })).map((found) => found.sid)).toEqual([sid]);
    expect(await world.client.api.v2010.accounts(sid).update({ friendlyName: 'Branch 2' })).toMatchObject({ friendlyName: 'Branch 2', status: 'active' });
    expect((await world.raw('/2010-04-01/Accounts.json', { body: '' })).body.friendly_name).toMatch(/^SubAccount Created at \d{4}-/);
  });

  it('has no subaccounts, and no say in its own status', async () => {
    const { sid, token, client } = await subaccount();
    const authorization = basic(sid, token);
    expect((await world.raw('/2010-04-01/Accounts.json', { body: 'FriendlyName=x', authorization })).body).toMatchObject({ status: 400, code: 21101 });
    expect((await setStatus(sid, 'suspended', authorization)).body).toMatchObject({ status: 403, code: 20403 });
    expect(await client.update({ friendlyName: 'Mine' })).toMatchObject({ friendlyName: 'Mine' });
    expect((await world.clientAs(sid, token).api.v2010.accounts.list()).map((account) => account.sid)).toEqual([sid]);
  });

  it.each([['asleep', 21475], ['', 200]])('status %j is answered with %i', async (status, code) => {
    const { sid } = await subaccount();
    expect((await setStatus(sid, status)).body).toMatchObject(code === 200 ? { status: 'active' } : { status: 400, code });
  });

  it('keys sign in as it, and are its own', async () => {
    const { sid, client } = await subaccount();
    const key = await client.newKeys.create({ friendlyName: 'Branch key' });
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/Calls.json`, { authorization: basic(key.sid, key.secret) })).status).toBe(200);
    expect((await world.raw(`/2010-04-01/Accounts/${world.account.sid}/Calls.json`, { authorization: basic(key.sid, key.secret) })).body).toMatchObject({ status: 401, code: 20003 });
    const signing = await world.raw(`/2010-04-01/Accounts/${sid}/SigningKeys/${key.sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.signing_key', signing.body)).toEqual([]);
    expect((await world.client.signingKeys.list()).map((item) => item.sid)).not.toContain(key.sid);
    expect((await client.signingKeys.list()).map((item) => item.sid)).toEqual([key.sid]);
    const created = await world.raw(`/2010-04-01/Accounts/${sid}/SigningKeys.json`, { body: 'FriendlyName=old+name' });
    expect(created.status).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.new_signing_key', created.body)).toEqual([]);
    expect(await client.keys(key.sid).remove()).toBe(true);
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/SigningKeys/${key.sid}.json`)).status).toBe(404);
  });

  it('suspended is shut out, its owner is not; it comes back', async () => {
    const { sid, token } = await subaccount();
    const authorization = basic(sid, token);
    const call = world.calls.keep(callRecord(sid as never, { status: 'in-progress' }));
    expect((await setStatus(sid, 'suspended')).body).toMatchObject({ status: 'suspended' });
    for (const path of [`/2010-04-01/Accounts/${sid}/Calls.json`, '/v1/Rooms']) expect((await world.raw(path, { authorization })).body, path).toMatchObject({ status: 403, code: 20005 });
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/Calls/${call.sid}.json`)).body).toMatchObject({ status: 'in-progress' });
    expect((await setStatus(sid, 'active')).body).toMatchObject({ status: 'active' });
    expect((await world.raw('/v1/Rooms', { authorization })).status).toBe(200);
  });

  it('closed loses its calls, rooms and numbers for ever; what it did can be read', async () => {
    const { sid, token, client } = await subaccount();
    const theirs = world.calls.keep(callRecord(sid as never, { status: 'in-progress' }));
    const ours = world.calls.keep(callRecord(world.account.sid, { status: 'in-progress' }));
    const rooms = world.clientAs(sid, token).video.v1.rooms;
    const room = await rooms.create({ uniqueName: 'Shared' });
    const sameName = await world.client.video.v1.rooms.create({ uniqueName: 'Shared' });
    const number = await client.incomingPhoneNumbers.create({ phoneNumber: '+15550460' });
    expect((await setStatus(sid, 'closed')).body).toMatchObject({ status: 'closed' });
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/Calls/${theirs.sid}.json`)).body.status).toBe('completed');
    expect(world.calls.live(ours.sid)?.status).toBe('in-progress');
    expect((await world.store.rooms.findRoom(sid as never, room.sid as never))?.status).toBe('completed');
    expect((await world.client.video.v1.rooms(sameName.sid).fetch()).status).toBe('in-progress');
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/IncomingPhoneNumbers/${number.sid}.json`)).status).toBe(404);
    expect(await world.client.incomingPhoneNumbers.create({ phoneNumber: '+15550460' })).toMatchObject({ accountSid: world.account.sid });
    expect((await world.raw('/v1/Rooms', { authorization: basic(sid, token) })).body).toMatchObject({ status: 403, code: 20005 });
    expect((await world.raw(`/2010-04-01/Accounts/${sid}/IncomingPhoneNumbers.json`, { body: 'PhoneNumber=%2B15550461' })).body).toMatchObject({ status: 403, code: 20005 });
    expect((await setStatus(sid, 'active')).body).toMatchObject({ status: 400, code: 21479 });
    expect((await world.client.api.v2010.accounts.list({ status: 'closed' })).map((account) => account.sid)).toEqual([sid]);
  });
});

describe('the main account', () => {
  it('can be renamed, but neither suspended nor closed', async () => {
    expect((await setStatus(world.account.sid, 'closed')).body).toMatchObject({ status: 400, code: 21477 });
    const name = world.account.friendlyName;
    expect(await world.client.api.v2010.accounts(world.account.sid).update({ friendlyName: 'Head office' })).toMatchObject({ friendlyName: 'Head office', status: 'active' });
    await world.client.api.v2010.accounts(world.account.sid).update({ friendlyName: name });
  });

  it('acts for a subaccount by its path, and what it makes belongs there', async () => {
    const { sid, client } = await subaccount();
    const number = await world.client.api.v2010.accounts(sid).incomingPhoneNumbers.create({ phoneNumber: '+15550470' });
    expect(number.accountSid).toBe(sid);
    expect((await client.incomingPhoneNumbers.list()).map((item) => item.sid)).toEqual([number.sid]);
    expect((await world.client.incomingPhoneNumbers.list({ phoneNumber: '+15550470' }))).toEqual([]);
    await world.client.api.v2010.accounts(sid).calls.create({ to: '+1', from: '+2', twiml: '<Response/>' });
    expect((await client.calls.list()).map((call) => call.accountSid)).toEqual([sid]);
    expect((await world.client.calls.list({ to: '+1' }))).toEqual([]);
  });

  it('is out of reach for a subaccount and for its siblings', async () => {
    const [one, other] = [await subaccount(), await subaccount()];
    const authorization = basic(one.sid, one.token);
    for (const sid of [other.sid, world.account.sid]) {
      for (const path of ['.json', '/Calls.json', '/IncomingPhoneNumbers.json', '/Keys.json', '/Applications.json', '/Notifications.json']) {
        expect((await world.raw(`/2010-04-01/Accounts/${sid}${path}`, { authorization })).body, path).toMatchObject({ status: 401, code: 20003 });
      }
    }
  });
});
