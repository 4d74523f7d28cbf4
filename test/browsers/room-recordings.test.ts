import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import twilio from 'twilio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { tonesIn, type Sound } from '../peers/tones.ts';
import { sleep } from '../peers/wait.ts';
import type { WebhookRequest } from '../peers/webhook-app.ts';

// A page's tone and picture and a phone's tone are recorded by rules, judged by ffprobe and by what is heard in the files.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const ROOM = 'Studio';
const PAGE_HZ = 440;
const PHONE_HZ = 1000;
const RATE_HZ = 8000;
const folder = mkdtempSync(join(tmpdir(), 'partyline-studio-'));

let stage: Stage;
let page: Party;
let phone: Phone;
let picturesEndedAt = 0;
let mutedAt = 0;
let endedAt = 0;

beforeAll(async () => {
  const [opened, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  stage = opened;
  phone = await cast.add('phone', startPhone({ user: '+15557081', toneHz: PHONE_HZ }));
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    response.connect().room({ participantIdentity: 'desk' }, ROOM);
    return response;
  });
  await stage.number('+15550181', '/voice');
  await stage.room(ROOM);
  page = await browser.party('anna');
  await page.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: PAGE_HZ, video: true, options: { notifyWarnings: ['recording-media-lost'] } });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const room = (): ReturnType<typeof stage.server.client.video.v1.rooms> => stage.server.client.video.v1.rooms(ROOM);
const started = (codec: string): Promise<WebhookRequest> => stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'recording-started', Codec: codec } });
const completed = (sid: string): Promise<WebhookRequest> => stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'recording-completed', RecordingSid: sid } });
const sidOf = async (codec: string): Promise<string> => (await started(codec)).params['RecordingSid'] ?? '';

it('begins when the rules say so, for who is there and for who comes', async () => {
  expect((await page.describe()).recording).toBe(false);
  const rules = await room().recordingRules.update({ rules: [{ type: 'include', all: true }] });
  expect(rules.rules).toEqual([{ type: 'include', all: true }]);
  await page.waitEvent((event) => event.name === 'recordingStarted', 'the page to be told of the recording');
  expect((await page.describe()).recording).toBe(true);
  const [sound] = await Promise.all([started('OPUS'), started('VP8')]);
  await phone.dial(stage.server.sipUri('+15550181'));
  const call = await started('PCMU');
  const anna = (await page.describe()).localSid;
  expect(sound.params).toMatchObject({ ParticipantSid: anna, ParticipantIdentity: 'anna', RoomName: ROOM, TrackName: 'hum', Type: 'audio', Container: 'mka' });
  expect(call.params).toMatchObject({ ParticipantIdentity: 'desk', Type: 'audio', Container: 'mka', SourceSid: expect.stringMatching(/^MT/) });
  for (const request of [sound, call]) {
    expect(request.valid).toBe(true);
    expect(Math.abs(request.at - Number(request.params['OffsetFromTwilioVideoEpoch']))).toBeLessThan(1500);
  }
  const list = await room().recordings.list({ status: 'processing' });
  expect(list.map(({ codec }) => codec).sort()).toEqual(['OPUS', 'PCMU', 'VP8']);
});

it('goes on with pictures when the rules leave out sound', async () => {
  await sleep(1000);
  await page.enableAudio(false);
  mutedAt = Date.now();
  await sleep(1000);
  await page.enableAudio(true);
  await page.stallPicture();
  picturesEndedAt = Date.now();
  await sleep(800);
  endedAt = Date.now();
  await room().recordingRules.update({ rules: [{ type: 'include', all: true }, { type: 'exclude', kind: 'audio' }] });
  const ended = await Promise.all([completed(await sidOf('OPUS')), completed(await sidOf('PCMU'))]);
  for (const { valid, params } of ended) {
    expect(valid).toBe(true);
    expect(params).toMatchObject({ MediaUri: `/v1/Recordings/${params['RecordingSid']}/Media`, Duration: expect.stringMatching(/^\d+$/), Size: expect.stringMatching(/^\d{4,}$/) });
  }
  expect((await stage.server.client.video.v1.recordings.list({ status: 'completed', mediaType: 'audio' })).map(({ codec }) => codec).sort()).toEqual(['OPUS', 'PCMU']);
  await expect(room().recordings(await sidOf('VP8')).fetch()).resolves.toMatchObject({ status: 'processing', duration: 0 });
  expect((await page.describe()).recording).toBe(true);
});

/** By the address of the resource, as an application downloads it. */
async function download(sid: string): Promise<string> {
  const recording = await stage.server.client.video.v1.recordings(sid).fetch();
  const answer = await stage.server.rest(String(recording.links['media']));
  expect(answer.status).toBe(302);
  const media = await fetch(answer.body.redirect_to);
  expect(media.status).toBe(200);
  const path = join(folder, `${sid}.${recording.containerFormat}`);
  const bytes = Buffer.from(await media.arrayBuffer());
  expect(bytes.length).toBe(recording.size);
  writeFileSync(path, bytes);
  return path;
}

function probe(path: string): { codec: string; format: string; durationS: number } {
  const { streams, format } = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', path], { encoding: 'utf8' })) as { streams: { codec_name: string }[]; format: { format_name: string; duration: string } };
  return { codec: streams.map(({ codec_name: name }) => name).join(), format: format.format_name, durationS: Number(format.duration) };
}

/** The sound with its time line kept: gaps are silence. */
function soundOf(path: string): Sound {
  const bytes = execFileSync('ffmpeg', ['-v', 'error', '-i', path, '-af', 'aresample=async=1:first_pts=0', '-ar', String(RATE_HZ), '-ac', '1', '-f', 's16le', 'pipe:1'], { maxBuffer: 1 << 26 });
  return { sampleRateHz: RATE_HZ, samples: new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length - (bytes.length % 2))) };
}

it('leaves files that play, each with its own tone, on one clock', async () => {
  for (const [codec, name, hz, otherHz] of [['OPUS', 'opus', PAGE_HZ, PHONE_HZ], ['PCMU', 'pcm_mulaw', PHONE_HZ, PAGE_HZ]] as const) {
    const recording = await stage.server.client.video.v1.recordings(await sidOf(codec)).fetch();
    const path = await download(recording.sid);
    const probed = probe(path);
    expect(probed).toMatchObject({ codec: name, format: 'matroska,webm' });
    expect(recording.duration).toBe(Math.round(probed.durationS));
    expect(Math.abs(recording.offset + probed.durationS * 1000 - endedAt), `end of ${codec}`).toBeLessThan(500);
    const sound = soundOf(path);
    const mutedS = (mutedAt - recording.offset) / 1000;
    const told = JSON.stringify(tonesIn(sound, [hz, otherHz]));
    expect(tonesIn(sound, [hz], { fromSeconds: mutedS + 1.6 })[hz]?.share ?? 0, told).toBeGreaterThan(0.95);
    expect(tonesIn(sound, [otherHz])[otherHz]?.share ?? 1, told).toBeLessThan(0.05);
    // The page was silent for a second, and its file is at that very time; the phone went on.
    const silence = tonesIn(sound, [hz], { fromSeconds: mutedS + 0.3, toSeconds: mutedS + 0.8 })[hz]?.amplitude ?? 1;
    if (codec === 'OPUS') expect(silence).toBeLessThan(0.02);
    else expect(silence).toBeGreaterThan(0.1);
  }
});

it('warns the page whose picture no longer comes, and ends by the rules', async () => {
  const picture = (await page.describe()).localTracks.find(({ kind }) => kind === 'video');
  await page.waitEvent((event) => event.name === 'trackWarning' && event.sid === picture?.sid && event.message === 'recording-media-lost', 'the page to be warned', 14_000);
  await room().recordingRules.update({ rules: [{ type: 'exclude', all: true }] });
  await page.waitEvent((event) => event.name === 'recordingStopped', 'the page to be told of the end');
  await completed(await sidOf('VP8'));
});

it('leaves pictures that decode', async () => {
  const recording = await stage.server.client.video.v1.recordings(await sidOf('VP8')).fetch();
  const path = await download(recording.sid);
  expect(probe(path)).toMatchObject({ codec: 'vp8', format: 'matroska,webm' });
  const frames = execFileSync('ffmpeg', ['-v', 'error', '-i', path, '-f', 'framemd5', '-'], { encoding: 'utf8' }).split('\n').filter((line) => line.startsWith('0,'));
  expect(new Set(frames.map((line) => line.split(',').at(-1))).size).toBeGreaterThan(15);
  expect(Math.abs(recording.offset + recording.duration * 1000 - picturesEndedAt)).toBeLessThan(1200);
});

it('a deleted recording is gone but for its resource', async () => {
  const recording = stage.server.client.video.v1.recordings(await sidOf('VP8'));
  expect(await recording.remove()).toBe(true);
  expect((await recording.fetch()).status).toBe('deleted');
  expect((await stage.server.rest(`/v1/Recordings/${(await recording.fetch()).sid}/Media`)).status).toBe(404);
});

it('a track that is taken in again has another recording, which outlives the media worker', async () => {
  await room().recordingRules.update({ rules: [{ type: 'include', publisher: 'desk' }] });
  const again = await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'recording-started', ParticipantIdentity: 'desk' } }, { nth: 2 });
  const sid = again.params['RecordingSid'] ?? '';
  expect(sid).not.toBe(await sidOf('PCMU'));
  expect(again.params['SourceSid']).toBe((await started('PCMU')).params['SourceSid']);
  await sleep(2500);
  for (const pid of stage.server.workerPids()) process.kill(pid, 'SIGKILL');
  expect((await completed(sid)).valid).toBe(true);
  const path = await download(sid);
  expect(probe(path).codec).toBe('pcm_mulaw');
  const sound = soundOf(path);
  expect(sound.samples.length / RATE_HZ).toBeGreaterThan(0.9);
  expect(tonesIn(sound, [PHONE_HZ])[PHONE_HZ]?.share).toBeGreaterThan(0.95);
});
