import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import twilio from 'twilio';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { readWav, tonesIn } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';

// What a real phone says is recorded, told to the application, downloaded with the official client's address and judged by ffprobe.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550710';
const TONE_HZ = 440;
const folder = mkdtempSync(join(tmpdir(), 'partyline-recorded-'));

let stage: Stage;
let phone: Phone;

beforeAll(async () => {
  stage = await Stage.open(cast);
  phone = await cast.add('phone', startPhone({ user: '+15557071', toneHz: TONE_HZ }));
  stage.app.on('/r', () => held());
  await stage.number(NUMBER, '/voice');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await phone.hangUp();
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'the call to be over' });
});

function held(): InstanceType<typeof VoiceResponse> {
  const response = new VoiceResponse();
  response.pause({ length: 30 });
  return response;
}

/** Dials into a document; resolves with the call's SID once the phone is answered. */
async function dial(document: InstanceType<typeof VoiceResponse>): Promise<string> {
  stage.app.on('/voice', () => document);
  const asked = stage.app.matching({ path: '/voice' }).length;
  const answered = phone.count('CALL_ESTABLISHED');
  await phone.dial(stage.server.sipUri(NUMBER));
  const request = await stage.app.waitFor({ path: '/voice' }, { nth: asked + 1 });
  await phone.waitEstablished({ nth: answered + 1 });
  return request.params['CallSid'] ?? '';
}

async function download(url: string): Promise<string> {
  const { client } = stage.server;
  const answer = await fetch(url, { headers: { authorization: `Basic ${Buffer.from(`${client.username}:${client.password}`).toString('base64')}` } });
  expect(answer.status).toBe(200);
  const path = join(folder, url.split('/').at(-1) ?? '');
  writeFileSync(path, Buffer.from(await answer.arrayBuffer()));
  return path;
}

function probe(path: string): { codec: string; rateHz: number; channels: number; seconds: number } {
  const out = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-show_streams', '-show_format', '-of', 'json', path], { encoding: 'utf8' })) as { streams: { codec_name: string; sample_rate: string; channels: number }[]; format: { duration: string } };
  const [stream] = out.streams;
  return { codec: stream?.codec_name ?? '', rateHz: Number(stream?.sample_rate), channels: stream?.channels ?? 0, seconds: Number(out.format.duration) };
}

it('B29: <Record maxLength=3> tells the action after 3 s, the sound is WAV and MP3, and holds the caller', async () => {
  const document = new VoiceResponse();
  document.record({ maxLength: 3, action: '/r', recordingStatusCallback: '/recorded', recordingStatusCallbackEvent: ['in-progress', 'completed'] });
  document.redirect('/never');
  const sid = await dial(document);
  const began = Date.now();
  const request = await stage.app.waitFor({ path: '/r', params: { CallSid: sid } });
  expect(request.valid).toBe(true);
  expect(request.params).toMatchObject({ RecordingDuration: '3', Digits: '', CallStatus: 'in-progress' });
  expect(request.at - began).toBeGreaterThan(2500);
  expect(stage.app.matching({ path: '/never' })).toEqual([]);
  const url = request.params['RecordingUrl'] ?? '';
  const told = await stage.app.waitFor({ path: '/recorded', params: { RecordingStatus: 'completed' } });
  expect(told.valid).toBe(true);
  expect(told.params).toMatchObject({ CallSid: sid, RecordingUrl: url, RecordingDuration: '3', RecordingChannels: '1', RecordingSource: 'RecordVerb', RecordingTrack: 'inbound' });
  expect(stage.app.matching({ path: '/recorded', params: { RecordingStatus: 'in-progress' } })).toHaveLength(1);

  const [listed] = await stage.server.client.recordings.list({ callSid: sid });
  expect(listed).toMatchObject({ sid: request.params['RecordingSid'], status: 'completed', duration: '3', source: 'RecordVerb', mediaUrl: url });
  const wav = await download(`${url}.wav`);
  expect(probe(wav)).toMatchObject({ codec: 'pcm_s16le', rateHz: 8000, channels: 1 });
  expect(probe(wav).seconds).toBeCloseTo(3, 0);
  expect(tonesIn(readWav(wav), [TONE_HZ])[TONE_HZ]?.share).toBeGreaterThan(0.9);
  const mp3 = await download(`${url}.mp3`);
  expect(probe(mp3)).toMatchObject({ codec: 'mp3', rateHz: 8000, channels: 1 });
  expect(probe(mp3).seconds).toBeCloseTo(3, 0);
}, 30_000);

it('a caller who hangs up has left a message', async () => {
  const document = new VoiceResponse();
  document.record({ action: '/left', playBeep: false });
  const sid = await dial(document);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await phone.hangUp();
  const request = await stage.app.waitFor({ path: '/left', params: { CallSid: sid } });
  expect(request.valid).toBe(true);
  expect(request.params).toMatchObject({ Digits: 'hangup', CallStatus: 'completed' });
  expect(probe(await download(`${request.params['RecordingUrl'] ?? ''}.wav`)).seconds).toBeGreaterThan(1);
}, 30_000);

it('REST records a call in two channels: the phone left, what it hears right', async () => {
  const document = new VoiceResponse();
  document.say({ loop: 0 }, 'This is what the phone hears, again and again.');
  const sid = await dial(document);
  const { recordings } = stage.server.client.calls(sid);
  const { sid: recordingSid, channels } = await recordings.create({ recordingChannels: 'dual' });
  expect(channels).toBe(2);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await recordings('Twilio.CURRENT').update({ status: 'stopped' });
  await waitUntil(async () => (await recordings(recordingSid).fetch()).status === 'completed', { what: 'the recording to be complete' });
  const { mediaUrl } = await stage.server.client.recordings(recordingSid).fetch();
  const wav = await download(mediaUrl);
  expect(probe(wav)).toMatchObject({ codec: 'pcm_s16le', rateHz: 8000, channels: 2 });
  expect(tonesIn(readWav(wav), [TONE_HZ])[TONE_HZ]?.share).toBeGreaterThan(0.9);
  const heard = join(folder, 'right.wav');
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', wav, '-af', 'pan=mono|c0=c1', '-c:a', 'pcm_s16le', heard]);
  const right = readWav(heard);
  expect(tonesIn(right, [TONE_HZ])[TONE_HZ]?.share).toBeLessThan(0.3);
  expect(Math.max(...right.samples)).toBeGreaterThan(1000);
}, 30_000);
