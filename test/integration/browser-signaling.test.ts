import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog, type Log } from '../../src/base/log.ts';
import { newSid } from '../../src/base/sid.ts';
import { createMediaPlane, type MediaPlaneHandle } from '../../src/media/worker-pool.ts';
import type { Rooms } from '../../src/rooms/contract.ts';
import type { RoomRepository } from '../../src/rooms/model.ts';
import { createRooms } from '../../src/rooms/rooms.ts';
import { makeAccessToken } from '../../src/signaling/access-token.ts';
import { createSignaling, type Signaling } from '../../src/signaling/signaling.ts';
import { Browser, type JoinOptions, type Party, type RoomView } from '../peers/browser.ts';
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
  closeLeftovers: () => Promise.resolve(),
};

let media: MediaPlaneHandle;
let rooms: Rooms;
let signaling: Signaling;
let server: http.Server;
let port: number;
let proxy: TcpProxy;
let browser: Browser;

beforeAll(async () => {
  const base = 20_000 + Math.floor(Math.random() * 20_000) * 2;
  media = await createMediaPlane({ workers: 1, bindAddress: '127.0.0.1', rtpPorts: { min: base % 60_000, max: (base % 60_000) + 199 }, webrtcPort: (base % 60_000) + 300 }, { clock: systemClock, log });
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

it('two browsers see and hear each other', async () => {
  const anna = await join('anna', 'Pair', { toneHz: 440, video: true });
  const ben = await join('ben', 'Pair', { toneHz: 620, video: true });
  expect(ben.view.participants.map((participant) => participant.identity)).toEqual(['anna']);
  await Promise.all([anna.page.waitHears('ben', 620), ben.page.waitHears('anna', 440)]);
  await Promise.all([pictures(anna.page), pictures(ben.page)]);
  await anna.page.close();
  await ben.page.close();
});
