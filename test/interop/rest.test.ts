import { beforeAll, describe, expect, it } from 'vitest';
import { Cast } from '../peers/cast.ts';
import { missingMembers } from '../peers/openapi.ts';
import { clientFor, type RestAnswer } from '../peers/server.ts';
import { Stage } from '../peers/stage.ts';

// What the REST API answers to the official client and to raw requests, without any call or browser.

const cast = new Cast();
const FROM = '+15550400';
let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(cast);
  await stage.number(FROM, '/voice');
}, 60_000);

const callsPath = (): string => `/2010-04-01/Accounts/${stage.server.accountSid}/Calls`;
const rooms = (): typeof stage.server.client.video.v1.rooms => stage.server.client.video.v1.rooms;

function expectError(answer: RestAnswer, status: number, code: number): void {
  expect({ status: answer.status, code: answer.body?.code }, JSON.stringify(answer.body)).toEqual({ status, code });
  expect(answer.body.status).toBe(status);
  expect(typeof answer.body.message).toBe('string');
  expect(answer.body.more_info).toMatch(/^https?:\/\//);
}

const createCall = (form: Record<string, string>): Promise<RestAnswer> => stage.server.rest(`${callsPath()}.json`, { form });
const createRoom = (form: Record<string, string>): Promise<RestAnswer> => stage.server.rest('/v1/Rooms', { form });

describe('calls', () => {
  it('a new call is 201, queued, and has every member of the resource', async () => {
    const answer = await createCall({ To: 'sip:nobody@127.0.0.1:9', From: FROM, Twiml: '<Response/>' });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(answer.body).toMatchObject({ status: 'queued', direction: 'outbound-api', account_sid: stage.server.accountSid, from: FROM, api_version: '2010-04-01' });
    expect(answer.body.sid).toMatch(/^CA[0-9a-f]{32}$/);
    expect(answer.body.uri).toBe(`${callsPath()}/${answer.body.sid}.json`);
    expect(missingMembers('api', 'api.v2010.account.call', answer.body)).toEqual([]);
    expect(answer.body.subresource_uris.notifications).toContain(answer.body.sid);
  });

  it.each([
    [{ From: FROM, Url: 'http://127.0.0.1/x' }, 21201],
    [{ To: 'sip:a@127.0.0.1', Url: 'http://127.0.0.1/x' }, 21213],
    [{ To: 'sip:a@127.0.0.1', From: FROM }, 21205],
    [{ To: 'sip:a@127.0.0.1', From: '+15550499', Url: 'http://127.0.0.1/x' }, 21210],
    [{ To: 'sip:a@127.0.0.1', From: FROM, Url: 'http://127.0.0.1/x', Timeout: 'abc' }, 21208],
    [{ To: 'sip:a@127.0.0.1', From: FROM, Url: 'http://127.0.0.1/x', SendDigits: 'xyz' }, 21206],
    [{ To: 'sip:a@127.0.0.1', From: FROM, Url: 'http://127.0.0.1/x', StatusCallback: 'http://127.0.0.1/s', StatusCallbackEvent: 'foo' }, 21626],
  ])('a call made from %j is refused with %i', async (form, code) => {
    expectError(await createCall(form as Record<string, string>), 400, code);
  });

  it('an unknown call is 404/20404, with a wrong letter case too', async () => {
    expectError(await stage.server.rest(`${callsPath()}/CA${'0'.repeat(32)}.json`), 404, 20404);
    expectError(await stage.server.rest(`${callsPath()}/ca${'0'.repeat(32)}.json`), 404, 20404);
  });

  it('a method that is not there is 405/20004', async () => {
    expectError(await stage.server.rest(`${callsPath()}/CA${'0'.repeat(32)}.json`, { method: 'PUT', form: {} }), 405, 20004);
  });

  it('paging beyond its limits is refused', async () => {
    expectError(await stage.server.rest(`${callsPath()}.json?PageSize=1001`), 400, 20007);
    expectError(await stage.server.rest(`${callsPath()}.json?PageToken=junk`), 400, 21481);
  });

  it('the wire name StartTime> is a filter', async () => {
    const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10);
    const answer = await stage.server.rest(`${callsPath()}.json?StartTime%3E=${tomorrow}`);
    expect(answer.status).toBe(200);
    expect(answer.body.calls).toEqual([]);
  });

  it('the client turns a refusal into its RestException', async () => {
    const refused = stage.server.client.calls.create({ to: 'sip:a@127.0.0.1', from: '+15550499', url: 'http://127.0.0.1/x' });
    await expect(refused).rejects.toMatchObject({ status: 400, code: 21210, message: expect.any(String), moreInfo: expect.stringMatching(/^http/) });
  });
});

describe('sign-in', () => {
  it('nobody and the wrong password are 401', async () => {
    expectError(await stage.server.rest(`${callsPath()}.json`, { authorization: null }), 401, 20003);
    const wrong = `Basic ${Buffer.from(`${stage.server.accountSid}:not-the-token`).toString('base64')}`;
    expectError(await stage.server.rest(`${callsPath()}.json`, { authorization: wrong }), 401, 20003);
    expectError(await stage.server.rest('/v1/Rooms', { authorization: wrong }), 401, 20003);
  });

  it('an API key signs in', async () => {
    const { httpUrl, apiKeySid, apiKeySecret, accountSid } = stage.server;
    const client = clientFor(httpUrl, { username: apiKeySid, password: apiKeySecret, accountSid });
    expect(Array.isArray(await client.calls.list({ limit: 1 }))).toBe(true);
    expect(Array.isArray(await client.video.v1.rooms.list({ limit: 1 }))).toBe(true);
  });

  it("another account's calls are not there", async () => {
    const answer = await stage.server.rest(`/2010-04-01/Accounts/AC${'0'.repeat(32)}/Calls.json`);
    expect([401, 403, 404]).toContain(answer.status);
  });
});

describe('numbers', () => {
  it('with a fallback but no VoiceUrl are refused (F5)', async () => {
    const answer = await stage.server.rest(`/2010-04-01/Accounts/${stage.server.accountSid}/IncomingPhoneNumbers.json`, { form: { PhoneNumber: '+15550677', VoiceFallbackUrl: 'https://app.example.com/fallback' } });
    expect([answer.status, answer.body.code]).toEqual([400, 21405]);
  });

  it('are created, changed, listed and released', async () => {
    const numbers = stage.server.client.incomingPhoneNumbers;
    const created = await numbers.create({ phoneNumber: '+15550410', voiceUrl: `${stage.app.url}/a`, friendlyName: 'Front desk' });
    expect(created).toMatchObject({ phoneNumber: '+15550410', voiceUrl: `${stage.app.url}/a`, voiceMethod: 'POST', friendlyName: 'Front desk' });
    expect(created.sid).toMatch(/^PN[0-9a-f]{32}$/);
    const raw = await stage.server.rest(`/2010-04-01/Accounts/${stage.server.accountSid}/IncomingPhoneNumbers/${created.sid}.json`);
    expect(missingMembers('api', 'api.v2010.account.incoming_phone_number', raw.body)).toEqual([]);
    const updated = await numbers(created.sid).update({ voiceUrl: `${stage.app.url}/b`, voiceMethod: 'GET' });
    expect(updated).toMatchObject({ voiceUrl: `${stage.app.url}/b`, voiceMethod: 'GET' });
    expect((await numbers.list({ phoneNumber: '+15550410' })).map((number) => number.sid)).toEqual([created.sid]);
    expect(await numbers(created.sid).remove()).toBe(true);
    await expect(numbers(created.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });
});

describe('rooms', () => {
  it('a room made with everything has every member, and links on this host', async () => {
    const answer = await createRoom({
      UniqueName: 'Everything',
      Type: 'group',
      StatusCallback: `${stage.app.url}/room`,
      StatusCallbackMethod: 'GET',
      MaxParticipants: '10',
      EmptyRoomTimeout: '7',
      UnusedRoomTimeout: '8',
      MaxParticipantDuration: '1200',
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(missingMembers('video', 'video.v1.room', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({ unique_name: 'Everything', status: 'in-progress', type: 'group', max_participants: 10, empty_room_timeout: 7, unused_room_timeout: 8, max_participant_duration: 1200, status_callback_method: 'GET', enable_turn: true, end_time: null, duration: null });
    expect(answer.body.sid).toMatch(/^RM[0-9a-f]{32}$/);
    expect(Object.keys(answer.body.links).sort()).toEqual(['participants', 'recording_rules', 'recordings', 'transcriptions']);
    expect(answer.body.url).toBe(`${stage.server.httpUrl}/v1/Rooms/${answer.body.sid}`);
    expect(answer.body.links.participants).toBe(`${answer.body.url}/Participants`);
    expect((await stage.server.rest(answer.body.links.participants)).status).toBe(200);
  });

  it('a room made from nothing has the documented defaults', async () => {
    const room = await rooms().create({});
    expect(room).toMatchObject({ uniqueName: room.sid, status: 'in-progress', type: 'group', emptyRoomTimeout: 5, unusedRoomTimeout: 5, maxParticipantDuration: 14400, statusCallbackMethod: 'POST' });
  });

  it('a name is taken while its room is in progress, and free again afterwards', async () => {
    const first = await rooms().create({ uniqueName: 'Twice' });
    await expect(rooms().create({ uniqueName: 'Twice' })).rejects.toMatchObject({ status: 400, code: 53113 });
    await rooms()(first.sid).update({ status: 'completed' });
    const second = await rooms().create({ uniqueName: 'Twice' });
    expect(second.sid).not.toBe(first.sid);
  });

  it.each([
    [{ MaxParticipants: '51' }, 53107],
    [{ Type: 'x' }, 53108],
    [{ EmptyRoomTimeout: '61' }, 53109],
    [{ EmptyRoomTimeout: '0' }, 53109],
    [{ MaxParticipantDuration: '599' }, 53123],
    [{ StatusCallbackMethod: 'PUT' }, 53110],
    [{ StatusCallback: 'nope' }, 53111],
    [{ UniqueName: 'x'.repeat(129) }, 53101],
  ])('a room made with %j is refused with %i', async (form, code) => {
    expectError(await createRoom(form as Record<string, string>), 400, code);
  });

  it('is found by name while in progress and by SID for ever', async () => {
    const room = await rooms().create({ uniqueName: 'Findable' });
    expect((await rooms()('Findable').fetch()).sid).toBe(room.sid);
    const answer = await stage.server.rest(`/v1/Rooms/${room.sid}`, { form: { Status: 'completed' } });
    expect(answer.status).toBe(202);
    await expect(rooms()('Findable').fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    const ended = await rooms()(room.sid).fetch();
    expect(ended.status).toBe('completed');
    expect(ended.endTime).toBeInstanceOf(Date);
    expect(ended.duration).toBeGreaterThanOrEqual(0);
  });

  it('lists rooms in progress newest first, and the history of a name', async () => {
    const first = await rooms().create({ uniqueName: 'History' });
    await rooms()(first.sid).update({ status: 'completed' });
    const second = await rooms().create({ uniqueName: 'History' });
    const open = await rooms().list();
    expect(open[0]!.sid).toBe(second.sid);
    expect(open.every((room) => room.status === 'in-progress')).toBe(true);
    const history = await rooms().list({ status: 'completed', uniqueName: 'History' });
    expect(history.map((room) => room.sid)).toEqual([first.sid]);
  });

  it.each(['Daily Standup', 'réunion', '+15550001111'])('the name %s survives a path', async (name) => {
    const room = await rooms().create({ uniqueName: name });
    expect((await rooms()(name).fetch()).sid).toBe(room.sid);
  });

  it('51 rooms are two pages, and the second is reached by its absolute URL', async () => {
    const open = (await rooms().list()).length;
    for (let i = open; i < 51; i++) await rooms().create({});
    const first = await stage.server.rest('/v1/Rooms');
    expect(first.body.meta).toMatchObject({ key: 'rooms', page: 0, page_size: 50 });
    expect(first.body.rooms).toHaveLength(50);
    expect(first.body.meta.next_page_url).toMatch(new RegExp(`^${stage.server.httpUrl}/v1/Rooms\\?`));
    const second = await stage.server.rest(first.body.meta.next_page_url);
    expect(second.body.rooms.length).toBeGreaterThanOrEqual(1);
    const sids = [...first.body.rooms, ...second.body.rooms].map((room: { sid: string }) => room.sid);
    expect(new Set(sids).size).toBe(sids.length);
  });

  it('participants of a room without any', async () => {
    await rooms().create({ uniqueName: 'Lonely' });
    expect(await rooms()('Lonely').participants.list()).toEqual([]);
    await expect(rooms()('Lonely').participants('nobody').fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    await expect(rooms()('Nowhere').participants.list()).rejects.toMatchObject({ status: 404 });
  });
});
