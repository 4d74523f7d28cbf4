// What recording a track costs: 40 tracks of each kind for a minute of media, as fast as it goes, into files that are then removed.
// Needs the build. Prints CPU of this process per recorded second.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRtp, RtpView, writeRtpHeader } from '../dist/media/rtp/packet.js';
import { TrackRecorder } from '../dist/media/record-track/track-recorder.js';

const TRACKS = 40;
const SECONDS = 60;
const folder = mkdtempSync(join(tmpdir(), 'partyline-bench-'));
let nowMs = 0;
const clock = { nowMs: () => nowMs, wallMs: () => 1_700_000_000_000 + nowMs, after: () => ({ cancel() {} }) };
const none = () => {};

/** Packets of one second; a key frame every ten. */
function vp8Second(second) {
  const packets = [];
  for (let picture = 0; picture < 30; picture++) {
    const isKey = picture === 0 && second % 10 === 0;
    for (let part = 0; part < 6; part++) {
      const payload = Buffer.alloc(1050, 0x5a);
      payload.set([part === 0 ? 0x90 : 0x80, 0xe0, 0x80, picture, 0, 0x20]);
      if (part === 0) payload.set(isKey ? [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0, 5, 0xd0, 2] : [0x11, 0, 0], 6);
      packets.push({ payload, marker: part === 5, timestamp: (second * 30 + picture) * 3000, atMs: second * 1000 + (picture * 1000) / 30 });
    }
  }
  return packets;
}

function opusSecond(second) {
  return Array.from({ length: 50 }, (_, i) => ({ payload: Buffer.alloc(80, 0xfc), marker: false, timestamp: (second * 50 + i) * 960, atMs: second * 1000 + i * 20 }));
}

async function measure(name, codec, kind, makeSecond) {
  const hooks = { started: none, mediaLost: none, mediaReturned: none, ending: none, ended: none, warned: (why) => console.log(why), source: () => null };
  nowMs = 0;
  const recorders = await Promise.all(
    Array.from({ length: TRACKS }, (_, i) => TrackRecorder.open({ path: join(folder, `${name}-${i}`), kind, maxDurationMs: 86_400_000 }, hooks, clock)),
  );
  const view = new RtpView();
  let [sequenceNumber, packets, cpuMs] = [0, 0, 0];
  const timed = (work) => {
    const before = process.cpuUsage();
    work();
    return before;
  };
  const used = (before) => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  for (let second = 0; second < SECONDS; second++) {
    const all = makeSecond(second).map((packet) => {
      const head = Buffer.alloc(12);
      writeRtpHeader(head, { payloadType: 96, marker: packet.marker, sequenceNumber: sequenceNumber++, timestamp: packet.timestamp, ssrc: 9 });
      return { bytes: Buffer.concat([head, packet.payload]), atMs: packet.atMs };
    });
    const before = timed(() => {
      for (const { bytes, atMs } of all) {
        nowMs = atMs;
        parseRtp(view, bytes);
        for (const recorder of recorders) recorder.packetForwarded(view, codec, nowMs);
      }
      for (const recorder of recorders) recorder.tick(nowMs);
    });
    packets += all.length * TRACKS;
    await new Promise((resolve) => setTimeout(resolve, 60)); // the disk's turn, counted too
    cpuMs += used(before);
  }
  const before = process.cpuUsage();
  const results = await Promise.all(recorders.map((recorder) => recorder.end('stopped')));
  cpuMs += used(before);
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0) / TRACKS / SECONDS;
  console.log(`| ${name} | ${((bytes * 8) / 1000).toFixed(0)} kbit/s | ${(cpuMs / TRACKS / SECONDS).toFixed(2)} ms | ${((cpuMs * 1000) / packets).toFixed(1)} µs |`);
}

await measure('warming up', 'vp8', 'video', vp8Second);
await measure('VP8, 30 pictures a second', 'vp8', 'video', vp8Second);
await measure('Opus, 20 ms', 'opus', 'audio', opusSecond);
rmSync(folder, { recursive: true, force: true });
