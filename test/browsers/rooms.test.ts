import { beforeAll, describe, expect, it } from 'vitest';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { TcpProxy } from '../peers/tcp-proxy.ts';
import { waitUntil } from '../peers/wait.ts';

// Browsers among themselves, by the unmodified twilio-video package.

const cast = new Cast();
const ANNA_HZ = 440;
const BEN_HZ = 620;
let stage: Stage;
let browser: Browser;
let proxy: TcpProxy;
let anna: Party;
let ben: Party;

beforeAll(async () => {
  [stage, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  proxy = await cast.add('proxy', TcpProxy.start(stage.server.httpPort));
  anna = await browser.party('anna');
  ben = await browser.party('ben');
}, 60_000);

const join = (page: Party, identity: string, roomName: string, more: { toneHz?: number; video?: boolean; wsServer?: string } = {}): ReturnType<Party['join']> =>
  page.join({ token: stage.server.token(identity), wsServer: stage.server.wsUrl, roomName, ...more });

const participantsOf = (room: string) => stage.server.client.video.v1.rooms(room).participants;

describe('a room that nobody made', () => {
  it('is made by the first browser and is gone with the last', async () => {
    const guest = await browser.party('guest');
    const view = await join(guest, 'guest', 'AdHoc');
    const room = await stage.server.client.video.v1.rooms('AdHoc').fetch();
    expect(view).toMatchObject({ sid: room.sid, name: 'AdHoc', localIdentity: 'guest', state: 'connected' });
    await guest.leave();
    await waitUntil(async () => (await stage.server.client.video.v1.rooms(room.sid).fetch()).status === 'completed', { what: 'the ad-hoc room to be completed' });
    await guest.close();
  });

  it('is named by its SID when connect() names none', async () => {
    const guest = await browser.party('guest');
    const view = await guest.join({ token: stage.server.token('guest'), wsServer: stage.server.wsUrl });
    expect(view.name).toBe(view.sid);
    await guest.leave();
    await guest.close();
  });
});

describe('two browsers', () => {
  it('see each other come, with their tracks', async () => {
    await stage.room('Pair');
    const annaView = await join(anna, 'anna', 'Pair', { toneHz: ANNA_HZ, video: true });
    expect(annaView.participants).toEqual([]);
    const benView = await join(ben, 'ben', 'Pair', { toneHz: BEN_HZ });
    expect(benView.participants.map((participant) => participant.identity)).toEqual(['anna']);
    await anna.waitEvent((event) => event.name === 'participantConnected' && event.identity === 'ben', 'ben to come');
    await Promise.all([anna.waitHears('ben', BEN_HZ), ben.waitHears('anna', ANNA_HZ)]);
    await waitUntil(async () => (await ben.rtp()).some((row) => row.kind === 'video' && (row.framesDecoded ?? 0) > 5), { timeoutMs: 8000, what: 'pictures of anna at ben' });
    const tracks = await participantsOf('Pair')('anna').publishedTracks.list();
    expect(tracks.map((track) => track.kind).sort()).toEqual(['audio', 'video']);
    expect(tracks.map((track) => track.name).sort()).toEqual(['hum', 'picture']);
  });

  it('mute and unmute is told', async () => {
    await anna.enableAudio(false);
    await ben.waitEvent((event) => event.name === 'trackDisabled' && event.identity === 'anna' && event.kind === 'audio', 'anna to mute');
    await anna.enableAudio(true);
    await ben.waitEvent((event) => event.name === 'trackEnabled' && event.identity === 'anna' && event.kind === 'audio', 'anna to unmute');
    await ben.waitHears('anna', ANNA_HZ);
  });

  it('unpublish and publish again, heard under a new SID', async () => {
    const before = (await participantsOf('Pair')('ben').publishedTracks.list())[0]!.sid;
    await ben.unpublishAudio();
    await anna.waitEvent((event) => event.name === 'trackUnpublished' && event.identity === 'ben' && event.sid === before, 'ben to unpublish');
    expect(await participantsOf('Pair')('ben').publishedTracks.list()).toEqual([]);
    const sid = await ben.publishTone(810, 'second hum');
    expect(sid).toMatch(/^MT[0-9a-f]{32}$/);
    expect(sid).not.toBe(before);
    await anna.waitEvent((event) => event.name === 'trackSubscribed' && event.identity === 'ben' && event.sid === sid, 'the new track');
    await anna.waitHears('ben', 810);
    await ben.publishPicture();
    await waitUntil(async () => (await anna.rtp()).some((row) => row.kind === 'video' && (row.framesDecoded ?? 0) > 5), { timeoutMs: 8000, what: 'pictures of ben at anna' });
  });

  it('several publishes of both at the same time all arrive, and their m-lines are used again', async () => {
    const round = async (tones: { anna: number[]; ben: number[] }): Promise<number[]> => {
      const [annas, bens] = await Promise.all([anna.publishMany(tones.anna, 1), ben.publishMany(tones.ben, 1)]);
      const told = (name: string): Promise<unknown> => {
        const each = (page: Party, identity: string, sids: string[]) => sids.map((sid) => page.waitEvent((event) => event.name === name && event.identity === identity && event.sid === sid, `${name} of ${sid} of ${identity}`));
        return Promise.all([...each(ben, 'anna', annas), ...each(anna, 'ben', bens)]);
      };
      await told('trackSubscribed');
      for (const i of [0, 1]) await Promise.all([ben.waitHears('anna', tones.anna[i]!), anna.waitHears('ben', tones.ben[i]!)]);
      const mLines = await Promise.all([anna.mLines(), ben.mLines()]);
      await Promise.all([anna.unpublishMany(), ben.unpublishMany()]);
      await told('trackUnsubscribed');
      return mLines;
    };
    const once = await round({ anna: [1500, 1700], ben: [1900, 2100] });
    const twice = await round({ anna: [1550, 1750], ben: [1950, 2150] });
    expect(twice).toEqual(once);
    await ben.waitHears('anna', ANNA_HZ);
  });

  it('the same identity again displaces the first with 53205', async () => {
    const twin = await browser.party('twin');
    await join(twin, 'ben', 'Pair', { toneHz: 1000 });
    const gone = await ben.waitEvent((event) => event.name === 'disconnected', 'the first ben to go');
    expect(gone.code).toBe(53205);
    await anna.waitHears('ben', 1000);
    expect((await stage.participants('Pair')).map((participant) => participant.identity).sort()).toEqual(['anna', 'ben']);
    await twin.leave();
    await anna.waitEvent((event) => event.name === 'participantDisconnected' && event.identity === 'ben', 'ben to leave');
    await stage.waitParticipants('Pair', 1);
    await twin.close();
  });

  it('a removed browser goes without an error', async () => {
    const removed = await browser.party('removed');
    const view = await join(removed, 'removed', 'Pair');
    await participantsOf('Pair')('removed').update({ status: 'disconnected' });
    const gone = await removed.waitEvent((event) => event.name === 'disconnected', 'the end');
    expect(gone.code).toBeNull();
    await expect(participantsOf('Pair')('removed').fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    expect((await participantsOf('Pair')(view.localSid).fetch()).status).toBe('disconnected');
    await expect(participantsOf('Pair')('anna').update({ status: 'connected' })).rejects.toMatchObject({ status: 400, code: 53209 });
    await removed.close();
  });
});

describe('a lost connection', () => {
  it('comes back: reconnecting, then reconnected, and the sound goes on', async () => {
    const mobile = await browser.party('mobile');
    await join(mobile, 'mobile', 'Pair', { toneHz: 1270, wsServer: `ws://127.0.0.1:${proxy.port}/signaling` });
    await anna.waitHears('mobile', 1270);
    proxy.slam();
    await mobile.waitEvent((event) => event.name === 'reconnecting', 'the loss to be noticed');
    await anna.waitEvent((event) => event.name === 'participantReconnecting' && event.identity === 'mobile', 'the loss to be told');
    expect((await anna.listen(800, [1270]))['mobile']?.[1270]?.share, 'sound needs no signaling').toBeGreaterThan(0.8);
    proxy.reopen();
    await mobile.waitEvent((event) => event.name === 'reconnected', 'the return', 20_000);
    await anna.waitEvent((event) => event.name === 'participantReconnected' && event.identity === 'mobile', 'the return to be told');
    await anna.waitHears('mobile', 1270);
    await mobile.waitHears('anna', ANNA_HZ);
    expect((await stage.participants('Pair')).map((participant) => participant.identity).sort()).toEqual(['anna', 'mobile']);
    await mobile.leave();
    await mobile.close();
  });

  it('a page that is closed without a word leaves the room', async () => {
    const brief = await browser.party('brief');
    await join(brief, 'brief', 'Pair');
    await anna.waitEvent((event) => event.name === 'participantConnected' && event.identity === 'brief', 'the guest');
    await brief.page.close({ runBeforeUnload: false });
    await anna.waitEvent((event) => (event.name === 'participantDisconnected' || event.name === 'participantReconnecting') && event.identity === 'brief', 'the guest to be missed', 15_000);
  });
});

it('a completed room ends for everybody with 53118, and its participants are history', async () => {
  await stage.server.client.video.v1.rooms('Pair').update({ status: 'completed' });
  const gone = await anna.waitEvent((event) => event.name === 'disconnected', 'the end of the room');
  expect(gone.code).toBe(53118);
  const [room] = await stage.server.client.video.v1.rooms.list({ status: 'completed', uniqueName: 'Pair' });
  const history = await stage.server.client.video.v1.rooms(room!.sid).participants.list();
  expect(history.length).toBeGreaterThan(3);
  expect(history.every((participant) => participant.status === 'disconnected')).toBe(true);
});

it('a room that is full refuses the next one with 53105', async () => {
  await stage.room('Small', { maxParticipants: 2 });
  const guests = await Promise.all(['one', 'two', 'three'].map((name) => browser.party(name)));
  await join(guests[0]!, 'one', 'Small');
  await join(guests[1]!, 'two', 'Small');
  const refused = await guests[2]!.tryJoin({ token: stage.server.token('three'), wsServer: stage.server.wsUrl, roomName: 'Small' });
  expect(refused).toMatchObject({ error: { code: 53105 } });
  await Promise.all(guests.map((guest) => guest.close()));
});

it('with client-side room creation off, a room that is not there is not made', async () => {
  const strict = await cast.add('strict server', Stage.open(cast, { env: { PARTYLINE_CLIENT_ROOM_CREATION: 'off' } }).then((opened) => opened.server));
  const guest = await browser.party('guest');
  const refused = await guest.tryJoin({ token: strict.token('guest'), wsServer: strict.wsUrl, roomName: 'Missing' });
  expect([53103, 53106]).toContain('error' in refused ? refused.error.code : 0);
  expect(await strict.client.video.v1.rooms.list()).toEqual([]);
  await strict.client.video.v1.rooms.create({ uniqueName: 'Present' });
  expect(await guest.tryJoin({ token: strict.token('guest'), wsServer: strict.wsUrl, roomName: 'Present' })).toMatchObject({ name: 'Present' });
  await guest.close();
});
