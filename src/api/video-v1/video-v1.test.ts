import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { problemsOf } from '../../../test/openapi.ts';
import { openRestWorld, type RestWorld } from '../../../test/rest-world.ts';

// Rooms, participants and tracks as the official client and raw requests see them.

let world: RestWorld;
let next = 0;
const name = (): string => `Room ${next++}`;

beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const rooms = (): RestWorld['client']['video']['v1']['rooms'] => world.client.video.v1.rooms;
const post = (path: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(path, { body: new URLSearchParams(form) });

describe('a room', () => {
  it('is as documented, with what it was made with', async () => {
    const answer = await post('/v1/Rooms', { UniqueName: 'Everything', Type: 'group', StatusCallback: 'https://app.example/room', StatusCallbackMethod: 'GET', MaxParticipants: '10', EmptyRoomTimeout: '7', UnusedRoomTimeout: '8', MaxParticipantDuration: '1200', AudioOnly: 'TRUE', MediaRegion: 'de1', RecordParticipantsOnConnect: 'False' });
    expect(answer.status, answer.text).toBe(201);
    expect(problemsOf('video', 'video.v1.room', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({
      unique_name: 'Everything', status: 'in-progress', type: 'group', status_callback: 'https://app.example/room', status_callback_method: 'GET', max_participants: 10, empty_room_timeout: 7,
      unused_room_timeout: 8, max_participant_duration: 1200, audio_only: true, media_region: 'de1', enable_turn: true, end_time: null, duration: null,
    });
    expect(answer.body.url).toBe(`${world.url}/v1/Rooms/${answer.body.sid}`);
    for (const link of Object.values<string>(answer.body.links)) expect((await world.raw(link)).status, link).toBe(200);
  });

  it('takes several VideoCodecs, by the official client', async () => {
    const room = await rooms().create({ uniqueName: name(), videoCodecs: ['VP8', 'H264'] });
    expect(room.videoCodecs).toEqual(['VP8', 'H264']);
  });

  it.each([
    [{ MaxParticipants: '51' }, 53107],
    [{ MaxParticipants: 'many' }, 53107],
    [{ Type: 'x' }, 53108],
    [{ EmptyRoomTimeout: '61' }, 53109],
    [{ EmptyRoomTimeout: '0' }, 53109],
    [{ MaxParticipantDuration: '599' }, 53123],
    [{ StatusCallbackMethod: 'PUT' }, 53110],
    [{ StatusCallback: 'nope' }, 53111],
    [{ UniqueName: 'x'.repeat(129) }, 53101],
    [{ AudioOnly: 'perhaps' }, 20001],
  ])('made with %j is refused with %i', async (form, code) => {
    expect((await post('/v1/Rooms', form as Record<string, string>)).body).toMatchObject({ status: 400, code });
  });

  it('is found by name while in progress and by SID for ever', async () => {
    const uniqueName = name();
    const room = await rooms().create({ uniqueName });
    expect((await rooms()(uniqueName).fetch()).sid).toBe(room.sid);
    expect((await world.raw(`/v1/Rooms/${room.sid.slice(0, 2)}${room.sid.slice(2).toUpperCase()}.json`)).body.sid).toBe(room.sid);
    const completed = await post(`/v1/Rooms/${room.sid}`, { Status: 'completed' });
    expect(completed.status).toBe(202);
    expect(completed.body).toMatchObject({ status: 'completed', duration: expect.any(Number), end_time: expect.any(String) });
    expect(problemsOf('video', 'video.v1.room', completed.body)).toEqual([]);
    await expect(rooms()(uniqueName).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    expect((await rooms()(room.sid).fetch()).status).toBe('completed');
    await expect(rooms()(room.sid).update({ status: 'completed' })).rejects.toMatchObject({ status: 400, code: 53112 });
  });

  it('goes to no other status', async () => {
    const room = await rooms().create({});
    await expect(rooms()(room.sid).update({ status: 'in-progress' })).rejects.toMatchObject({ status: 400, code: 53112 });
    expect((await post(`/v1/Rooms/${room.sid}`, {})).body.code).toBe(53112);
  });

  it.each(['Daily Standup', 'réunion', '50% + more', 'notes.json', '会議室'.repeat(40)])('named %s survives a path', async (uniqueName) => {
    const room = await rooms().create({ uniqueName });
    expect((await rooms()(uniqueName).fetch()).sid).toBe(room.sid);
    expect((await world.raw(`/v1/Rooms/${encodeURIComponent(uniqueName)}/Participants`)).status).toBe(200);
  });

  it("of another account is not there", async () => {
    const room = await rooms().create({ uniqueName: name() });
    const other = await world.newAccount();
    const theirs = world.clientAs(other.sid, other.authToken).video.v1.rooms;
    await expect(theirs(room.sid).fetch()).rejects.toMatchObject({ status: 404 });
    await expect(theirs(room.uniqueName).update({ status: 'completed' })).rejects.toMatchObject({ status: 404 });
    expect(await theirs.list()).toEqual([]);
    expect(world.rooms.find(world.account.sid, room.sid)?.ended).toBe(false);
  });
});

describe('lists of rooms', () => {
  it('hold rooms in progress, or the history of a name, newest first', async () => {
    const uniqueName = name();
    const first = await rooms().create({ uniqueName });
    await rooms()(first.sid).update({ status: 'completed' });
    const second = await rooms().create({ uniqueName });
    await rooms()(second.sid).update({ status: 'completed' });
    const third = await rooms().create({ uniqueName });
    expect((await rooms().list({ limit: 1 }))[0]?.sid).toBe(third.sid);
    expect((await rooms().list({ uniqueName })).map(({ sid }) => sid)).toEqual([third.sid]);
    expect((await rooms().list({ status: 'completed', uniqueName })).map(({ sid }) => sid)).toEqual([second.sid, first.sid]);
    expect(await rooms().list({ uniqueName, dateCreatedAfter: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await rooms().list({ uniqueName, dateCreatedBefore: new Date(Date.now() + 60_000) })).toHaveLength(1);
  });

  it('of 51 are two pages there and back, and the client walks them all', async () => {
    const account = await world.newAccount();
    for (let i = 0; i < 51; i++) await world.rooms.create(account.sid, { uniqueName: `${i}` });
    const authorization = `Basic ${Buffer.from(`${account.sid}:${account.authToken}`).toString('base64')}`;
    const first = (await world.raw('/v1/Rooms', { authorization })).body;
    expect(first.meta).toMatchObject({ key: 'rooms', page: 0, page_size: 50, previous_page_url: null });
    expect(first.rooms).toHaveLength(50);
    expect(first.rooms[0].unique_name).toBe('50');
    const second = (await world.raw(first.meta.next_page_url, { authorization })).body;
    expect(second.rooms.map((room: { unique_name: string }) => room.unique_name)).toEqual(['0']);
    expect(second.meta).toMatchObject({ page: 1, next_page_url: null });
    const back = (await world.raw(second.meta.previous_page_url, { authorization })).body;
    expect(back.rooms).toEqual(first.rooms);
    const walked = await world.clientAs(account.sid, account.authToken).video.v1.rooms.list({ pageSize: 20 });
    expect(new Set(walked.map(({ sid }) => sid)).size).toBe(51);
  });

  it('carry the public URL, or what the request was sent to', async () => {
    const answer = await world.raw('/v1/Rooms?PageSize=1', { headers: { 'x-forwarded-proto': 'https' } });
    expect(answer.body.meta.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/v1\/Rooms\?PageSize=1&Page=0$/);
    world.setPublicUrl('https://voice.example/');
    const configured = await world.raw('/v1/Rooms?PageSize=1');
    world.setPublicUrl(null);
    expect(configured.body.meta.first_page_url).toBe('https://voice.example/v1/Rooms?PageSize=1&Page=0');
    expect(configured.body.rooms[0].url).toMatch(/^https:\/\/voice\.example\/v1\/Rooms\/RM/);
  });
});

describe('participants', () => {
  it('are as documented, found by SID and by an identity with a plus', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const phone = room.join({ identity: '+15550001111', medium: 'phone' });
    const answer = await world.raw(`/v1/Rooms/${room.sid}/Participants/+15550001111`);
    expect(answer.status).toBe(200);
    expect(problemsOf('video', 'video.v1.room.room_participant', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({ sid: phone.sid, identity: '+15550001111', status: 'connected', end_time: null, duration: null });
    expect((await rooms()(room.uniqueName).participants('+15550001111').fetch()).sid).toBe(phone.sid);
    expect((await rooms()(room.sid).participants(phone.sid).fetch()).identity).toBe('+15550001111');
    await expect(rooms()(room.sid).participants('nobody').fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    await expect(rooms()('Nowhere').participants.list()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('are removed by Status=disconnected, and by nothing else', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const alice = room.join({ identity: 'alice', medium: 'browser' });
    const reasons: string[] = [];
    alice.on('disconnected', (reason) => reasons.push(reason));
    await expect(rooms()(room.sid).participants('alice').update({ status: 'connected' })).rejects.toMatchObject({ status: 400, code: 53209 });
    const removed = await post(`/v1/Rooms/${room.sid}/Participants/alice`, { Status: 'disconnected' });
    expect(removed.status).toBe(202);
    expect(removed.body).toMatchObject({ status: 'disconnected', duration: expect.any(Number), end_time: expect.any(String) });
    expect(reasons).toEqual(['participant-removed']);
    await expect(rooms()(room.sid).participants('alice').fetch()).rejects.toMatchObject({ status: 404 });
    expect((await rooms()(room.sid).participants(alice.sid).fetch()).status).toBe('disconnected');
  });

  it('that are phones are muted by Muted, which shows in what they publish', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const desk = room.join({ identity: 'desk', medium: 'phone' });
    const track = desk.publish({ kind: 'audio', name: '' });
    const path = `/v1/Rooms/${room.sid}/Participants/desk`;
    const muted = await post(path, { Muted: 'true' });
    expect(muted.status, muted.text).toBe(202);
    expect(problemsOf('video', 'video.v1.room.room_participant', muted.body)).toEqual([]);
    expect(muted.body).toMatchObject({ identity: 'desk', status: 'connected' });
    expect((await rooms()(room.sid).participants('desk').publishedTracks(track.sid).fetch()).enabled).toBe(false);
    expect((await post(path, { Muted: 'FALSE' })).status).toBe(202);
    expect(track.enabled).toBe(true);
    expect((await post(path, { Muted: 'maybe' })).body).toMatchObject({ status: 400, code: 20001 });
    expect((await post(path, { Muted: 'true', Status: 'connected' })).body.code).toBe(53209);
    expect(track.enabled).toBe(true);
    const page = room.join({ identity: 'page', medium: 'browser' });
    expect((await post(`/v1/Rooms/${room.sid}/Participants/${page.sid}`, { Muted: 'true' })).body).toMatchObject({ status: 400, code: 20001 });
    page.disconnect('left');
    expect((await post(`/v1/Rooms/${room.sid}/Participants/${page.sid}`, { Muted: 'true' })).body).toMatchObject({ status: 400, code: 53204 });
  });

  it('that are phones show their call where the server is set to tell, until they are anonymized', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const call = { sid: newSid('CA'), from: '+15557001', to: '+15550100' };
    const desk = room.join({ identity: 'desk', medium: 'phone', call });
    const path = `/v1/Rooms/${room.sid}/Participants/${desk.sid}`;
    expect((await world.raw(path)).body).toMatchObject({ call_sid: call.sid, from: '+15557001', to: '+15550100' });
    expect((await rooms()(room.sid).participants(desk.sid).fetch()).identity).toBe('desk');
    desk.disconnect('left');
    expect((await world.raw(path)).body.call_sid).toBe(call.sid);
    const anonymous = await post(`${path}/Anonymize`, {});
    expect(anonymous.body.identity).toBe(desk.sid);
    expect(problemsOf('video', 'video.v1.room.room_participant', anonymous.body)).toEqual([]);
    const shy = room.join({ identity: 'shy', medium: 'phone', call: { sid: call.sid, from: null, to: null } });
    const { call_sid: callSid, from, to } = (await world.raw(`/v1/Rooms/${room.sid}/Participants/${shy.sid}`)).body;
    expect([callSid, from, to]).toEqual([call.sid, undefined, undefined]);
  });

  it('receive everything until SubscribeRules say otherwise', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const alice = room.join({ identity: 'alice', medium: 'browser' });
    const bob = room.join({ identity: 'bob', medium: 'phone' });
    const voice = bob.publish({ kind: 'audio', name: '' });
    const path = `/v1/Rooms/${room.sid}/Participants/alice/SubscribeRules`;
    const include = { type: 'include', all: true, publisher: null, track: null, kind: null, priority: null };
    expect((await world.raw(path)).body).toEqual({ participant_sid: alice.sid, room_sid: room.sid, rules: [include], date_created: null, date_updated: null });
    const rules = rooms()(room.sid).participants('alice').subscribeRules;
    const set = await rules.update({ rules: [{ type: 'include', all: true }, { type: 'exclude', publisher: 'bob' }] });
    expect(set.rules).toEqual([include, { ...include, type: 'exclude', all: null, publisher: 'bob' }]);
    expect(set.dateCreated).toBeInstanceOf(Date);
    expect(await rooms()(room.sid).participants('alice').subscribedTracks.list()).toEqual([]);
    await expect(rules.update({ rules: [{ type: 'include', all: true, kind: 'audio' }] })).rejects.toMatchObject({ status: 400, code: 53215 });
    expect((await rules.fetch()).rules).toHaveLength(2);
    await rules.update({ rules: [{ type: 'include', kind: 'audio' }] });
    expect((await rooms()(room.sid).participants('alice').subscribedTracks.list()).map(({ sid }) => sid)).toEqual([voice.sid]);
    await expect(rooms()(room.sid).participants('nobody').subscribeRules.fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('lose their identity by Anonymize, in a room and after it', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const alice = room.join({ identity: 'alice', medium: 'browser' });
    const bob = room.join({ identity: 'bob', medium: 'browser' });
    expect((await rooms()(room.sid).participants('alice').anonymize().update()).identity).toBe(alice.sid);
    await expect(rooms()(room.sid).participants('alice').fetch()).rejects.toMatchObject({ status: 404 });
    room.end('completed-by-api');
    expect((await rooms()(room.sid).participants(bob.sid).anonymize().update()).identity).toBe(bob.sid);
    expect((await rooms()(room.sid).participants.list({ status: 'disconnected' })).map(({ identity }) => identity).sort()).toEqual([alice.sid, bob.sid].sort());
  });

  it('are listed connected in a room in progress and disconnected after it', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const gone = room.join({ identity: 'gone', medium: 'browser' });
    gone.disconnect('left');
    const here = room.join({ identity: 'here', medium: 'browser' });
    const list = async (options = {}): Promise<string[]> => (await rooms()(room.sid).participants.list(options)).map(({ sid }) => sid);
    expect(await list()).toEqual([here.sid]);
    expect(await list({ status: 'disconnected' })).toEqual([gone.sid]);
    expect(await list({ identity: 'nobody' })).toEqual([]);
    await rooms()(room.sid).update({ status: 'completed' });
    expect((await list()).sort()).toEqual([gone.sid, here.sid].sort());
  });
});

it('a participant that is reconnecting is listed when asked for, as `connected` is the usual filter', async () => {
  const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
  room.join({ identity: 'here', medium: 'browser' });
  room.join({ identity: 'away', medium: 'browser' }).setReconnecting(true);
  const base = `/v1/Rooms/${room.sid}/Participants`;
  const listed = async (query: string): Promise<string[]> => (await world.raw(`${base}${query}`)).body.participants.map(({ identity }: { identity: string }) => identity);
  expect(await listed('')).toEqual(['here']);
  expect(await listed('?Status=reconnecting')).toEqual(['away']);
  expect((await world.raw(`${base}/away`)).body).toMatchObject({ identity: 'away', status: 'reconnecting' });
});

it.each(['RecordingRules', 'Transcriptions'])('%s of a room that is not there cannot be found', async (what) => {
  expect((await post(`/v1/Rooms/${name()}/${what}`, { Rules: '[{"type":"include","all":true}]' })).body).toMatchObject({ status: 404, code: 20404 });
});

describe('tracks', () => {
  it('are published by one and received by the others', async () => {
    const room = await world.rooms.create(world.account.sid, { uniqueName: name() });
    const alice = room.join({ identity: 'alice', medium: 'browser' });
    const bob = room.join({ identity: '+15550002222', medium: 'phone' });
    const sound = alice.publish({ kind: 'audio', name: 'mic' });
    const picture = alice.publish({ kind: 'video', name: 'camera', enabled: false });
    const voice = bob.publish({ kind: 'audio', name: '' });
    const base = `/v1/Rooms/${room.sid}/Participants`;
    const published = (await world.raw(`${base}/alice/PublishedTracks`)).body;
    expect(published.meta.key).toBe('published_tracks');
    expect(published.published_tracks.map((track: { sid: string }) => track.sid).sort()).toEqual([sound.sid, picture.sid].sort());
    const one = (await world.raw(`${base}/alice/PublishedTracks/camera`)).body;
    expect(problemsOf('video', 'video.v1.room.room_participant.room_participant_published_track', one)).toEqual([]);
    expect(one).toMatchObject({ sid: picture.sid, kind: 'video', enabled: false, participant_sid: alice.sid });
    const subscribed = (await world.raw(`${base}/alice/SubscribedTracks`)).body.subscribed_tracks;
    expect(subscribed).toHaveLength(1);
    expect(problemsOf('video', 'video.v1.room.room_participant.room_participant_subscribed_track', subscribed[0])).toEqual([]);
    expect(subscribed[0]).toMatchObject({ sid: voice.sid, participant_sid: alice.sid, publisher_sid: bob.sid, kind: 'audio' });
    const byPhone = await rooms()(room.sid).participants(bob.sid).subscribedTracks.list();
    expect(byPhone.map(({ sid }) => sid)).toEqual([sound.sid]);
    expect((await rooms()(room.sid).participants('alice').publishedTracks(sound.sid).fetch()).name).toBe('mic');
    alice.unpublish(sound.sid);
    await expect(rooms()(room.sid).participants('alice').publishedTracks(sound.sid).fetch()).rejects.toMatchObject({ status: 404 });
    expect(await rooms()(room.sid).participants(bob.sid).subscribedTracks.list()).toEqual([]);
  });
});

describe('transcriptions of a room', () => {
  it('are started, listed, stopped and fetched, as documented', async () => {
    const room = await rooms().create({ uniqueName: name() });
    const { transcriptions } = rooms()(room.sid);
    const started = await transcriptions.create({ configuration: { languageCode: 'en-GB' } });
    expect(started).toMatchObject({ status: 'started', roomSid: room.sid, configuration: { languageCode: 'en-GB' }, endTime: null, duration: null });
    const raw = await world.raw(`/v1/Rooms/${room.sid}/Transcriptions/${started.ttid}`);
    expect(problemsOf('video', 'video.v1.room.room_transcriptions', raw.body)).toEqual([]);
    expect((await transcriptions.list()).map(({ ttid }) => ttid)).toEqual([started.ttid]);
    expect((await transcriptions(started.ttid).update({ status: 'stopped' })).status).toBe('stopped');
    expect(await transcriptions(started.ttid).fetch()).toMatchObject({ status: 'stopped', duration: 0, endTime: expect.any(Date) });
  });

  it.each([
    ['a configuration that is no object', '', { Configuration: '[]' }, 400, 20001],
    ['a status that is none', '/{ttid}', { Status: 'paused' }, 400, 20001],
    ['one that is not there', '/video_extension_0', { Status: 'stopped' }, 404, 20404],
  ])('%s is refused', async (...[, path, form, status, code]) => {
    const room = await rooms().create({ uniqueName: name() });
    const { ttid } = await rooms()(room.sid).transcriptions.create();
    const answer = await post(`/v1/Rooms/${room.sid}/Transcriptions${path.replace('{ttid}', ttid)}`, form as Record<string, string>);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('are not begun in a completed room, nor in one that is not there', async () => {
    const room = await rooms().create({ uniqueName: name() });
    await rooms()(room.sid).update({ status: 'completed' });
    expect((await post(`/v1/Rooms/${room.sid}/Transcriptions`, {})).body).toMatchObject({ status: 400, code: 53118 });
    expect((await post('/v1/Rooms/nowhere/Transcriptions', {})).body).toMatchObject({ status: 404, code: 20404 });
    expect((await world.raw('/v1/Rooms/nowhere/Transcriptions/x')).status).toBe(404);
  });

  it('begin with a room that asks for it', async () => {
    const { body } = await post('/v1/Rooms', { TranscribeParticipantsOnConnect: 'true', TranscriptionsConfiguration: '{"languageCode":"fr-FR"}' });
    expect((await rooms()(body.sid).transcriptions.list())[0]).toMatchObject({ status: 'started', configuration: { languageCode: 'fr-FR' } });
    expect((await post('/v1/Rooms', { TranscriptionsConfiguration: 'x' })).body).toMatchObject({ status: 400, code: 20001 });
  });
});
