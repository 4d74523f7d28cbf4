import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import type { RoomRecordingRecord } from '../../recording/model.ts';
import type { Room } from '../../rooms/contract.ts';
import { problemsOf } from '../../../test/openapi.ts';
import { openRestWorld, type RestWorld } from '../../../test/rest-world.ts';

// Rules, recordings, their media and settings as the official client and raw requests see them.

let world: RestWorld;
let room: Room;

beforeAll(async () => {
  world = await openRestWorld();
  room = await world.rooms.create(world.account.sid, { uniqueName: 'Show', statusCallback: 'https://app.example/room' });
}, 60_000);
afterAll(() => world.close());

const video = (): RestWorld['client']['video']['v1'] => world.client.video.v1;
const post = (path: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(path, { body: new URLSearchParams(form) });

function keep(over: Partial<RoomRecordingRecord> = {}, media = 'MEDIA OF A TRACK'): RoomRecordingRecord {
  const record: RoomRecordingRecord = {
    sid: newSid('RT'), accountSid: world.account.sid, roomSid: room.sid, participantSid: newSid('PA'), trackSid: newSid('MT'), trackName: 'mic', type: 'audio', status: 'completed', container: 'mka', codec: 'OPUS',
    bytes: media.length, durationMs: 400, offsetMs: 1_700_000_000_123, statusCallback: 'https://app.example/room', statusCallbackMethod: 'POST', createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_000_000, ...over,
  };
  world.store.roomRecordings.saveRecording(record);
  const path = world.roomRecordings.pathOf(record);
  mkdirSync(dirname(path), { recursive: true });
  if (record.status === 'completed') writeFileSync(path, media);
  return record;
}

it('RecordingRules are nothing at first, replaced whole, and refused when they make no sense', async () => {
  const rules = video().rooms(room.sid).recordingRules;
  const before = await world.raw('/v1/Rooms/Show/RecordingRules');
  expect(before.body).toEqual({ room_sid: room.sid, rules: [{ type: 'exclude', all: true }], date_created: null, date_updated: null });
  const set = await post('/v1/Rooms/Show/RecordingRules', { Rules: JSON.stringify([{ type: 'include', all: true }, { type: 'exclude', kind: 'video' }]) });
  expect(set.status, set.text).toBe(200);
  expect(problemsOf('video', 'video.v1.room.room_recording_rule', set.body)).toEqual([]);
  expect(set.body.rules).toEqual([{ type: 'include', all: true }, { type: 'exclude', kind: 'video' }]);
  expect((await rules.fetch()).dateUpdated).toBeInstanceOf(Date);
  for (const bad of [[{ type: 'include', kind: 'data' }], [], [{ type: 'include', all: true, kind: 'audio' }], [{ all: true }], 'x']) {
    const refused = await post('/v1/Rooms/Show/RecordingRules', { Rules: JSON.stringify(bad) });
    expect(refused.body).toEqual({ code: 53120, message: expect.any(String), more_info: 'https://www.twilio.com/docs/errors/53120', status: 400 });
  }
  await expect(rules.update({ rules: [{ type: 'include', kind: 'data' }] })).rejects.toMatchObject({ status: 400, code: 53120 });
  expect((await rules.fetch()).rules).toHaveLength(2);
});

it('RecordingRules of rooms that are not there, are over or are of another type', async () => {
  const all = { Rules: '[{"type":"include","all":true}]' };
  expect((await post('/v1/Rooms/Nowhere/RecordingRules', all)).body).toMatchObject({ status: 404, code: 20404 });
  expect((await world.raw('/v1/Rooms/Nowhere/RecordingRules')).body).toMatchObject({ status: 404, code: 20404 });
  const over = await video().rooms.create({ recordParticipantsOnConnect: true });
  await video().rooms(over.sid).update({ status: 'completed' });
  expect((await post(`/v1/Rooms/${over.sid}/RecordingRules`, all)).body).toMatchObject({ status: 400, code: 53118 });
  expect((await world.raw(`/v1/Rooms/${over.sid}/RecordingRules`)).body.rules).toEqual([{ type: 'include', all: true }]);
  expect((await post('/v1/Rooms', { Type: 'go', RecordParticipantsOnConnect: 'true' })).body.code).toBe(53122);
  expect((await post('/v1/Rooms', { RecordingRules: '[{"type":"include","kind":"data"}]' })).body.code).toBe(53120);
  const ruled = await video().rooms.create({ recordingRules: [{ type: 'include', publisher: 'anna' }] });
  expect((await world.raw(`/v1/Rooms/${ruled.sid}/RecordingRules`)).body).toMatchObject({ rules: [{ type: 'include', publisher: 'anna' }], date_created: expect.any(String) });
});

it('recordings are as documented, by either path', async () => {
  const record = keep();
  const whole = (await world.raw(`/v1/Recordings/${record.sid}`)).body;
  expect(problemsOf('video', 'video.v1.recording', whole)).toEqual([]);
  expect(whole).toMatchObject({ sid: record.sid, status: 'completed', type: 'audio', container_format: 'mka', codec: 'OPUS', size: 16, duration: 1, offset: 1_700_000_000_123, source_sid: record.trackSid, track_name: 'mic', grouping_sids: { room_sid: room.sid, participant_sid: record.participantSid } });
  const ofRoom = (await world.raw(`/v1/Rooms/Show/Recordings/${record.sid}`)).body;
  expect(problemsOf('video', 'video.v1.room.room_recording', ofRoom)).toEqual([]);
  expect(ofRoom.links.media).toBe(`${world.url}/v1/Rooms/${room.sid}/Recordings/${record.sid}/Media`);
  const running = keep({ status: 'processing', bytes: null, durationMs: null, type: 'video', container: 'mkv', codec: 'VP8' });
  const processing = (await world.raw(`/v1/Recordings/${running.sid}`)).body;
  expect(problemsOf('video', 'video.v1.recording', processing)).toEqual([]);
  expect(processing).toMatchObject({ size: 0, duration: 0, codec: 'VP8' });
  expect((await world.raw(`/v1/Recordings/${running.sid}/Media`)).status).toBe(404);
  const other = await world.rooms.create(world.account.sid, {});
  expect((await world.raw(`/v1/Rooms/${other.sid}/Recordings/${record.sid}`)).body).toMatchObject({ status: 404, code: 20404 });
  const stranger = await world.newAccount();
  await expect(world.clientAs(stranger.sid, stranger.authToken).video.v1.recordings(record.sid).fetch()).rejects.toMatchObject({ status: 404 });
});

it('lists have every filter, and pages', async () => {
  const stage = await world.rooms.create(world.account.sid, {});
  const [first, second, third] = [
    keep({ roomSid: stage.sid, createdAtMs: Date.UTC(2024, 0, 1) }),
    keep({ roomSid: stage.sid, type: 'video', container: 'mkv', codec: 'H264', createdAtMs: Date.UTC(2024, 0, 2) }),
    keep({ roomSid: stage.sid, status: 'failed', bytes: 0, durationMs: 0, createdAtMs: Date.UTC(2024, 0, 3) }),
  ];
  const sids = async (options: Parameters<ReturnType<typeof video>['recordings']['list']>[0]): Promise<string[]> => (await video().recordings.list({ groupingSid: [stage.sid], ...options })).map(({ sid }) => sid);
  expect(await sids({})).toEqual([third.sid, second.sid, first.sid]);
  expect(await sids({ pageSize: 1 })).toEqual([third.sid, second.sid, first.sid]);
  expect(await sids({ status: 'failed' })).toEqual([third.sid]);
  expect(await sids({ mediaType: 'video' })).toEqual([second.sid]);
  expect(await sids({ mediaType: 'data' })).toEqual([]);
  expect(await sids({ sourceSid: first.trackSid })).toEqual([first.sid]);
  expect(await sids({ groupingSid: [stage.sid, second.participantSid] })).toEqual([second.sid]);
  expect(await sids({ dateCreatedAfter: new Date(Date.UTC(2024, 0, 2)), dateCreatedBefore: new Date(Date.UTC(2024, 0, 2, 12)) })).toEqual([second.sid]);
  expect((await video().rooms(stage.sid).recordings.list({ status: 'completed' })).map(({ sid }) => sid)).toEqual([second.sid, first.sid]);
  expect((await world.raw('/v1/Recordings?PageSize=101')).body.code).toBe(20007);
  expect((await world.raw('/v1/Recordings?Status=gone')).body.code).toBe(20001);
  expect((await world.store.roomRecordings.listOfRoom(stage.sid)).map(({ sid }) => sid)).toEqual([first.sid, second.sid, third.sid]);
});

it('media is behind a signed link that ends, with ranges, until the recording is deleted', async () => {
  const record = keep();
  const redirect = await fetch(`${world.url}/v1/Recordings/${record.sid}/Media?Ttl=60`, { redirect: 'manual', headers: { authorization: `Basic ${Buffer.from(`${world.account.sid}:${world.account.authToken}`).toString('base64')}` } });
  expect(redirect.status).toBe(302);
  const link = redirect.headers.get('location') ?? '';
  expect(await redirect.json()).toEqual({ redirect_to: link });
  const byClient = await world.client.request({ method: 'get', uri: `${world.url}/v1/Recordings/${record.sid}/Media` });
  expect(byClient).toMatchObject({ statusCode: 302, body: { redirect_to: expect.stringContaining(record.sid) } });
  const media = await fetch(link);
  expect([media.status, media.headers.get('content-type'), await media.text()]).toEqual([200, 'audio/x-matroska', 'MEDIA OF A TRACK']);
  const part = await fetch(link, { headers: { range: 'bytes=6-7' } });
  expect([part.status, await part.text()]).toEqual([206, 'OF']);
  for (const [from, to] of [[record.sid, keep().sid], ['Signature=', 'Signature=A'], [/Expires=\d+/, 'Expires=99999999999']] as const) expect((await fetch(link.replace(from, to))).status).toBe(403);
  expect((await fetch(link.replace(record.sid, '..%2f..%2fcredentials.json'))).status).toBe(403);
  expect(await video().recordings(record.sid).remove()).toBe(true);
  expect((await fetch(link)).status).toBe(404);
  expect((await video().recordings(record.sid).fetch()).status).toBe('deleted');
  expect((await world.raw(`/v1/Recordings/${record.sid}/Media`)).status).toBe(404);
});

it('RecordingSettings are kept; storage elsewhere and encryption are refused', async () => {
  const settings = await world.raw('/v1/RecordingSettings/Default');
  expect(problemsOf('video', 'video.v1.recording_settings', settings.body)).toEqual([]);
  const key = `CR${'a'.repeat(32)}`;
  const kept = await video().recordingSettings().create({ friendlyName: 'Ours', awsCredentialsSid: key, awsS3Url: 'https://bucket.example/path', encryptionKeySid: key, awsStorageEnabled: false });
  expect(kept).toMatchObject({ friendlyName: 'Ours', awsStorageEnabled: false, encryptionEnabled: false });
  expect(await video().recordingSettings().fetch()).toMatchObject({ friendlyName: 'Ours', awsCredentialsSid: key, awsS3Url: 'https://bucket.example/path', encryptionKeySid: key });
  const refused = async (form: Record<string, string>): Promise<number> => (await post('/v1/RecordingSettings/Default', form)).body.code;
  expect(await refused({ FriendlyName: 'x', AwsStorageEnabled: 'true' })).toBe(53610);
  expect(await refused({ FriendlyName: 'x', EncryptionEnabled: 'true' })).toBe(53612);
  expect(await refused({})).toBe(20001);
  expect(await refused({ FriendlyName: 'x', AwsCredentialsSid: 'CRx' })).toBe(20001);
});

it('a NUL in a path names nothing', async () => {
  for (const path of [`/v1/Rooms/${room.sid}/Transcriptions/a%00b`, '/v1/Rooms/a%00b', '/v1/Rooms/a%00b/Recordings', `/v1/Rooms/${room.sid}/Participants/a%00b`]) {
    expect((await world.raw(path)).body, path).toMatchObject({ status: 404, code: 20404 });
  }
});
