import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { basic, callRecord, openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { newSid } from '../../base/sid.ts';
import { FakePhone } from '../../testing/fake-media.ts';
import type { CallRecord } from '../../voice/model.ts';

let world: RestWorld;
let account: string;

beforeAll(async () => {
  world = await openRestWorld();
  account = `/2010-04-01/Accounts/${world.account.sid}`;
}, 60_000);
afterAll(() => world.close());

/** A call that is being talked in. */
function talking(): { call: CallRecord; phone: FakePhone } {
  const call = world.calls.keep(callRecord(world.account.sid, { status: 'in-progress', startedAtMs: Date.now(), answeredAtMs: Date.now() }));
  const phone = new FakePhone();
  world.calls.phones.set(call.sid, phone);
  return { call, phone };
}

/** A recording that is over, with a tone in its file. */
async function recorded(channels: 'mono' | 'dual' = 'mono'): Promise<{ call: CallRecord; sid: string }> {
  const { call, phone } = talking();
  const { sid } = await world.client.calls(call.sid).recordings.create({ recordingChannels: channels });
  const path = phone.recordings[0]?.options.path ?? '';
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=8000:duration=2', '-ac', channels === 'dual' ? '2' : '1', '-c:a', 'pcm_s16le', path]);
  phone.recordings[0]?.end('stopped', 2000);
  await world.voiceRecordings.recordings.live(sid)?.done;
  return { call, sid };
}

async function bytes(path: string, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; body: Buffer }> {
  const answer = await fetch(world.url + path, { headers: { authorization: basic(world.account.sid, world.account.authToken), ...headers } });
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
}

describe('recordings of a call', () => {
  it('are started, paused, resumed and stopped', async () => {
    const { call, phone } = talking();
    const recordings = world.client.calls(call.sid).recordings;
    const started = await recordings.create({ recordingChannels: 'dual', recordingStatusCallback: 'http://app.test/r', recordingStatusCallbackEvent: ['in-progress completed'], trim: 'trim-silence' });
    expect(started).toMatchObject({ callSid: call.sid, status: 'in-progress', channels: 2, source: 'StartCallRecordingAPI', track: 'both', duration: null });
    const [media] = phone.recordings;
    expect(media?.options).toMatchObject({ source: 'both', channels: 2, silenceTimeoutMs: 0, trimSilence: true });
    expect((await recordings('Twilio.CURRENT').update({ status: 'paused', pauseBehavior: 'skip' })).status).toBe('paused');
    expect(media?.paused).toBe('skip');
    expect((await recordings(started.sid).update({ status: 'in-progress' })).status).toBe('in-progress');
    expect((await recordings(started.sid).update({ status: 'paused' })).status).toBe('paused');
    expect(media?.paused).toBe('silence');
    expect((await recordings(started.sid).update({ status: 'stopped' })).status).toBe('stopped');
    expect(await recordings(started.sid).fetch()).toMatchObject({ status: 'completed', duration: '2' });
    await expect(recordings(started.sid).update({ status: 'paused' })).rejects.toMatchObject({ code: 21220 });
    await expect(recordings('Twilio.CURRENT').update({ status: 'paused' })).rejects.toMatchObject({ code: 20404 });
  });

  it('are as documented', async () => {
    const { call, sid } = await recorded();
    const one = await world.raw(`${account}/Calls/${call.sid}/Recordings/${sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.call.call_recording', one.body as object)).toEqual([]);
    const list = await world.raw(`${account}/Calls/${call.sid}/Recordings.json`);
    expect(list.body.recordings).toEqual([one.body]);
    expect((await world.client.calls(call.sid).fetch()).subresourceUris['recordings']).toBe(`${account}/Calls/${call.sid}/Recordings.json`);
  });

  it.each([
    [{ RecordingChannels: 'stereo' }, 20001],
    [{ RecordingTrack: 'left' }, 20001],
    [{ Trim: 'yes' }, 20001],
    [{ RecordingStatusCallback: 'mailto:x' }, 21609],
    [{ RecordingStatusCallbackEvent: 'started' }, 21626],
    [{ RecordingStatusCallbackMethod: 'PUT' }, 20001],
  ])('refuse %j with %i', async (parameters, code) => {
    const { call, phone } = talking();
    const answer = await world.raw(`${account}/Calls/${call.sid}/Recordings.json`, { body: new URLSearchParams(parameters as Record<string, string>) });
    expect([answer.status, answer.body.code, phone.recordings.length]).toEqual([400, code, 0]);
  });

  it('need a call that is being talked in (21220)', async () => {
    const call = world.calls.keep(callRecord(world.account.sid, { status: 'ringing' }));
    await expect(world.client.calls(call.sid).recordings.create()).rejects.toMatchObject({ code: 21220, status: 400 });
  });

  it('are of one track alone in one channel', async () => {
    const { call, phone } = talking();
    expect(await world.client.calls(call.sid).recordings.create({ recordingChannels: 'dual', recordingTrack: 'inbound' })).toMatchObject({ channels: 1, track: 'inbound' });
    expect(phone.recordings[0]?.options).toMatchObject({ source: 'inbound', channels: 1 });
  });

  it('stay with their own call', async () => {
    const { sid } = await recorded();
    const { call } = talking();
    expect((await world.raw(`${account}/Calls/${call.sid}/Recordings/${sid}.json`)).status).toBe(404);
  });

  it('cannot be deleted while they run, and are gone with their sound afterwards', async () => {
    const { call, phone } = talking();
    const { sid } = await world.client.calls(call.sid).recordings.create();
    expect((await world.raw(`${account}/Recordings/${sid}.json`, { method: 'DELETE' })).status).toBe(409);
    writeFileSync(phone.recordings[0]?.options.path ?? '', 'sound');
    await world.voiceRecordings.recordings.live(sid)?.stop();
    expect(await world.client.calls(call.sid).recordings(sid).remove()).toBe(true);
    expect((await world.raw(`${account}/Recordings/${sid}.json`)).status).toBe(404);
    expect((await bytes(`${account}/Recordings/${sid}`)).status).toBe(404);
  });
});

describe('recordings of a conference', () => {
  it('are listed, paused and stopped below it, and as documented', async () => {
    const conferenceSid = newSid('CF');
    world.store.conferences.saveConference({ sid: conferenceSid, accountSid: world.account.sid, friendlyName: 'Standup', status: 'in-progress', region: 'us1', createdAtMs: 1, updatedAtMs: 1, endedAtMs: null, reasonEnded: null, callSidEnding: null });
    const phone = new FakePhone();
    const live = await world.voiceRecordings.recordings.start({
      accountSid: world.account.sid, callSid: null, conferenceSid, source: 'Conference', channels: 1, track: 'both', callback: null,
      begin: (path) => phone.record({ path, source: 'both', channels: 1, maxDurationMs: 1, silenceTimeoutMs: 0, trimSilence: false }),
    });
    const recordings = world.client.conferences(conferenceSid).recordings;
    expect((await recordings.list()).map(({ sid }) => sid)).toEqual([live.record.sid]);
    expect((await recordings('Twilio.CURRENT').update({ status: 'paused', pauseBehavior: 'skip' })).status).toBe('paused');
    expect((await recordings(live.record.sid).update({ status: 'stopped' })).status).toBe('stopped');
    await live.done;
    const one = await world.raw(`${account}/Conferences/${conferenceSid}/Recordings/${live.record.sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.conference.conference_recording', one.body as object)).toEqual([]);
    expect(await recordings(live.record.sid).remove()).toBe(true);
  });
});

describe('recordings of an account', () => {
  it('are listed by call and by date, and as documented', async () => {
    const { call, sid } = await recorded();
    await recorded();
    const [found, ...more] = await world.client.recordings.list({ callSid: call.sid });
    expect([found?.sid, more]).toEqual([sid, []]);
    expect(await world.client.recordings.list({ callSid: call.sid, dateCreatedAfter: new Date(Date.now() + 86_400_000) })).toEqual([]);
    expect((await world.client.recordings.list({ callSid: call.sid, dateCreatedBefore: new Date(Date.now() + 86_400_000) })).length).toBe(1);
    expect(await world.client.recordings.list({ conferenceSid: newSid('CF') })).toEqual([]);
    const one = await world.raw(`${account}/Recordings/${sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.recording', one.body as object)).toEqual([]);
    expect(one.body.media_url).toBe(`${world.url}${account}/Recordings/${sid}`);
  });

  it('are not those of another account', async () => {
    const { sid } = await recorded();
    const other = await world.newAccount();
    const answer = await world.raw(`/2010-04-01/Accounts/${other.sid}/Recordings/${sid}.wav`, { authorization: basic(other.sid, other.authToken) });
    expect(answer.status).toBe(404);
  });
});

describe('the sound of a recording', () => {
  it('is WAV without an extension and with .wav', async () => {
    const { sid } = await recorded();
    const plain = await bytes(`${account}/Recordings/${sid}`);
    expect([plain.status, plain.headers.get('content-type'), plain.body.toString('latin1', 0, 4), plain.headers.get('content-disposition')]).toEqual([200, 'audio/x-wav', 'RIFF', `inline; filename="${sid}.wav"`]);
    expect((await bytes(`${account}/Recordings/${sid}.wav`)).body.equals(plain.body)).toBe(true);
  });

  it('is MP3 with .mp3, also when many ask at once', async () => {
    const { sid } = await recorded();
    const answers = await Promise.all([1, 2, 3].map(() => bytes(`${account}/Recordings/${sid}.mp3`)));
    for (const { status, headers, body } of answers) {
      expect([status, headers.get('content-type'), Number(headers.get('content-length'))]).toEqual([200, 'audio/mpeg', body.length]);
      expect(body.length).toBeGreaterThan(4000);
    }
  });

  it('comes in ranges, and HEAD tells its size', async () => {
    const { sid } = await recorded();
    const path = `${account}/Recordings/${sid}.wav`;
    const whole = await bytes(path);
    const part = await bytes(path, { range: 'bytes=8-11' });
    expect([part.status, part.body.toString('latin1'), part.headers.get('content-range')]).toEqual([206, 'WAVE', `bytes 8-11/${whole.body.length}`]);
    expect((await bytes(path, { range: 'bytes=-4' })).body.equals(whole.body.subarray(-4))).toBe(true);
    expect((await bytes(path, { range: 'bytes=99999999-' })).status).toBe(416);
    const head = await world.raw(path, { method: 'HEAD' });
    expect([head.status, head.text, Number(head.headers.get('content-length')), head.headers.get('accept-ranges')]).toEqual([200, '', whole.body.length, 'bytes']);
  });

  it('is mixed down to one channel, and never made up to two', async () => {
    const dual = await recorded('dual');
    const mono = await bytes(`${account}/Recordings/${dual.sid}.wav?RequestedChannels=1`);
    expect([mono.status, mono.body.readUInt16LE(22)]).toEqual([200, 1]);
    expect((await bytes(`${account}/Recordings/${dual.sid}.wav`)).body.readUInt16LE(22)).toBe(2);
    const single = await recorded();
    expect((await world.raw(`${account}/Recordings/${single.sid}.wav?RequestedChannels=2`)).body).toMatchObject({ code: 20001, status: 400 });
  });

  it('is not there while the recording runs', async () => {
    const { call } = talking();
    const { sid } = await world.client.calls(call.sid).recordings.create();
    expect((await world.raw(`${account}/Recordings/${sid}.wav`)).body).toMatchObject({ code: 20404 });
  });

  it('needs credentials, unless the server gives recordings away', async () => {
    const { sid } = await recorded();
    const ask = (path: string, method = 'GET'): Promise<number> => world.raw(`${account}/Recordings/${path}`, { authorization: null, method }).then(({ status }) => status);
    expect(await ask(`${sid}.wav`)).toBe(401);
    world.voiceRecordings.publicRecordings = true;
    try {
      expect([await ask(`${sid}.wav`), await ask(sid), await ask(`${sid}.mp3`, 'HEAD')]).toEqual([200, 200, 200]);
      expect([await ask(`${sid}.json`), await ask(`${sid}.wav`, 'DELETE'), await ask('../Calls.json')]).toEqual([401, 401, 401]);
      const other = await world.newAccount();
      expect((await world.raw(`/2010-04-01/Accounts/${other.sid}/Recordings/${sid}.wav`, { authorization: null })).status).toBe(404);
    } finally {
      world.voiceRecordings.publicRecordings = false;
    }
  });
});
