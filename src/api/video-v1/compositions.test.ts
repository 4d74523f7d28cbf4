import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { basic, openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { newSid, type RoomSid } from '../../base/sid.ts';
import type { RoomRecordingRecord } from '../../recording/contract.ts';
import type { FakeWork } from '../../testing/fake-composer.ts';

// Compositions, their hooks and their settings as the official client and raw requests see them; nothing is really composed.

let world: RestWorld;
/** Over, with one track. */
let plainRoom: RoomSid | undefined;

beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());
beforeEach(() => {
  world.composer.missing = null;
  world.composer.works.length = 0;
  world.compositionCallbacks.length = 0;
});

const compositions = (): RestWorld['client']['video']['v1']['compositions'] => world.client.video.v1.compositions;
const hooks = (): RestWorld['client']['video']['v1']['compositionHooks'] => world.client.video.v1.compositionHooks;
const post = (path: string, form: Record<string, string> | [string, string][]): ReturnType<RestWorld['raw']> => world.raw(path, { body: new URLSearchParams(form) });
const events = (): (string | undefined)[] => world.compositionCallbacks.map(({ parameters }) => parameters['StatusCallbackEvent']);
const grid = { grid: { video_sources: ['*'] } };

const record = (roomSid: RoomSid, over: Partial<RoomRecordingRecord> = {}): RoomRecordingRecord => {
  const row: RoomRecordingRecord = {
    sid: newSid('RT'),
    accountSid: world.account.sid,
    roomSid,
    participantSid: newSid('PA'),
    trackSid: newSid('MT'),
    trackName: 'voice',
    type: 'audio',
    status: 'completed',
    container: 'mka',
    codec: 'OPUS',
    bytes: 5000,
    durationMs: 4000,
    offsetMs: Date.now(),
    statusCallback: null,
    statusCallbackMethod: 'POST',
    createdAtMs: Date.now(),
    updatedAtMs: Date.now(),
    ...over,
  };
  world.store.roomRecordings.saveRecording(row);
  return row;
};
const openRoom = async (): Promise<RoomSid> => (await world.rooms.create(world.account.sid, {})).sid;
const endRoom = (sid: RoomSid): void => world.rooms.find(world.account.sid, sid)?.end('completed-by-api');
/** A room that is over, with these recordings. */
const recordedRoom = async (...rows: Partial<RoomRecordingRecord>[]): Promise<RoomSid> => {
  const sid = await openRoom();
  for (const row of rows) record(sid, row);
  endRoom(sid);
  return sid;
};
const work = async (): Promise<FakeWork> => await vi.waitFor(() => world.composer.works.find(Boolean) ?? expect.fail('nothing is composed'), 4000);
const statusOf = async (sid: string): Promise<string> => (await compositions()(sid).fetch()).status;
const settled = async (sid: string, status: string): Promise<void> => await vi.waitFor(async () => expect(await statusOf(sid)).toBe(status), 4000);

describe('a composition', () => {
  it('is as documented from its beginning to its media, and tells how it goes', async () => {
    const roomSid = await recordedRoom({}, { type: 'video', container: 'mkv', codec: 'VP8', trackName: 'cam' });
    const made = await post('/v1/Compositions', [['RoomSid', roomSid], ['AudioSources', '*'], ['VideoLayout', JSON.stringify(grid)], ['Resolution', '1280x720'], ['Format', 'mp4'], ['StatusCallback', 'https://app.example/c']]);
    expect(made.status, made.text).toBe(201);
    expect(problemsOf('video', 'video.v1.composition', made.body)).toEqual([]);
    expect(made.body).toMatchObject({ status: 'enqueued', room_sid: roomSid, audio_sources: ['*'], audio_sources_excluded: [], resolution: '1280x720', format: 'mp4', trim: true, size: 0, duration: 0, bitrate: 0, status_callback_method: 'POST' });
    expect(made.body.video_layout.grid).toMatchObject({ video_sources: ['*'], reuse: 'show_oldest', x_pos: 0, cells_excluded: [] });
    const { sid } = made.body as { sid: string };
    const { plan, onProgress, finish } = await work();
    expect(plan).toMatchObject({ format: 'mp4', picture: { width: 1280, height: 720 } });
    expect([plan.audios.length, plan.videos.length]).toEqual([1, 1]);
    expect(await statusOf(sid)).toBe('processing');
    expect((await world.raw(`/v1/Compositions/${sid}/Media`)).status).toBe(404);
    for (const share of [0.05, 0.11, 0.12, 0.35, 1]) onProgress(plan.durationMs * share);
    finish(2000);
    await settled(sid, 'completed');
    const done = await compositions()(sid).fetch();
    expect(done).toMatchObject({ size: 2000, duration: 4, bitrate: 4 });
    expect(done.dateCompleted).toBeInstanceOf(Date);
    expect(events()).toEqual(['composition-started', 'composition-progress', 'composition-progress', 'composition-available']);
    expect(world.compositionCallbacks.map(({ parameters }) => parameters['PercentageDone']).filter(Boolean)).toEqual(['11', '35']);
    expect(world.compositionCallbacks.at(-1)).toMatchObject({
      url: 'https://app.example/c',
      parameters: { AccountSid: world.account.sid, RoomSid: roomSid, CompositionSid: sid, CompositionUri: `/v1/Compositions/${sid}`, MediaUri: `/v1/Compositions/${sid}/Media`, Duration: '4', Size: '2000', Timestamp: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
  });

  it('is downloaded over a signed link, in ranges, until the link ends', async () => {
    const { sid } = await compositions().create({ roomSid: await recordedRoom({}), audioSources: ['*'] });
    (await work()).finish(10);
    await settled(sid, 'completed');
    const media = await fetch(`${world.url}/v1/Compositions/${sid}/Media?Ttl=60`, { redirect: 'manual', headers: { authorization: basic(world.account.sid, world.account.authToken) } });
    const { redirect_to: link } = (await media.json()) as { redirect_to: string };
    expect([media.status, media.headers.get('location')]).toEqual([302, link]);
    expect((await world.raw(`/v1/Compositions/${sid}/Media?ContentDisposition=inline`)).headers.get('content-disposition')).toMatch(/^inline;/);
    const file = await world.raw(link, { authorization: null, headers: { range: 'bytes=2-4' } });
    expect([file.status, file.headers.get('content-type'), file.headers.get('content-disposition'), file.text.length]).toEqual([206, 'video/webm', `attachment; filename="${sid}.webm"`, 3]);
    const forged = [link.replace(/Expires=\d+/, 'Expires=9999999999'), link.replace('attachment', 'inline'), link.replace(sid, newSid('CJ')), link.replace(/Signature=.*/, '')];
    for (const url of forged) expect((await world.raw(url, { authorization: null })).body, url).toMatchObject({ status: 403, code: 20403 });
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000);
    expect((await world.raw(link, { authorization: null })).status).toBe(403);
    clock.mockRestore();
    for (const ttl of ['0', '43201', 'x']) expect((await world.raw(`/v1/Compositions/${sid}/Media?Ttl=${ttl}`)).body).toMatchObject({ status: 400, code: 20001 });
    expect((await world.raw(`/v1/Compositions/${sid}/Media`, { authorization: null })).status).toBe(401);
  });

  it('that is deleted keeps its row; one that runs is stopped', async () => {
    const roomSid = await recordedRoom({});
    const { sid } = await compositions().create({ roomSid, audioSources: ['*'] });
    const { signal, finish } = await work();
    expect(await compositions()(sid).remove()).toBe(true);
    expect(signal.aborted).toBe(true);
    finish();
    const deleted = await world.raw(`/v1/Compositions/${sid}`);
    expect(deleted.body).toMatchObject({ status: 'deleted', date_deleted: expect.any(String) });
    expect(problemsOf('video', 'video.v1.composition', deleted.body)).toEqual([]);
    expect((await world.raw(`/v1/Compositions/${sid}`, { method: 'DELETE' })).status).toBe(204);
    expect((await world.raw(`/v1/Compositions/${newSid('CJ')}`, { method: 'DELETE' })).status).toBe(404);
  });

  it('of a room in progress waits for its end and for its recordings', async () => {
    const roomSid = await openRoom();
    const { sid } = await compositions().create({ roomSid, audioSources: ['*'], statusCallback: 'https://app.example/c' });
    const track = record(roomSid, { status: 'processing', durationMs: null, bytes: null });
    endRoom(roomSid);
    expect([await statusOf(sid), world.composer.works.length]).toEqual(['enqueued', 0]);
    record(roomSid, { ...track, status: 'completed', durationMs: 3000, bytes: 100 });
    const { plan, fail } = await work();
    expect(plan.durationMs).toBe(3000);
    fail('the disk is full');
    await settled(sid, 'failed');
    expect(world.compositionCallbacks.at(-1)?.parameters).toMatchObject({ StatusCallbackEvent: 'composition-failed', ErrorMessage: 'the disk is full', FailedOperation: expect.any(String) });
  });

  it.each<[what: string, form: (room: RoomSid) => Record<string, string>, code: number]>([
    ['no room', () => ({ AudioSources: '*' }), 20001],
    ['a room of nobody', () => ({ AudioSources: '*', RoomSid: newSid('RM') }), 20001],
    ['no sources asked for', (RoomSid) => ({ RoomSid }), 53630],
    ['no such sources', (RoomSid) => ({ RoomSid, AudioSources: 'other' }), 53630],
    ['an empty layout', (RoomSid) => ({ RoomSid, VideoLayout: '{}' }), 53630],
    ['a layout that is none', (RoomSid) => ({ RoomSid, VideoLayout: '{"g":{"x_pos":1}}' }), 20001],
    ['a resolution', (RoomSid) => ({ RoomSid, AudioSources: '*', Resolution: '1920x1080' }), 20001],
    ['a format', (RoomSid) => ({ RoomSid, AudioSources: '*', Format: 'avi' }), 20001],
    ['a callback', (RoomSid) => ({ RoomSid, AudioSources: '*', StatusCallback: 'ftp://x' }), 53662],
    ['a callback method', (RoomSid) => ({ RoomSid, AudioSources: '*', StatusCallbackMethod: 'PUT' }), 53661],
  ])('is refused with %s', async (_what, form, code) => {
    const refused = await post('/v1/Compositions', form((plainRoom ??= await recordedRoom({}))));
    expect(refused.body).toMatchObject({ status: 400, code });
    expect(Object.keys(refused.body).sort()).toEqual(['code', 'message', 'more_info', 'status']);
  });

  it('is refused when all was deleted, when there is too much, and without ffmpeg', async () => {
    expect((await post('/v1/Compositions', { RoomSid: await recordedRoom({ status: 'deleted' }), AudioSources: '*' })).body).toMatchObject({ status: 400, code: 53628 });
    expect((await post('/v1/Compositions', { RoomSid: await recordedRoom({ durationMs: 86_400_001 }), AudioSources: '*' })).body).toMatchObject({ status: 400, code: 53633 });
    world.composer.missing = 'ffmpeg cannot be run: apt-get install ffmpeg';
    expect((await post('/v1/Compositions', { RoomSid: await recordedRoom({}), AudioSources: '*' })).body).toMatchObject({ status: 501, code: 53632, message: expect.stringContaining('apt-get') });
  });

  it('is listed, newest first, by room, status and date', async () => {
    const roomSid = await recordedRoom({});
    const made = [];
    for (const format of ['mp4', 'webm'] as const) made.push((await compositions().create({ roomSid, audioSources: ['*'], format })).sid);
    expect((await compositions().list({ roomSid })).map(({ sid }) => sid)).toEqual(made.reverse());
    expect((await compositions().list({ roomSid, status: 'completed' })).length).toBe(0);
    expect((await compositions().list({ roomSid, dateCreatedAfter: new Date(Date.now() + 5000) })).length).toBe(0);
    expect((await world.raw(`/v1/Compositions?RoomSid=${roomSid}&PageSize=1`)).body).toMatchObject({ compositions: [{ sid: made[0] }], meta: { key: 'compositions', next_page_url: expect.any(String) } });
    expect((await world.raw('/v1/Compositions?PageSize=101')).body).toMatchObject({ status: 400, code: 20007 });
    for (const sid of made) await compositions()(sid).remove();
  });
});

describe('a composition hook', () => {
  it('is as documented, and has a name of its own', async () => {
    const made = await post('/v1/CompositionHooks', [['FriendlyName', 'Archive'], ['AudioSources', 'a*'], ['AudioSources', 'b'], ['VideoLayout', JSON.stringify(grid)], ['Enabled', 'false']]);
    expect(made.status, made.text).toBe(201);
    expect(problemsOf('video', 'video.v1.composition_hook', made.body)).toEqual([]);
    expect(made.body).toMatchObject({ friendly_name: 'Archive', enabled: false, audio_sources: ['a*', 'b'], format: 'webm', date_updated: null });
    expect((await post('/v1/CompositionHooks', { FriendlyName: 'Archive', AudioSources: '*' })).body).toMatchObject({ status: 400, code: 20001 });
    for (const FriendlyName of ['', ' ', 'x'.repeat(101)]) expect((await post('/v1/CompositionHooks', { FriendlyName, AudioSources: '*' })).body).toMatchObject({ status: 400, code: 20001 });
    expect((await post('/v1/CompositionHooks', { FriendlyName: 'Empty' })).body).toMatchObject({ status: 400, code: 53630 });
    const hook = await hooks()(made.body.sid).update({ friendlyName: 'Archive', audioSources: ['*'], format: 'mp4' });
    expect([hook.enabled, hook.format, hook.dateUpdated]).toEqual([true, 'mp4', expect.any(Date)]);
    expect((await hooks().list({ friendlyName: 'Archive', enabled: true })).map(({ sid }) => sid)).toEqual([hook.sid]);
    expect(await hooks().list({ enabled: false })).toEqual([]);
    expect(await hooks()(hook.sid).remove()).toBe(true);
    expect((await world.raw(`/v1/CompositionHooks/${hook.sid}`)).status).toBe(404);
  });

  it('makes a composition of every room that ends and was recorded', async () => {
    const hook = await hooks().create({ friendlyName: 'All', audioSources: ['*'], statusCallback: 'https://app.example/hook' });
    const off = await hooks().create({ friendlyName: 'Off', enabled: false, audioSources: ['*'] });
    endRoom(await openRoom());
    const roomSid = await recordedRoom({});
    (await work()).finish();
    const [made] = await vi.waitFor(async () => {
      const all = await compositions().list({ roomSid, status: 'completed' });
      expect(all).toHaveLength(1);
      return all;
    }, 4000);
    expect(events()).toEqual(['composition-enqueued', 'composition-started', 'composition-available']);
    expect(world.compositionCallbacks[0]?.parameters).toMatchObject({ HookSid: hook.sid, HookUri: `/v1/CompositionHooks/${hook.sid}`, CompositionSid: made?.sid, RoomSid: roomSid });
    world.composer.missing = 'ffmpeg cannot be run';
    world.compositionCallbacks.length = 0;
    const other = await recordedRoom({});
    await vi.waitFor(() => expect(world.compositionCallbacks.map(({ parameters }) => parameters)).toMatchObject([{ StatusCallbackEvent: 'composition-hook-failed', HookSid: hook.sid, RoomSid: other, ErrorMessage: expect.stringContaining('ffmpeg') }]), 4000);
    for (const { sid } of [hook, off]) await hooks()(sid).remove();
  });
});

describe('after a restart', () => {
  it('the hooks make compositions of the rooms that a crash ended', async () => {
    const roomSid = await recordedRoom({});
    const hook = await hooks().create({ friendlyName: 'Late', audioSources: ['*'] });
    const room = (await world.store.rooms.findRoom(world.account.sid, roomSid)) ?? expect.fail('no such room');
    world.composer.works.length = 0;
    await world.compositionDeps.compositions.resume([room]);
    (await work()).finish();
    await vi.waitFor(async () => expect(await compositions().list({ roomSid, status: 'completed' })).toHaveLength(1), 4000);
    await hooks()(hook.sid).remove();
  });

  it('what was not finished is composed again', async () => {
    const roomSid = await recordedRoom({});
    const { sid } = await compositions().create({ roomSid, audioSources: ['*'] });
    const first = await work();
    await world.compositionDeps.compositions.stop();
    expect([first.signal.aborted, await statusOf(sid)]).toEqual([true, 'processing']);
    expect((await post('/v1/Compositions', { RoomSid: roomSid, AudioSources: '*' })).body).toMatchObject({ status: 503, code: 53632 });
    world.composer.works.length = 0;
    const left = `${first.outputPath}.1234.part`;
    writeFileSync(left, 'half');
    await world.compositionDeps.compositions.resume([]);
    (await work()).finish();
    await settled(sid, 'completed');
    expect(existsSync(left)).toBe(false);
  });
});

describe('composition settings', () => {
  it('are as documented; what this server cannot do is refused', async () => {
    const before = await world.raw('/v1/CompositionSettings/Default');
    expect(problemsOf('video', 'video.v1.composition_settings', before.body)).toEqual([]);
    const saved = await world.client.video.v1.compositionSettings().create({ friendlyName: 'Ours', awsS3Url: 'https://bucket.example/path' });
    expect([saved.friendlyName, saved.awsS3Url, saved.awsStorageEnabled, saved.encryptionEnabled]).toEqual(['Ours', 'https://bucket.example/path', false, false]);
    for (const name of ['AwsStorageEnabled', 'EncryptionEnabled']) expect((await post('/v1/CompositionSettings/Default', { FriendlyName: 'x', [name]: 'true' })).body).toMatchObject({ status: 400, code: 53620 });
    for (const more of [{ AwsS3Url: 'nope' }, { AwsCredentialsSid: 'CR1' }, { FriendlyName: '' }]) expect((await post('/v1/CompositionSettings/Default', { FriendlyName: 'x', ...more } as Record<string, string>)).body).toMatchObject({ status: 400, code: 20001 });
    expect((await world.client.video.v1.compositionSettings().fetch()).friendlyName).toBe('Ours');
  });
});
