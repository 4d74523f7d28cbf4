/**
 * How long a browser takes into a room: from the call of connect() (twilio-video, tracks acquired before) to connect()
 * resolved, and to the first sound and picture of somebody who is there already.
 *
 *   npm run build && node bench/join-time.mjs [--runs 5]
 *
 * Server and one Chromium with both pages share the machine. Needs Chromium (CHROMIUM_PATH, default /usr/bin/chromium).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import twilio from 'twilio';
import { ACCOUNT, KEY, SECRET, sleep, startServer } from './server.mjs';

const FLAGS = ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-features=WebRtcHideLocalIpsWithMdns', '--allow-loopback-in-peer-connection', '--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows'];
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function servePage() {
  const sdk = readFileSync(createRequire(import.meta.url).resolve('twilio-video/dist/twilio-video.min.js'));
  const server = createServer((request, response) => {
    if (request.url === '/sdk.js') return response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(sdk);
    return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html><script src="/sdk.js"></script>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

function token(identity) {
  const { AccessToken } = twilio.jwt;
  const made = new AccessToken(ACCOUNT, KEY, SECRET, { identity, ttl: 3600 });
  made.addGrant(new AccessToken.VideoGrant());
  return made.toJwt();
}

/** In the page: makes a tone and a moving picture, joins with them, and times what comes. */
async function joinInPage({ accessToken, wsServer, listen }) {
  const context = new AudioContext();
  await context.resume();
  const destination = context.createMediaStreamDestination();
  const oscillator = new OscillatorNode(context, { frequency: 440 });
  oscillator.connect(destination);
  oscillator.start();
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const pen = canvas.getContext('2d');
  let turn = 0;
  setInterval(() => {
    pen.fillStyle = `hsl(${(turn += 7) % 360} 80% 50%)`;
    pen.fillRect(0, 0, 640, 360);
  }, 33);
  const { connect, LocalAudioTrack, LocalVideoTrack } = Twilio.Video;
  const tracks = [new LocalAudioTrack(destination.stream.getAudioTracks()[0]), new LocalVideoTrack(canvas.captureStream(30).getVideoTracks()[0])];
  const times = {};
  const beganMs = performance.now();
  const sinceMs = () => performance.now() - beganMs;
  const room = await connect(accessToken, { wsServer, tracks, name: 'Bench', insights: false });
  times.resolved = sinceMs();
  window.room = room;
  if (!listen) return times;
  const heard = (track) =>
    new Promise((resolve) => {
      const element = Object.assign(new Audio(), { srcObject: new MediaStream([track.mediaStreamTrack]) });
      void element.play();
      const analyser = new AnalyserNode(context, { fftSize: 256 });
      context.createMediaStreamSource(element.srcObject).connect(analyser);
      const samples = new Float32Array(256);
      const timer = setInterval(() => {
        analyser.getFloatTimeDomainData(samples);
        if (!samples.some((sample) => Math.abs(sample) > 0.01)) return;
        clearInterval(timer);
        resolve(sinceMs());
      }, 5);
    });
  const seen = (track) =>
    new Promise((resolve) => {
      const element = track.attach();
      document.body.append(element);
      element.requestVideoFrameCallback(() => resolve(sinceMs()));
    });
  const waits = { audio: null, video: null };
  const subscribed = (track) => {
    if (track.kind === 'audio') waits.audio(heard(track));
    if (track.kind === 'video') waits.video(seen(track));
  };
  const first = Object.fromEntries(['audio', 'video'].map((kind) => [kind, new Promise((resolve) => (waits[kind] = resolve))]));
  for (const participant of room.participants.values()) {
    participant.on('trackSubscribed', subscribed);
    for (const { track } of participant.tracks.values()) if (track) subscribed(track);
  }
  times.sound = await first.audio;
  times.picture = await first.video;
  return times;
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const folder = mkdtempSync(join(tmpdir(), 'partyline-bench-'));
const server = await startServer({ dataDir: join(folder, 'data'), rtpPorts: '33000-33099' });
const site = await servePage();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: FLAGS, headless: true });
async function visit(identity, listen) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(site.url);
  return { page, times: await page.evaluate(joinInPage, { accessToken: token(identity), wsServer: server.wsServer, listen }) };
}

await visit('there already', false);
// One to warm up: the first peer connection of a page process and of the server.
await (await visit('warm', true)).page.close();
const runs = [];
for (let run = 0; run < Number(values.runs); run++) {
  await sleep(1500);
  const { page, times } = await visit(`guest ${run}`, true);
  runs.push(times);
  await page.evaluate(() => window.room.disconnect());
  await page.close();
}
console.log(`ms after connect(), median of ${values.runs} joins (each behind)\n`);
for (const name of ['resolved', 'sound', 'picture']) console.log(`${name.padEnd(10)} ${median(runs.map((run) => run[name])).toFixed(0).padStart(5)}   ${runs.map((run) => run[name].toFixed(0)).join(' ')}`);
await browser.close();
site.close();
await server.stop();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
