/**
 * What a call costs: rooms of 35 simulated callers (2 talk a tone, 33 send line noise), 35 → 350 callers in steps.
 *
 *   npm run build && node bench/callers.mjs [--steps 35,70,140,210,280,350] [--seconds 12] [--workers 1] [--codec PCMU|G722|OPUS] [--no-floor]
 *
 * Per step: CPU of the server in ms per call and second, media workers and control process apart, frames that arrived of
 * those that were due, the share of them in which a talker was heard (G.711 alone), memory per call. The last row is the floor: the same packets received and
 * sent by bare Node sockets, with no mixing and no RTP at all. Callers live in a process of their own (this file, forked).
 */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOM_SIZE = 35;
const TALKERS_PER_ROOM = 2;
const FRAME_MS = 20;
const FRAME_BYTES = 160;
const HEADER_BYTES = 12;
const PAYLOAD_TYPES = { PCMU: 0, G722: 9, OPUS: 107 };
const SETTLE_MS = 3000;
const RTP_PORTS = { min: 20_000, max: 29_999 };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ----------------------------------------------------------------------------------------------------------- callers

function muLaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(Math.round(sample)), 32_635) + 132;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** 50 frames that repeat without a seam: a tone at -15 dBov, or noise of a line around -75 dBov. */
function secondOf(frequencyHz) {
  const codes = Buffer.alloc(50 * FRAME_BYTES);
  for (let i = 0; i < codes.length; i++) {
    codes[i] = frequencyHz > 0 ? muLaw(8000 * Math.sin((2 * Math.PI * frequencyHz * i) / 8000)) : muLaw(Math.random() < 0.3 ? 8 : 0);
  }
  return codes;
}

/** The same in a wide-band codec, 50 frames of 20 ms. */
async function wideSecondOf(codec, frequencyHz) {
  const frame = (n) => Int16Array.from({ length: 320 }, (_, i) => (frequencyHz > 0 ? 8000 * Math.sin((2 * Math.PI * frequencyHz * (n * 320 + i)) / 16_000) : (Math.random() - 0.5) * 12));
  if (codec === 'OPUS') {
    const { createEncoder } = await import('libopus-wasm');
    const encoder = await createEncoder({ sampleRate: 16_000, channels: 1, application: 2048, bitrate: 28_000, frameSize: 320 });
    return Array.from({ length: 50 }, (_, n) => Buffer.from(encoder.encode(frame(n), { frameSize: 320 })));
  }
  const { G722Encoder } = await import('../dist/media/codec/g722.js');
  const encoder = new G722Encoder();
  return Array.from({ length: 50 }, (_, n) => {
    const codes = Buffer.alloc(FRAME_BYTES);
    encoder.encode(frame(n), codes);
    return codes;
  });
}

function lawSecondOf(frequencyHz) {
  const codes = secondOf(frequencyHz);
  return Array.from({ length: 50 }, (_, n) => codes.subarray(n * FRAME_BYTES, (n + 1) * FRAME_BYTES));
}

/** A frame in which somebody is heard: a silent one has nothing but the smallest codes of G.711. */
function isLoud(packet) {
  for (let i = HEADER_BYTES; i < packet.length; i += 7) if ((packet[i] & 0x7f) < 0x60) return true;
  return false;
}

class Caller {
  constructor(options) {
    Object.assign(this, options);
    this.packet = Buffer.alloc(HEADER_BYTES + 640);
    this.packet[0] = 0x80;
    this.packet.writeUInt32BE(Math.floor(Math.random() * 0xffff_ffff), 8);
    this.frame = Math.floor(Math.random() * 50);
  }

  send() {
    const { packet, frame } = this;
    packet.writeUInt16BE(frame & 0xffff, 2);
    packet[1] = PAYLOAD_TYPES[this.codec];
    packet.writeUInt32BE((frame * (this.codec === 'OPUS' ? 960 : FRAME_BYTES)) >>> 0, 4);
    const payload = this.voice[frame % 50];
    payload.copy(packet, HEADER_BYTES);
    this.socket.send(packet, 0, HEADER_BYTES + payload.length, this.target, '127.0.0.1');
    this.frame++;
  }
}

const lookup = (address, _options, done) => done(null, address, 4);

/** The forked half: one socket per room, callers spread over the 20 ms. */
function runCallers() {
  const callers = [];
  const codec = process.argv[3] ?? 'PCMU';
  let voices;
  const rooms = [];
  let slot = 0;
  let dueMs = performance.now();

  const openRoom = async () => {
    const socket = createSocket({ type: 'udp4', lookup, recvBufferSize: 4 << 20 });
    const room = { received: 0, loud: 0 };
    rooms.push(room);
    socket.on('message', (packet) => {
      if (packet[1] >= 192 && packet[1] <= 223) return;
      room.received++;
      if (isLoud(packet)) room.loud++;
    });
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return socket;
  };

  const handlers = {
    openRoom: async () => {
      const socket = await openRoom();
      handlers.socket = socket;
      return socket.address().port;
    },
    /** `talker` is 0 or 1, -1 for a silent one. */
    addCallers: async (list) => {
      const second = codec === 'PCMU' ? lawSecondOf : (hz) => wideSecondOf(codec, hz);
      voices ??= { silent: await second(0), talking: [await second(440), await second(700)] };
      for (const { target, talker } of list) {
        callers.push(new Caller({ codec, target, socket: handlers.socket, voice: talker < 0 ? voices.silent : voices.talking[talker] }));
      }
    },
    /** All sockets of a step send to the far side of the floor. */
    clear: () => void callers.splice(0),
    counts: () => ({ rooms, atMs: performance.now() }),
  };
  process.on('message', async ({ id, name, body }) => process.send({ id, result: await handlers[name](body) }));
  process.on('disconnect', () => process.exit(0));

  setInterval(() => {
    for (const nowMs = performance.now(); dueMs <= nowMs; dueMs += 2) {
      for (let i = slot; i < callers.length; i += 10) callers[i].send();
      slot = (slot + 1) % 10;
    }
  }, 2);
}

// ------------------------------------------------------------------------------------------------------------- floor

/** The forked floor: as many sockets as calls; each hears its caller and sends a ready-made packet every 20 ms. */
function runFloor() {
  const sockets = [];
  let slot = 0;
  let dueMs = performance.now();
  const packet = Buffer.alloc(HEADER_BYTES + FRAME_BYTES, 0xff);
  packet[0] = 0x80;
  packet[1] = 0;
  const handlers = {
    open: async ({ count, port }) => {
      const ports = [];
      for (let i = 0; i < count; i++) {
        const socket = createSocket({ type: 'udp4', lookup });
        socket.on('message', () => {});
        await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
        sockets.push({ socket, port });
        ports.push(socket.address().port);
      }
      return ports;
    },
    cpu: () => process.cpuUsage(),
  };
  process.on('message', async ({ id, name, body }) => process.send({ id, result: await handlers[name](body) }));
  process.on('disconnect', () => process.exit(0));
  setInterval(() => {
    for (const nowMs = performance.now(); dueMs <= nowMs; dueMs += 5) {
      for (let i = slot; i < sockets.length; i += 4) sockets[i].socket.send(packet, 0, packet.length, sockets[i].port, '127.0.0.1');
      slot = (slot + 1) % 4;
    }
  }, 5);
}

// -------------------------------------------------------------------------------------------------------------- bench

function forkHalf(role, codec = 'PCMU') {
  const child = fork(fileURLToPath(import.meta.url), [role, codec], { execArgv: [] });
  const waiting = new Map();
  let nextId = 0;
  child.on('message', ({ id, result }) => {
    waiting.get(id)(result);
    waiting.delete(id);
  });
  return {
    ask: (name, body) =>
      new Promise((resolve) => {
        waiting.set(++nextId, resolve);
        child.send({ id: nextId, name, body });
      }),
    end: () => child.disconnect(),
  };
}

const total = ({ user, system }) => (user + system) / 1000;

async function mediaUsage(plane) {
  const used = await plane.cpuUsage();
  return { cpuMs: used.reduce((sum, w) => sum + w.userMs + w.systemMs, 0), rssBytes: used.reduce((sum, w) => sum + w.rssBytes, 0) };
}

async function addRoom(plane, load, { newSid, codec }) {
  const port = await load.ask('openRoom');
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const list = [];
  for (let i = 0; i < ROOM_SIZE; i++) {
    const phone = await plane.createPhone({ near: room });
    await phone.connect({ address: '127.0.0.1', port, rtcpPort: port, codec, payloadType: PAYLOAD_TYPES[codec], dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true });
    await phone.joinRoom(room, { trackSid: newSid('MT') });
    list.push({ target: phone.localPort, talker: i < TALKERS_PER_ROOM ? i : -1 });
  }
  await load.ask('addCallers', list);
}

/** Frames that came between two counts, and the share of them in which a talker was heard: of all rooms, and of the worst. */
function arrived(before, after) {
  const rooms = after.rooms.map(({ received, loud }, i) => ({ received: received - (before.rooms[i]?.received ?? 0), loud: loud - (before.rooms[i]?.loud ?? 0) }));
  const received = rooms.reduce((sum, room) => sum + room.received, 0);
  const loud = rooms.reduce((sum, room) => sum + room.loud, 0);
  return { received, heard: loud / received, heardInWorst: Math.min(...rooms.filter((room) => room.received > 0).map((room) => room.loud / room.received)) };
}

const columns = ['callers', 'media', 'control', 'server', 'delivered %', 'heard %', 'worst room %', 'RSS KB/call'];
const print = (cells) => console.log(cells.map((cell, i) => String(cell).padStart(Math.max(11, columns[i].length))).join('  '));

async function measure(options) {
  const { plane, load, calls, seconds, emptyRssBytes, codec } = options;
  await sleep(SETTLE_MS);
  const [media0, control0, counts0] = [await mediaUsage(plane), process.cpuUsage(), await load.ask('counts')];
  await sleep(seconds * 1000);
  const [media1, control1, counts1] = [await mediaUsage(plane), process.cpuUsage(control0), await load.ask('counts')];
  const callSeconds = (calls * (counts1.atMs - counts0.atMs)) / 1000;
  const media = (media1.cpuMs - media0.cpuMs) / callSeconds;
  const control = total(control1) / callSeconds;
  const { received: got, heard, heardInWorst } = arrived(counts0, counts1);
  const due = callSeconds * (1000 / FRAME_MS);
  print([
    calls,
    media.toFixed(2),
    control.toFixed(2),
    (media + control).toFixed(2),
    ((100 * got) / due).toFixed(2),
    codec === 'PCMU' ? (100 * heard).toFixed(1) : '-',
    codec === 'PCMU' ? (100 * heardInWorst).toFixed(1) : '-',
    ((media1.rssBytes - emptyRssBytes) / calls / 1024).toFixed(0),
  ]);
}

async function measureFloor(load, calls, seconds) {
  const floor = forkHalf('--floor');
  const ports = await floor.ask('open', { count: calls, port: await load.ask('openRoom') });
  await load.ask('addCallers', ports.map((target) => ({ target, talker: -1 })));
  await sleep(SETTLE_MS);
  const [cpu0, counts0] = [await floor.ask('cpu'), await load.ask('counts')];
  await sleep(seconds * 1000);
  const [cpu1, counts1] = [await floor.ask('cpu'), await load.ask('counts')];
  const callSeconds = (calls * (counts1.atMs - counts0.atMs)) / 1000;
  const cost = ((total(cpu1) - total(cpu0)) / callSeconds).toFixed(2);
  print(['bare UDP', cost, '-', cost, ((100 * arrived(counts0, counts1).received) / callSeconds / 50).toFixed(2), '-', '-', '-']);
  floor.end();
}

async function main() {
  const { values } = parseArgs({
    options: { steps: { type: 'string', default: '35,70,140,210,280,350' }, seconds: { type: 'string', default: '12' }, workers: { type: 'string', default: '1' }, codec: { type: 'string', default: 'PCMU' }, 'no-floor': { type: 'boolean', default: false } },
  });
  const [{ createMediaPlane }, { systemClock }, { silentLog }, { newSid }] = await Promise.all([
    import('../dist/media/worker-pool.js'),
    import('../dist/base/clock.js'),
    import('../dist/base/log.js'),
    import('../dist/base/sid.js'),
  ]);
  const steps = values.steps.split(',').map(Number);
  const seconds = Number(values.seconds);
  const plane = await createMediaPlane({ workers: Number(values.workers), bindAddress: '127.0.0.1', rtpPorts: RTP_PORTS, webrtcPort: 51_000 }, { clock: systemClock, log: silentLog });
  const load = forkHalf('--callers', values.codec);
  const { rssBytes: emptyRssBytes } = await mediaUsage(plane);
  console.log(`Rooms of ${ROOM_SIZE} ${values.codec} callers, ${TALKERS_PER_ROOM} of them talking; ${values.workers} media worker(s); ${seconds} s a step; CPU in ms per call and second\n`);
  print(columns);
  let calls = 0;
  for (const step of steps) {
    for (; calls < step; calls += ROOM_SIZE) await addRoom(plane, load, { newSid, codec: values.codec });
    await measure({ plane, load, calls, seconds, emptyRssBytes, codec: values.codec });
  }
  await plane.stop();
  await load.ask('clear');
  if (!values['no-floor']) await measureFloor(load, calls, seconds);
  load.end();
}

if (process.argv.includes('--callers')) runCallers();
else if (process.argv.includes('--floor')) runFloor();
else await main();
