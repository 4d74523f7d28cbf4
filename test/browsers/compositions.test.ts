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
import { readWav, tonesIn } from '../peers/tones.ts';
import { sleep } from '../peers/wait.ts';

// Two browsers and a phone are recorded and composed; ffprobe, ffmpeg and the official client judge what came of it.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const ANNA_HZ = 440;
const BEN_HZ = 620;
const PHONE_HZ = 1000;
const ALL_HZ = [ANNA_HZ, BEN_HZ, PHONE_HZ];
const folder = mkdtempSync(join(tmpdir(), 'partyline-composed-'));

let stage: Stage;
let anna: Party;
let ben: Party;
let phone: Phone;
let roomSid: string;
let phoneSid: string;
let waiting: string;

const compositions = () => stage.server.client.video.v1.compositions;
const grid = { grid: { video_sources: ['*'] } };

beforeAll(async () => {
  const [opened, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  stage = opened;
  phone = await cast.add('phone', startPhone({ user: '+15557021', toneHz: PHONE_HZ }));
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    response.connect().room('Recorded');
    return response;
  });
  await stage.number('+15550720', '/voice');
  roomSid = await stage.room('Recorded', { recordParticipantsOnConnect: true });
  await stage.server.client.video.v1.compositionHooks.create({ friendlyName: 'archive', audioSources: ['*'], audioSourcesExcluded: ['hum'], statusCallback: `${stage.app.url}/hook` });
  // One after the other: who came first is in the first cell.
  anna = await browser.party('anna');
  await anna.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: 'Recorded', toneHz: ANNA_HZ, video: { colour: 'red' } });
  ben = await browser.party('ben');
  await ben.join({ token: stage.server.token('ben'), wsServer: stage.server.wsUrl, roomName: 'Recorded', toneHz: BEN_HZ, video: { colour: 'blue' } });
  await phone.dial(stage.server.sipUri('+15550720'));
  const inside = await stage.waitParticipants('Recorded', 3);
  phoneSid = inside.find(({ identity }) => identity !== 'anna' && identity !== 'ben')?.sid ?? '';
  await anna.waitHears('ben', BEN_HZ);
  // Asked for while the room is in progress: it waits.
  const made = await compositions().create({ roomSid, audioSources: ['*'], videoLayout: grid, format: 'mp4', resolution: '640x360', statusCallback: `${stage.app.url}/composed` });
  waiting = made.sid;
  await sleep(3000);
  expect((await compositions()(waiting).fetch()).status).toBe('enqueued');
  await stage.server.client.video.v1.rooms(roomSid).update({ status: 'completed' });
}, 90_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The media of a composition by its link, without credentials. */
async function download(sid: string): Promise<string> {
  const answer = await stage.server.rest(`/v1/Compositions/${sid}/Media?Ttl=60`);
  const file = await fetch((answer.body as { redirect_to?: string }).redirect_to ?? answer.headers.get('location') ?? '');
  expect(file.status).toBe(200);
  const path = join(folder, sid);
  writeFileSync(path, Buffer.from(await file.arrayBuffer()));
  return path;
}

function probe(path: string): { codecs: string[]; size: string; seconds: number } {
  const { streams, format } = JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_streams', '-show_format', path], { encoding: 'utf8' })) as { streams: { codec_name: string; width?: number; height?: number }[]; format: { duration: string } };
  const video = streams.find(({ width }) => width !== undefined);
  return { codecs: streams.map(({ codec_name }) => codec_name).sort(), size: `${video?.width}x${video?.height}`, seconds: Number(format.duration) };
}

function tones(path: string, fromSeconds: number, toSeconds: number): ReturnType<typeof tonesIn> {
  const wav = `${path}.wav`;
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-i', path, '-ac', '1', '-ar', '8000', wav]);
  return tonesIn(readWav(wav), ALL_HZ, { fromSeconds, toSeconds });
}

/** Mean colour of a rectangle of the frame at a moment. */
function colour(path: string, seconds: number, crop: string): { r: number; g: number; b: number } {
  const [r = 0, g = 0, b = 0] = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-ss', String(seconds), '-i', path, '-frames:v', '1', '-vf', `crop=${crop},scale=1:1:flags=area,format=rgb24`, '-f', 'rawvideo', '-']);
  return { r, g, b };
}

it('an mp4 asked for during the room: each browser in its cell, the phone among the voices, told as it goes', async () => {
  const available = await stage.app.waitFor({ path: '/composed', params: { StatusCallbackEvent: 'composition-available' } }, { timeoutMs: 30_000 });
  expect(available.valid).toBe(true);
  expect(available.params).toMatchObject({ CompositionSid: waiting, RoomSid: roomSid, MediaUri: `/v1/Compositions/${waiting}/Media` });
  const progress = stage.app.matching({ path: '/composed', params: { StatusCallbackEvent: 'composition-progress' } });
  expect(stage.app.matching({ path: '/composed', params: { StatusCallbackEvent: 'composition-started' } })).toHaveLength(1);
  for (const { params } of progress) expect([Number(params['PercentageDone']), Number(params['SecondsRemaining'])].every((value) => value >= 0 && value <= 100)).toBe(true);
  const made = await compositions()(waiting).fetch();
  expect(made).toMatchObject({ status: 'completed', format: 'mp4', size: Number(available.params['Size']), duration: Number(available.params['Duration']) });
  const path = await download(waiting);
  const { codecs, size, seconds } = probe(path);
  expect([codecs, size]).toEqual([['aac', 'h264'], '640x360']);
  expect(seconds).toBeGreaterThan(3);
  expect(Math.abs(seconds - made.duration)).toBeLessThanOrEqual(1);
  const heard = tones(path, seconds - 2.5, seconds - 0.5);
  for (const hz of ALL_HZ) expect(heard[hz]?.share, `${hz} Hz in ${JSON.stringify(heard)}`).toBeGreaterThan(0.85);
  const [left, right, above] = ['100:60:110:150', '100:60:430:150', '300:30:170:10'].map((crop) => colour(path, seconds - 1.5, crop));
  expect(left!.r - left!.b, JSON.stringify(left)).toBeGreaterThan(120);
  expect(right!.b - right!.r, JSON.stringify(right)).toBeGreaterThan(120);
  expect(above!.r + above!.g + above!.b, JSON.stringify(above)).toBeLessThan(60);
});

it('a webm of what was chosen: one browser alone and the phone alone', async () => {
  const { sid } = await compositions().create({ roomSid, audioSources: [phoneSid], videoLayout: { main: { video_sources: [(await benSid())] } }, format: 'webm', resolution: '320x180', statusCallback: `${stage.app.url}/chosen` });
  await stage.app.waitFor({ path: '/chosen', params: { StatusCallbackEvent: 'composition-available' } }, { timeoutMs: 30_000 });
  const path = await download(sid);
  const { codecs, size, seconds } = probe(path);
  expect([codecs, size]).toEqual([['opus', 'vp8'], '320x180']);
  const heard = tones(path, seconds - 2.5, seconds - 0.5);
  expect(heard[PHONE_HZ]?.share, JSON.stringify(heard)).toBeGreaterThan(0.85);
  for (const hz of [ANNA_HZ, BEN_HZ]) expect(heard[hz]?.share, JSON.stringify(heard)).toBeLessThan(0.1);
  const middle = colour(path, seconds - 1.5, '200:40:60:120');
  expect(middle.b - middle.r, JSON.stringify(middle)).toBeGreaterThan(120);
});

const benSid = async (): Promise<string> => (await stage.participants(roomSid, 'disconnected')).find(({ identity }) => identity === 'ben')?.sid ?? '';

it('a hook made one too, of sound only: the phone', async () => {
  const enqueued = await stage.app.waitFor({ path: '/hook', params: { StatusCallbackEvent: 'composition-enqueued' } });
  expect([enqueued.valid, enqueued.params['HookSid']]).toEqual([true, expect.stringMatching(/^HK/)]);
  const available = await stage.app.waitFor({ path: '/hook', params: { StatusCallbackEvent: 'composition-available' } }, { timeoutMs: 30_000 });
  const path = await download(available.params['CompositionSid'] ?? '');
  expect(probe(path).codecs).toEqual(['opus']);
  const heard = tones(path, 0.5, 2);
  expect([heard[PHONE_HZ]?.share, heard[ANNA_HZ]?.share].map((share) => (share ?? 0) > 0.85), JSON.stringify(heard)).toEqual([true, false]);
});
