/**
 * What forwarding costs: one publisher of video (VP8, 30 frames of 5 packets a second, a key frame when asked) and sound
 * (50 packets a second) in a room with 10 and with 40 subscribers.
 *
 *   npm run build && node bench/fan-out.mjs [--subscribers 10,40] [--seconds 8] [--runs 5]
 *
 * Per step, the median over the runs: CPU of the media worker per packet that a subscriber got, packets a second, the share
 * of those due that came. Publisher and subscribers (libdatachannel: ICE, DTLS, SRTP) live in processes of their own (this
 * file, forked); subscribers send receiver reports and transport-wide feedback as browsers do.
 */
import { fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../dist/base/clock.js';
import { silentLog } from '../dist/base/log.js';
import { newSid } from '../dist/base/sid.js';
import { TwccRecorder } from '../dist/media/forward/twcc-recorder.js';
import { createMediaPlane } from '../dist/media/worker-pool.js';
import { isRtcp, RtcPeer } from './rtc-peer.mjs';

const FRAME_PACKETS = 5;
const FRAMES_PER_SECOND = 30;
const VIDEO_BYTES = 1100;
const AUDIO_BYTES = 90;
const FEEDBACK_MS = 100;
const SETTLE_MS = 3000;
const PER_SECOND = FRAME_PACKETS * FRAMES_PER_SECOND + 50;
const VIDEO_SSRC = 1111;
const AUDIO_SSRC = 2222;
const TRANSPORT_CC = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';
const TRANSPORT_CC_ID = 3;
const OPUS = { name: 'opus', payloadType: 111, clockRateHz: 48_000, channels: 2 };
const VP8 = { name: 'vp8', payloadType: 96, clockRateHz: 90_000, rtxPayloadType: 97 };
const EXTENSIONS = { [TRANSPORT_CC]: TRANSPORT_CC_ID };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// --------------------------------------------------------------------------------------- the forked half: what browsers do

/** Sequence number across the transport in a one-byte header extension, -1 without one. */
function transportSequence(packet) {
  if ((packet[0] & 0x10) === 0 || packet.readUInt16BE(12) !== 0xbede) return -1;
  const end = 16 + packet.readUInt16BE(14) * 4;
  for (let o = 16; o < end; ) {
    const id = packet[o] >> 4;
    if (id === 0) o++;
    else if (id === TRANSPORT_CC_ID) return packet.readUInt16BE(o + 1);
    else o += 2 + (packet[o] & 15);
  }
  return -1;
}

class Subscriber {
  received = 0;
  #recorder = new TwccRecorder(randomInt(0xffff_ffff));
  #report = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 1]);

  constructor() {
    this.peer = new RtcPeer((packet) => this.#packet(packet));
    let beat = 0;
    setInterval(() => {
      for (const feedback of this.#recorder.takeFeedback()) this.peer.send(feedback);
      if (++beat % 10 === 0) this.peer.send(this.#report);
    }, FEEDBACK_MS);
  }

  #packet(packet) {
    if (isRtcp(packet)) return;
    this.received++;
    const sequence = transportSequence(packet);
    if (sequence >= 0) this.#recorder.packetReceived(sequence, packet.readUInt32BE(8), performance.now());
  }
}

class Publisher {
  #video = Buffer.alloc(12 + VIDEO_BYTES, 0x55);
  #audio = Buffer.alloc(12 + AUDIO_BYTES, 0x55);
  #videoSequence = 0;
  #audioSequence = 0;
  #keyFrame = true;

  constructor() {
    this.peer = new RtcPeer((packet) => void (isRtcp(packet) && this.#asked(packet)));
    this.#video.writeUInt32BE(VIDEO_SSRC, 8);
    this.#audio[0] = this.#video[0] = 0x80;
    this.#audio[1] = OPUS.payloadType;
    this.#audio.writeUInt32BE(AUDIO_SSRC, 8);
  }

  /** Payload-specific feedback: PLI. Compound packets as well. */
  #asked(packet) {
    for (let o = 0; o + 4 <= packet.length; o += 4 + packet.readUInt16BE(o + 2) * 4) if (packet[o + 1] === 206) this.#keyFrame = true;
  }

  start() {
    const startMs = performance.now();
    let frames = 0;
    let sounds = 0;
    setInterval(() => {
      const elapsedMs = performance.now() - startMs;
      for (; frames * (1000 / FRAMES_PER_SECOND) <= elapsedMs; frames++) this.#sendFrame(frames);
      for (; sounds * 20 <= elapsedMs; sounds++) this.#sendSound(sounds);
    }, 4);
  }

  #sendFrame(frame) {
    const packet = this.#video;
    packet.writeUInt32BE((frame * 3000) >>> 0, 4);
    for (let i = 0; i < FRAME_PACKETS; i++) {
      packet[1] = VP8.payloadType | (i === FRAME_PACKETS - 1 ? 0x80 : 0);
      packet.writeUInt16BE(this.#videoSequence++ & 0xffff, 2);
      // Descriptor (S bit) with a 15-bit picture id, then the frame's first byte, a key frame's with start code and 640x360.
      packet.set([0x80 | (i === 0 ? 0x10 : 0), 0x80, 0x80 | ((frame >> 8) & 0x7f), frame & 0xff], 12);
      if (i === 0) packet.set(this.#keyFrame ? [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01] : [0x11], 16);
      this.peer.send(packet);
    }
    this.#keyFrame = false;
  }

  #sendSound(n) {
    this.#audio.writeUInt16BE(this.#audioSequence++ & 0xffff, 2);
    this.#audio.writeUInt32BE((n * 960) >>> 0, 4);
    this.peer.send(this.#audio);
  }
}

function runPeers() {
  const peers = [];
  const handlers = {
    open: (kind) => {
      const peer = kind === 'publisher' ? new Publisher() : new Subscriber();
      peers.push(peer);
      return { index: peers.length - 1, remote: peer.peer.remote };
    },
    accept: ({ index, local }) => peers[index].peer.accept(local),
    start: () => peers[0].start(),
    received: () => peers.reduce((sum, peer) => sum + (peer.received ?? 0), 0),
  };
  process.on('message', ({ id, name, body }) => process.send({ id, result: handlers[name](body) ?? null }));
  process.on('disconnect', () => process.exit(0));
}

// --------------------------------------------------------------------------------------------------------- the measuring half

class Peers {
  #child = fork(fileURLToPath(import.meta.url), ['--peers'], { execArgv: [] });
  #waiting = new Map();
  #id = 0;

  constructor() {
    this.#child.on('message', ({ id, result }) => this.#waiting.get(id)?.(result));
  }

  ask(name, body) {
    const id = ++this.#id;
    return new Promise((resolve) => this.#waiting.set(id, resolve) && this.#child.send({ id, name, body }));
  }

  close() {
    this.#child.disconnect();
  }
}

async function join(peers, room, { kind, send = [], receive = [] }) {
  const { index, remote } = await peers.ask('open', kind);
  const browser = await room.createBrowser({ remote });
  const connected = new Promise((resolve) => browser.once('connected', resolve));
  await browser.setReceiveTracks(receive);
  await browser.setSendTracks(send);
  await peers.ask('accept', { index, local: browser.local });
  await connected;
}

async function measure(plane, subscribers, seconds) {
  const publishing = new Peers();
  const subscribing = new Peers();
  const room = await plane.createRoom({ roomSid: newSid('RM') });
  const [video, audio] = [newSid('MT'), newSid('MT')];
  await join(publishing, room, {
    kind: 'publisher',
    receive: [
      { trackSid: audio, kind: 'audio', mid: '0', codecs: [OPUS], extensions: {}, encodings: [{ ssrc: AUDIO_SSRC }] },
      { trackSid: video, kind: 'video', mid: '1', codecs: [VP8], extensions: {}, encodings: [{ ssrc: VIDEO_SSRC }] },
    ],
  });
  for (let i = 0; i < subscribers; i++) {
    await join(subscribing, room, {
      kind: 'subscriber',
      send: [
        { trackSid: audio, kind: 'audio', mid: '0', ssrc: 10, cname: 'p', codecs: [OPUS], extensions: EXTENSIONS },
        { trackSid: video, kind: 'video', mid: '1', ssrc: 20, rtxSsrc: 21, cname: 'p', codecs: [VP8], extensions: EXTENSIONS },
      ],
    });
  }
  await publishing.ask('start');
  await sleep(SETTLE_MS);
  const cpuMs = async () => (await plane.cpuUsage()).reduce((sum, { userMs, systemMs }) => sum + userMs + systemMs, 0);
  const before = { cpuMs: await cpuMs(), received: await subscribing.ask('received'), atMs: performance.now() };
  await sleep(seconds * 1000);
  const after = { cpuMs: await cpuMs(), received: await subscribing.ask('received'), atMs: performance.now() };
  await room.close();
  publishing.close();
  subscribing.close();
  const packets = after.received - before.received;
  const elapsedS = (after.atMs - before.atMs) / 1000;
  return { microseconds: ((after.cpuMs - before.cpuMs) * 1000) / packets, perSecond: packets / elapsedS, share: packets / (elapsedS * PER_SECOND * subscribers), cores: (after.cpuMs - before.cpuMs) / 1000 / elapsedS };
}

async function main() {
  const { values } = parseArgs({ options: { subscribers: { type: 'string', default: '10,40' }, seconds: { type: 'string', default: '8' }, runs: { type: 'string', default: '5' } } });
  const plane = await createMediaPlane({ workers: 1, bindAddress: '127.0.0.1', rtpPorts: { min: 30_000, max: 30_099 }, webrtcPort: 51_200 }, { clock: systemClock, log: silentLog });
  console.log(`1 publisher, ${PER_SECOND} packets a second; median of ${values.runs} runs of ${values.seconds} s (each run's µs behind)\n`);
  console.log('subscribers  µs CPU per forwarded packet  packets/s  delivered  cores of the worker');
  for (const subscribers of values.subscribers.split(',').map(Number)) {
    const runs = [];
    for (let run = 0; run < Number(values.runs); run++) runs.push(await measure(plane, subscribers, Number(values.seconds)));
    const of = (name) => median(runs.map((run) => run[name]));
    console.log([String(subscribers).padStart(11), of('microseconds').toFixed(1).padStart(27), of('perSecond').toFixed(0).padStart(9), `${(of('share') * 100).toFixed(1)} %`.padStart(9), of('cores').toFixed(2).padStart(19), `  ${runs.map(({ microseconds }) => microseconds.toFixed(1)).join(' ')}`].join('  '));
  }
  await plane.stop();
  process.exit(0);
}

if (process.argv.includes('--peers')) runPeers();
else await main();
