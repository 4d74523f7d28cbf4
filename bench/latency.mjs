/**
 * How much delay the server adds: from a phone's packet on the wire to the same sound on its way to another phone, and to a
 * browser, on loopback.
 *
 *   npm run build && node bench/latency.mjs [--rooms 3] [--seconds 30] [--background 35]
 *
 * In each room a phone clicks every 200 ms; a phone, a phone on another worker (a pipe in between) and a browser
 * (libdatachannel: ICE, DTLS, SRTP) listen. In as many rooms more a browser clicks and a phone listens. Sender and
 * server tick every 20 ms, each in a phase of its own: the talker changes its phase every few seconds, so that the figures
 * cover all of them. Phone → phone counts to the click's first sample in the mix; it holds the wait for the mixer's step.
 * `--background` more callers keep the worker busy meanwhile.
 */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../dist/base/clock.js';
import { silentLog } from '../dist/base/log.js';
import { newSid } from '../dist/base/sid.js';
import { createMediaPlane } from '../dist/media/worker-pool.js';
import { isRtcp, RtcPeer } from './rtc-peer.mjs';

const FRAME_MS = 20;
const FRAME_BYTES = 160;
const HEADER_BYTES = 12;
const CLICK_FRAMES = 10;
const PHASE_MS = 4000;
const PAUSE_MS = 700;
const SILENCE = 0xff;
const LOUD = 0x90;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const remoteOf = (port) => ({ address: '127.0.0.1', port, rtcpPort: port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: FRAME_MS, send: true, receive: true });

/** Index of the click's first sample, -1 without one. */
function clickIn(packet, from = HEADER_BYTES) {
  for (let i = from; i < packet.length; i++) if ((packet[i] & 0x7f) < 0x60) return i - from;
  return -1;
}

async function openSocket(received) {
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
  socket.on('message', received);
  return socket;
}

/** One listener's delays: the first click after each of the talker's counts. */
class Ear {
  delays = [];
  #sentMs = null;

  clickSent(nowMs) {
    this.#sentMs = nowMs;
  }

  /** `sample` of the packet that has just come is the click's first; a negative one is none. */
  heard(sample) {
    if (sample < 0 || this.#sentMs === null) return;
    this.delays.push(performance.now() + sample / 8 - this.#sentMs);
    this.#sentMs = null;
  }
}

/** Sends silence with a click every 200 ms; keeps its timestamps in step with time over pauses. */
async function talk({ emit, ssrc, ears, endMs }) {
  const packet = Buffer.alloc(HEADER_BYTES + FRAME_BYTES);
  packet[0] = 0x80;
  packet.writeUInt32BE(ssrc, 8);
  const startMs = performance.now();
  let sequence = 0;
  const send = (click) => {
    packet.writeUInt16BE(sequence++ & 0xffff, 2);
    packet.fill(click ? LOUD : SILENCE, HEADER_BYTES);
    if (click) for (const ear of ears) ear.clickSent(performance.now());
    emit(packet);
  };
  while (performance.now() < endMs) {
    await sleep(PAUSE_MS + Math.random() * FRAME_MS);
    const phaseMs = performance.now();
    const base = Math.round(((phaseMs - startMs) * 8) / FRAME_BYTES) * FRAME_BYTES;
    for (let n = 0; n * FRAME_MS < PHASE_MS; n++) {
      const wait = phaseMs + n * FRAME_MS - performance.now();
      if (wait > 0) await sleep(wait);
      packet.writeUInt32BE((base + n * FRAME_BYTES) >>> 0, 4);
      send(n % CLICK_FRAMES === CLICK_FRAMES - 1);
    }
  }
}

const PCMU = { name: 'pcmu', payloadType: 0, clockRateHz: 8000 };

/** A browser that gets or sends one audio track; resolves when it is connected. */
async function openBrowser(room, { sendTracks = [], receiveTracks = [], ear = new Ear() }) {
  const peer = new RtcPeer((packet) => void (isRtcp(packet) || ear.heard(clickIn(packet, HEADER_BYTES + (packet[0] & 0x10 ? 4 + packet.readUInt16BE(14) * 4 : 0)) < 0 ? -1 : 0)));
  const browser = await room.createBrowser({ remote: peer.remote });
  const connected = new Promise((resolve) => browser.once('connected', resolve));
  await browser.setSendTracks(sendTracks);
  await browser.setReceiveTracks(receiveTracks);
  peer.accept(browser.local);
  await connected;
  return peer;
}

async function openListener(plane, near, room) {
  const ear = new Ear();
  const socket = await openSocket((packet) => void (isRtcp(packet) || ear.heard(clickIn(packet))));
  const phone = await plane.createPhone({ near });
  await phone.connect(remoteOf(socket.address().port));
  await phone.joinRoom(room, { trackSid: newSid('MT') });
  return { ear, socket };
}

/** A phone talks. `anchors` are rooms on every worker. */
async function openPhoneRoom(plane, anchors) {
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const trackSid = newSid('MT');
  const talker = await plane.createPhone({ near: room });
  await talker.connect(remoteOf(9));
  await talker.joinRoom(room, { trackSid });
  const near = await openListener(plane, room, room);
  const far = await openListener(plane, anchors.find(({ client }) => client !== room.client), room);
  const browserEar = new Ear();
  const browser = await openBrowser(room, { sendTracks: [{ trackSid, kind: 'audio', mid: '0', ssrc: 77, cname: 'bench', codecs: [PCMU], extensions: {} }], ear: browserEar });
  const socket = await openSocket(() => {});
  const emit = (packet) => socket.send(packet, talker.localPort, '127.0.0.1');
  return { emit, ssrc: 1, ears: { near: near.ear, far: far.ear, browser: browserEar }, browser };
}

/** A browser talks. */
async function openBrowserRoom(plane) {
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const phone = await openListener(plane, room, room);
  const receiveTracks = [{ trackSid: newSid('MT'), kind: 'audio', mid: '0', codecs: [PCMU], extensions: {}, encodings: [{ ssrc: 4321 }] }];
  const browser = await openBrowser(room, { receiveTracks });
  return { emit: (packet) => browser.send(packet), ssrc: 4321, ears: { fromBrowser: phone.ear }, browser };
}

/** A room of silent callers but for two, driven from a process of its own. */
async function openBackground(plane, count) {
  const child = fork(fileURLToPath(new URL('./callers.mjs', import.meta.url)), ['--callers'], { execArgv: [] });
  const ask = (name, body) => new Promise((resolve) => child.once('message', ({ result }) => resolve(result)) && child.send({ id: 1, name, body }));
  const port = await ask('openRoom');
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const list = [];
  for (let i = 0; i < count; i++) {
    const phone = await plane.createPhone({ near: room });
    await phone.connect(remoteOf(port));
    await phone.joinRoom(room, { trackSid: newSid('MT') });
    list.push({ target: phone.localPort, talker: i < 2 ? i : -1 });
  }
  await ask('addCallers', list);
  return child;
}

function row(name, delays) {
  const sorted = [...delays].sort((a, b) => a - b);
  const at = (share) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(1);
  console.log([name.padEnd(24), at(0.5).padStart(7), at(0.9).padStart(7), at(0.99).padStart(7), at(1).padStart(7), String(sorted.length).padStart(7)].join('  '));
}

const { values } = parseArgs({ options: { rooms: { type: 'string', default: '3' }, seconds: { type: 'string', default: '30' }, background: { type: 'string', default: '35' } } });
const plane = await createMediaPlane({ workers: 2, bindAddress: '127.0.0.1', rtpPorts: { min: 30_000, max: 34_999 }, webrtcPort: 51_100 }, { clock: systemClock, log: silentLog });
const anchors = [await plane.createRoom({ roomSid: newSid('RM') }), await plane.createRoom({ roomSid: newSid('RM') })];
const background = Number(values.background) > 0 ? await openBackground(plane, Number(values.background)) : null;
const rooms = [];
for (let i = 0; i < Number(values.rooms); i++) rooms.push(await openPhoneRoom(plane, anchors), await openBrowserRoom(plane));
const endMs = performance.now() + Number(values.seconds) * 1000;
await Promise.all(rooms.map(({ emit, ssrc, ears }) => talk({ emit, ssrc, ears: Object.values(ears), endMs })));
console.log(`Delay added, in ms; ${values.rooms} rooms of each kind, ${values.background} callers beside them, 2 workers\n`);
console.log([''.padEnd(24), '    p50', '    p90', '    p99', '    max', ' clicks'].join('  '));
const delaysOf = (name) => rooms.flatMap(({ ears }) => ears[name]?.delays ?? []);
row('phone → browser', delaysOf('browser'));
row('phone → phone', delaysOf('near'));
row('phone → phone by pipe', delaysOf('far'));
row('browser → phone', delaysOf('fromBrowser'));
background?.disconnect();
await plane.stop();
process.exit(0);
