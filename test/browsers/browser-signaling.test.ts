import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog, type Log } from '../../src/base/log.ts';
import { newSid } from '../../src/base/sid.ts';
import { createMediaPlane, type MediaPlaneHandle } from '../../src/media/worker-pool.ts';
import type { Rooms } from '../../src/rooms/contract.ts';
import type { RoomRepository } from '../../src/rooms/model.ts';
import { createRooms } from '../../src/rooms/rooms.ts';
import { makeAccessToken } from '../../src/signaling/access-token.ts';
import { createSignaling, type Signaling } from '../../src/signaling/signaling.ts';
import { RtpCaller } from '../../src/testing/rtp-caller.ts';
import { Browser, type JoinOptions, type Party, type RoomView } from '../peers/browser.ts';
import { freePort, freePorts } from '../peers/ports.ts';
import { TcpProxy } from '../peers/tcp-proxy.ts';
import { waitUntil } from '../peers/wait.ts';

// Rooms, signaling and media without phones, REST and database: real browsers with the unmodified SDK among themselves.

const account = newSid('AC');
const key = { apiKeySid: newSid('SK'), apiKeySecret: 'a secret of this test' };
const talk = process.env['TALK'] !== undefined;
const log: Log = talk ? { debug: tell, info: tell, warn: tell, error: tell, child: () => log } : silentLog;
function tell(fields: Record<string, unknown>, message: string): void {
  console.log(new Date().toISOString(), message, JSON.stringify(fields));
}
const repository: RoomRepository = {
  saveRoom: () => {},
  saveParticipant: () => {},
  saveTrack: () => {},
  findRoom: () => Promise.resolve(null),
  listRooms: () => Promise.resolve({ items: [], nextToken: null, previousToken: null }),
  findParticipant: () => Promise.resolve(null),
  listParticipants: () => Promise.resolve({ items: [], nextToken: null, previousToken: null }),
  findTrack: () => Promise.resolve(null),
  listTracks: () => Promise.resolve({ items: [], nextToken: null, previousToken: null }),
  closeLeftovers: () => Promise.resolve([]),
};

let media: MediaPlaneHandle;
let rooms: Rooms;
let signaling: Signaling;
let server: http.Server;
let port: number;
let proxy: TcpProxy;
let browser: Browser;

beforeAll(async () => {
  const rtp = await freePorts(200);
  media = await createMediaPlane({ workers: 1, bindAddress: '127.0.0.1', rtpPorts: { min: rtp, max: rtp + 199 }, webrtcPort: await freePort() }, { clock: systemClock, log });
  rooms = createRooms({ clock: systemClock, log, media, repository, callbacks: { send: () => {} }, settings: () => ({ clientRoomCreation: true, roomStatusCallback: null }) });
  signaling = createSignaling({ clock: systemClock, log, rooms, keys: { secretOf: (sid) => (sid === key.apiKeySid ? { accountSid: account, secret: key.apiKeySecret } : null), accountActive: () => true } });
  server = http.createServer().on('upgrade', (request, socket, head) => void signaling.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  proxy = await TcpProxy.start(port);
  browser = await Browser.start();
}, 60_000);

afterAll(async () => {
  await browser?.stop();
  await rooms?.stop('server-stopped');
  await signaling?.stop();
  await proxy?.stop();
  await media?.stop();
  server?.close();
}, 30_000);

async function join(name: string, room: string, more: Partial<JoinOptions> = {}): Promise<{ page: Party; view: RoomView }> {
  const page = await browser.party(name);
  if (talk) page.page.on('websocket', (socket) => {
    socket.on('framereceived', (frame) => console.log(name, '<-', String(frame.payload).slice(0, 9000)));
    socket.on('framesent', (frame) => console.log(name, '->', String(frame.payload).slice(0, 300)));
  });
  const token = await makeAccessToken({ accountSid: account, ...key, identity: name });
  const view = await page.join({ token, wsServer: `ws://127.0.0.1:${port}/signaling`, roomName: room, ...more });
  return { page, view };
}

const pictures = (page: Party, atLeast = 1): Promise<unknown> =>
  waitUntil(async () => (await page.rtp()).filter((row) => row.kind === 'video' && (row.framesDecoded ?? 0) > 5).length >= atLeast, { timeoutMs: 8000, what: () => `pictures at ${page.name}\n${page.log()}` });

it('a browser that is told to come again does so by itself, and reports how it was', async () => {
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const telling: Log = { ...silentLog, info: (fields, message) => void lines.push({ fields, message }), child: () => telling };
  const keys = { secretOf: (sid: string) => (sid === key.apiKeySid ? { accountSid: account, secret: key.apiKeySecret } : null), accountActive: () => true };
  const stopping = createSignaling({ clock: systemClock, log, rooms, keys });
  const started = createSignaling({ clock: systemClock, log: telling, rooms, keys });
  stopping.drain();
  let asked = 0;
  const door = http.createServer().on('upgrade', (request, socket, head) => void (request.url === '/signaling' && asked++ === 0 ? stopping : started).handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  const base = `ws://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const { page } = await join('patient', 'Again', { wsServer: `${base}/signaling`, options: { insights: true, wsServerInsights: `${base}/v1/VideoEvents` } });
  expect(asked).toBe(2);
  const participant = (await page.describe()).localSid;
  await page.leave();
  const report = await waitUntil(() => Promise.resolve(lines.find(({ message }) => message === 'how it was for a browser')?.fields), { what: 'the report' });
  expect(report).toMatchObject({ identity: 'patient', participantSid: participant, reconnections: 0 });
  expect(report['sdk']).toMatch(/^twilio-video.js 2\./);
  expect(report['events']).toBeGreaterThan(3);
  await Promise.all([stopping.stop(), started.stop()]);
  door.close();
});

describe('two browsers', () => {
  let anna: Party;
  let ben: Party;

  it('see and hear each other', async () => {
    anna = (await join('anna', 'Pair', { toneHz: 440, video: true })).page;
    const arrived = await join('ben', 'Pair', { toneHz: 620, video: true });
    ben = arrived.page;
    expect(arrived.view.participants.map((participant) => participant.identity)).toEqual(['anna']);
    await Promise.all([anna.waitHears('ben', 620), ben.waitHears('anna', 440)]);
    await Promise.all([pictures(anna), pictures(ben)]);
  });

  it('mute, unmute, unpublish, publish again', async () => {
    await anna.enableAudio(false);
    await ben.waitEvent((event) => event.name === 'trackDisabled' && event.kind === 'audio', 'anna to mute');
    await anna.enableAudio(true);
    await ben.waitEvent((event) => event.name === 'trackEnabled' && event.kind === 'audio', 'anna to unmute');
    await ben.unpublishAudio();
    await anna.waitEvent((event) => event.name === 'trackUnpublished' && event.kind === 'audio', 'ben to unpublish');
    await anna.waitEvent((event) => event.name === 'trackUnsubscribed' && event.kind === 'audio', 'ben to be heard no more');
    const sid = await ben.publishTone(810, 'second hum');
    expect(sid).toMatch(/^MT[0-9a-f]{32}$/);
    await anna.waitEvent((event) => event.name === 'trackSubscribed' && event.sid === sid, 'the second hum');
    await anna.waitHears('ben', 810);
  });

  it('the same identity displaces the first with 53205', async () => {
    const twin = await join('ben', 'Pair', { toneHz: 1000 });
    expect(await ben.waitEvent((event) => event.name === 'disconnected', 'the first ben to go')).toMatchObject({ code: 53205 });
    await anna.waitHears('ben', 1000);
    await twin.page.leave();
    await anna.waitEvent((event) => event.name === 'participantDisconnected' && event.sid === twin.view.localSid, 'ben to leave');
  });

  it('a removed browser goes without an error', async () => {
    const guest = await join('guest', 'Pair');
    rooms.find(account, 'Pair')?.participantByIdentity('guest')?.disconnect('participant-removed');
    expect(await guest.page.waitEvent((event) => event.name === 'disconnected', 'the end')).toMatchObject({ code: null });
  });

  it('a lost socket comes back: the sound goes on and both sides agree again', async () => {
    const mobile = (await join('mobile', 'Pair', { toneHz: 1270, wsServer: `ws://127.0.0.1:${proxy.port}/signaling` })).page;
    await anna.waitHears('mobile', 1270);
    proxy.slam();
    await mobile.waitEvent((event) => event.name === 'reconnecting', 'the loss to be noticed');
    await anna.waitEvent((event) => event.name === 'participantReconnecting' && event.identity === 'mobile', 'the loss to be told');
    const late = await join('late', 'Pair', { toneHz: 1500 });
    proxy.reopen();
    await mobile.waitEvent((event) => event.name === 'reconnected', 'the return', 20_000);
    await anna.waitEvent((event) => event.name === 'participantReconnected' && event.identity === 'mobile', 'the return to be told');
    await Promise.all([anna.waitHears('mobile', 1270), mobile.waitHears('anna', 440), mobile.waitHears('late', 1500)]);
    await late.page.leave();
    await mobile.leave();
  });

  it('a completed room ends with 53118', async () => {
    rooms.find(account, 'Pair')?.end('completed-by-api');
    expect(await anna.waitEvent((event) => event.name === 'disconnected', 'the end of the room')).toMatchObject({ code: 53118 });
  });
});

const restartIce = async (page: Party): Promise<void> => {
  // What the SDK does when ICE has failed.
  const before = await ufrag(page);
  await page.page.evaluate('party.room._signaling._peerConnectionManager._peerConnections.forEach((each) => { each._lastIceConnectionState = "failed"; each._shouldRestartIce = true; each.offer(); })');
  await waitUntil(async () => (await ufrag(page)) !== before, { timeoutMs: 8000, what: 'other ICE credentials' });
  await waitUntil(() => page.page.evaluate('peerConnections[0].connectionState === "connected"'), { timeoutMs: 8000, what: 'the new path' });
};

const ufrag = async (page: Party): Promise<string> => /a=ice-ufrag:(\S+)/.exec(String(await page.page.evaluate('peerConnections[0].remoteDescription.sdp')))?.[1] ?? '';

describe('one browser', () => {
  it('subscribes to nothing with automaticSubscription: false', async () => {
    const loud = await join('loud', 'Quiet', { toneHz: 440 });
    const deaf = await join('deaf', 'Quiet', { toneHz: 620, options: { automaticSubscription: false } });
    await loud.page.waitHears('deaf', 620);
    expect((await deaf.page.describe()).participants[0]?.tracks).toMatchObject([{ kind: 'audio', subscribed: false }]);
    expect((await deaf.page.events()).filter((event) => event.name === 'trackSubscribed')).toEqual([]);
    await loud.page.leave();
    await deaf.page.leave();
  });

  it('recovers media by an ICE restart', async () => {
    const still = await join('still', 'Restart', { toneHz: 440 });
    const moved = await join('moved', 'Restart', { toneHz: 620 });
    await still.page.waitHears('moved', 620);
    await restartIce(moved.page);
    await Promise.all([still.page.waitHears('moved', 620), moved.page.waitHears('still', 440)]);
    await still.page.leave();
    await moved.page.leave();
  });

  it('is told who speaks: a phone, to one who comes late too, and on over an ICE restart', async () => {
    const options = { dominantSpeaker: true };
    const early = (await join('early', 'Floor', { options })).page;
    const room = rooms.find(account, 'Floor');
    const roomMedia = await room?.media();
    if (!room || !roomMedia) throw new TypeError('no room');
    const { sid: trackSid } = room.join({ identity: '+15550100', medium: 'phone' }).publish({ kind: 'audio', name: 'phone' });
    const phone = await media.createPhone({ near: roomMedia });
    await phone.joinRoom(roomMedia, { trackSid });
    const caller = await RtpCaller.open(440);
    try {
      await phone.connect({ address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true });
      caller.start(phone.localPort);
      const speaks = (page: Party, identity: string | null): Promise<unknown> =>
        page.waitEvent((event) => event.name === 'dominantSpeakerChanged' && event.identity === identity, `${identity ?? 'nobody'} to speak`);
      await speaks(early, '+15550100');
      const late = (await join('late', 'Floor', { options })).page;
      await speaks(late, '+15550100');
      await restartIce(early);
      caller.stopHumming();
      await Promise.all([speaks(early, null), speaks(late, null)]);
      await Promise.all([early.leave(), late.leave()]);
    } finally {
      caller.close();
      await phone.close();
    }
  });

  it('keeps its room though one track more cannot be had', async () => {
    const data = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`data ${i}`, {}]));
    const talker = await join('talker', 'Data', { toneHz: 440, data });
    const error = await talker.page.page.evaluate('party.room.localParticipant.publishTrack(new Twilio.Video.LocalDataTrack()).then(() => null, (error) => error.code)');
    expect(error).toBe(53203);
    const ear = await join('ear', 'Data');
    await ear.page.waitHears('talker', 440);
    await talker.page.leave();
    await ear.page.leave();
  });
});
