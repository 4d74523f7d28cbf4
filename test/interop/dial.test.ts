import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { startSipp } from '../peers/sipp.ts';
import { Stage } from '../peers/stage.ts';
import { tonesIn } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';

// <Dial>: a caller (baresip) is brought together with real phones: one behind the carrier, one called as <Sip>, and sipp
// ones that are busy or never answer. Cases B26 and B28.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550800';
const CALLED_NUMBER = '+15557800';
const CALLER_HZ = 440;
const CARRIER_HZ = 600;
const DESK_HZ = 1000;
const SECRET_HZ = 750;
const EVENTS = ['initiated', 'ringing', 'answered', 'completed'] as const;

let stage: Stage;
let caller: Phone;
let behindCarrier: Phone;
let desk: Phone;

beforeAll(async () => {
  behindCarrier = await cast.add('phone behind the carrier', startPhone({ user: CALLED_NUMBER, toneHz: CARRIER_HZ }));
  stage = await Stage.open(cast, { env: { PARTYLINE_CARRIER: `sip:${behindCarrier.uri.split('@')[1]}` } });
  caller = await cast.add('caller', startPhone({ user: '+15557080', toneHz: CALLER_HZ }));
  desk = await cast.add('desk phone', startPhone({ user: 'desk', toneHz: DESK_HZ, answerMode: 'manual' }));
  for (const path of ['/next', '/action']) stage.app.on(path, () => held());
  await stage.number(NUMBER, '/voice');
}, 60_000);

afterEach(async () => {
  await Promise.all([caller.hangUp(), desk.hangUp(), behindCarrier.hangUp()]);
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'the calls to be over' });
});

function held(): InstanceType<typeof VoiceResponse> {
  const response = new VoiceResponse();
  response.pause({ length: 60 });
  return response;
}

type Dial = ReturnType<InstanceType<typeof VoiceResponse>['dial']>;

/** Calls in; the document is this `<Dial>`, then a redirect to /next. Resolves with the caller's SID once it was asked. */
async function call(attributes: Parameters<InstanceType<typeof VoiceResponse>['dial']>[0], nouns: (dial: Dial) => void, from = caller): Promise<string> {
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    nouns(response.dial(attributes));
    response.redirect('/next');
    return response;
  });
  const asked = stage.app.matching({ path: '/voice' }).length;
  await from.dial(stage.server.sipUri(NUMBER));
  return (await stage.app.waitFor({ path: '/voice' }, { nth: asked + 1 })).params['CallSid'] ?? '';
}

/** One channel of a stereo WAV file: 0 is left. */
function channelOf(wav: Buffer, channel: 0 | 1): { sampleRateHz: number; samples: Int16Array } {
  const data = wav.subarray(wav.indexOf('data') + 8);
  const samples = new Int16Array(Math.floor(data.length / 4));
  for (let at = 0; at < samples.length; at++) samples[at] = data.readInt16LE(at * 4 + channel * 2);
  return { sampleRateHz: wav.readUInt32LE(24), samples };
}

const childrenOf = (parentCallSid: string): ReturnType<typeof stage.server.client.calls.list> => stage.server.client.calls.list({ parentCallSid });
const action = (sid: string): ReturnType<typeof stage.app.waitFor> => stage.app.waitFor({ path: '/action', params: { CallSid: sid } }, { timeoutMs: 15_000 });

it('caller and number hear each other; when the called phone hangs up the action is asked', async () => {
  const established = behindCarrier.count('CALL_ESTABLISHED');
  const sid = await call({ action: '/action', record: 'record-from-answer-dual' }, (dial) => dial.number({ statusCallback: '/child', statusCallbackEvent: [...EVENTS] }, CALLED_NUMBER));
  await behindCarrier.waitEstablished({ nth: established + 1 });
  const [child] = await childrenOf(sid);
  expect(child).toMatchObject({ parentCallSid: sid, direction: 'outbound-dial', to: CALLED_NUMBER, from: '+15557080', status: 'in-progress' });
  const [atCaller, atCalled] = await Promise.all([caller.listen(1500, [CALLER_HZ, CARRIER_HZ]), behindCarrier.listen(1500, [CALLER_HZ, CARRIER_HZ])]);
  expect(atCaller[CARRIER_HZ]!.share).toBeGreaterThan(0.8);
  expect(atCaller[CALLER_HZ]!.share).toBeLessThan(0.1);
  expect(atCalled[CALLER_HZ]!.share).toBeGreaterThan(0.8);
  await behindCarrier.hangUp();
  const request = await action(sid);
  expect(request.valid).toBe(true);
  expect(request.params).toMatchObject({ DialCallStatus: 'completed', DialCallSid: child!.sid, DialBridged: 'true', CallStatus: 'in-progress' });
  expect(Number(request.params['DialCallDuration'])).toBeGreaterThanOrEqual(1);
  const [recording] = await stage.server.client.recordings.list({ callSid: sid });
  expect(recording).toMatchObject({ channels: 2, source: 'DialVerb', status: 'completed' });
  expect(request.params['RecordingUrl']).toMatch(new RegExp(`/Recordings/${recording!.sid}$`));
  const signIn = `Basic ${Buffer.from(`${stage.server.accountSid}:${stage.server.authToken}`).toString('base64')}`;
  const file = await fetch(`${stage.server.httpUrl}/2010-04-01/Accounts/${stage.server.accountSid}/Recordings/${recording!.sid}.wav?RequestedChannels=2`, { headers: { authorization: signIn } });
  const wav = Buffer.from(await file.arrayBuffer());
  expect(tonesIn(channelOf(wav, 0), [CALLER_HZ])[CALLER_HZ]!.share).toBeGreaterThan(0.8);
  expect(tonesIn(channelOf(wav, 1), [CARRIER_HZ])[CARRIER_HZ]!.share).toBeGreaterThan(0.7);
  await stage.app.waitFor({ path: '/child', params: { CallStatus: 'completed', CallSid: child!.sid } });
  const told = stage.app.matching({ path: '/child', params: { CallSid: child!.sid } }).map(({ params }) => params).sort((a, b) => Number(a['SequenceNumber']) - Number(b['SequenceNumber']));
  expect(told.map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
  expect(told.every((params) => params['ParentCallSid'] === sid)).toBe(true);
});

it.each(['srtp-mand', 'srtp'] as const)('a phone that encrypts its sound (%s) and one that does not hear each other', async (encryption) => {
  const secret = await cast.add(`phone with ${encryption}`, startPhone({ user: '+15557090', toneHz: SECRET_HZ, encryption }));
  const established = behindCarrier.count('CALL_ESTABLISHED');
  await call({ action: '/action' }, (dial) => dial.number(CALLED_NUMBER), secret);
  await behindCarrier.waitEstablished({ nth: established + 1 });
  const [atSecret, atCalled] = await Promise.all([secret.listen(1500, [CARRIER_HZ]), behindCarrier.listen(1500, [SECRET_HZ])]);
  expect(atSecret[CARRIER_HZ]!.share, secret.log().slice(-3000)).toBeGreaterThan(0.8);
  expect(atCalled[SECRET_HZ]!.share).toBeGreaterThan(0.8);
  expect(secret.log()).toMatch(/a=crypto:\d+ AES_CM_128_HMAC_SHA1_(80|32) inline:.*[^]*a=crypto:\d+ AES_CM_128_HMAC_SHA1_(80|32) inline:/);
  await secret.stop();
});

it('B28: without an action the next verb runs when the called phone hangs up, and not when the caller does', async () => {
  const established = desk.count('CALL_ESTABLISHED');
  const incoming = desk.count('CALL_INCOMING');
  const first = await call({ answerOnBridge: true }, (dial) => dial.sip(desk.uri));
  await desk.waitEvent('CALL_INCOMING', { nth: incoming + 1 });
  await stage.waitCallStatus(first, 'ringing');
  await desk.accept();
  await desk.waitEstablished({ nth: established + 1 });
  await stage.waitCallStatus(first, 'in-progress');
  const heard = await caller.listen(1500, [DESK_HZ]);
  expect(heard[DESK_HZ]!.share).toBeGreaterThan(0.8);
  await desk.hangUp();
  await stage.app.waitFor({ path: '/next', params: { CallSid: first } });
  await caller.hangUp();
  await stage.waitCallStatus(first, 'completed');

  const second = await call({}, (dial) => dial.number(CALLED_NUMBER));
  await waitUntil(async () => (await childrenOf(second))[0]?.status === 'in-progress', { what: 'the called phone to answer' });
  await caller.hangUp();
  await stage.waitCallStatus(second, 'completed');
  expect((await childrenOf(second))[0]!.status).toBe('completed');
  expect(stage.app.matching({ path: '/next', params: { CallSid: second } })).toEqual([]);
});

it('hears what the called side plays before it refuses, and is told the headers of the refusal', async () => {
  const sipp = await startSipp({ scenario: 'announcement-then-busy', toneHz: 1000 });
  const sid = await call({ action: '/action' }, (dial) => dial.sip(`sip:early@127.0.0.1:${sipp.sipPort}`));
  await waitUntil(async () => ((await caller.listen(400, [1000]))[1000]?.share ?? 0) > 0.8, { what: 'the announcement at the caller' });
  expect((await action(sid)).params).toMatchObject({ DialCallStatus: 'busy', DialBridged: 'false', 'DialSipHeader_X-Why': 'lunch' });
  expect(await sipp.result()).toBe(0);
});

it('B26: nobody answers for 5 s', async () => {
  const sipp = await startSipp({ scenario: 'rings-until-canceled' });
  const sid = await call({ action: '/action', timeout: 5 }, (dial) => dial.sip(`sip:nobody@127.0.0.1:${sipp.sipPort}`));
  const startedMs = Date.now();
  const request = await action(sid);
  expect(Date.now() - startedMs).toBeGreaterThan(4000);
  expect(Date.now() - startedMs).toBeLessThan(7500);
  expect(request.params).toMatchObject({ DialCallStatus: 'no-answer', DialBridged: 'false', DialSipResponseCode: '487' });
  expect(request.params['DialCallSid']).toBe((await childrenOf(sid))[0]!.sid);
  expect(await sipp.result()).toBe(0);
});

it('a <Sip> with <Uri> and <Headers> is called while <Start><Recording> records both sides', async () => {
  const sipp = await startSipp({ scenario: 'busy' });
  stage.app.on('/recorded', () => '');
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    response.start().recording({ channels: 'dual', trim: 'do-not-trim', recordingStatusCallback: '/recorded' });
    const noun = response.dial({ action: '/action', callReason: 'Order 7' } as object).sip('');
    noun.uri(`sip:busy@127.0.0.1:${sipp.sipPort}`);
    noun.headers().header({ name: 'X-Order', value: '7' });
    return response;
  });
  const asked = stage.app.matching({ path: '/voice' }).length;
  await caller.dial(stage.server.sipUri(NUMBER));
  const sid = (await stage.app.waitFor({ path: '/voice' }, { nth: asked + 1 })).params['CallSid'] ?? '';
  expect((await action(sid)).params).toMatchObject({ DialCallStatus: 'busy', DialSipResponseCode: '486' });
  await caller.hangUp();
  expect((await stage.app.waitFor({ path: '/recorded', params: { CallSid: sid } })).params).toMatchObject({ RecordingStatus: 'completed', RecordingChannels: '2' });
});

it('a busy phone is busy', async () => {
  const sipp = await startSipp({ scenario: 'busy' });
  const sid = await call({ action: '/action' }, (dial) => dial.sip(`sip:busy@127.0.0.1:${sipp.sipPort}`));
  expect((await action(sid)).params).toMatchObject({ DialCallStatus: 'busy', DialSipResponseCode: '486' });
  expect(await sipp.result()).toBe(0);
});

it('two phones ring at once: the first answer wins, the other is canceled', async () => {
  const sipp = await startSipp({ scenario: 'rings-until-canceled' });
  const incoming = desk.count('CALL_INCOMING');
  const sid = await call({ action: '/action' }, (dial) => {
    dial.sip(`sip:slow@127.0.0.1:${sipp.sipPort}`);
    dial.sip(desk.uri);
  });
  await desk.waitEvent('CALL_INCOMING', { nth: incoming + 1 });
  await waitUntil(async () => (await childrenOf(sid)).filter(({ status }) => status === 'ringing').length === 2, { what: 'both to ring' });
  await desk.accept();
  expect(await sipp.result()).toBe(0);
  await waitUntil(async () => (await childrenOf(sid)).map(({ status }) => status).sort().join() === 'canceled,in-progress', { what: 'one to win' });
  const heard = await caller.listen(1000, [DESK_HZ]);
  expect(heard[DESK_HZ]!.share).toBeGreaterThan(0.8);
});

it('a whisper asks the called phone for a key; then * of the caller hangs it up and the call goes on', async () => {
  stage.app.on('/whisper', () => {
    const response = new VoiceResponse();
    response.gather({ numDigits: 1, action: '/accepted' }).say({ loop: 0 }, 'Press one to accept.');
    response.hangup();
    return response;
  });
  stage.app.on('/accepted', () => new VoiceResponse());
  const established = behindCarrier.count('CALL_ESTABLISHED');
  const closed = behindCarrier.count('CALL_CLOSED');
  const sid = await call({ action: '/action', hangupOnStar: true }, (dial) => dial.number({ url: '/whisper' }, CALLED_NUMBER));
  await behindCarrier.waitEstablished({ nth: established + 1 });
  const whispered = await stage.app.waitFor({ path: '/whisper', params: { ParentCallSid: sid } });
  const apart = await behindCarrier.listen(800, [CALLER_HZ]);
  // Spoken words pass the caller's frequency now and then.
  expect(apart[CALLER_HZ]!.share).toBeLessThan(0.5);
  await behindCarrier.command('sndcode', '1');
  await stage.app.waitFor({ path: '/accepted', params: { CallSid: whispered.params['CallSid'] ?? '', Digits: '1' } });
  await waitUntil(async () => (await behindCarrier.listen(500, [CALLER_HZ]))[CALLER_HZ]!.share > 0.8, { what: 'the called phone to hear the caller' });
  await caller.command('sndcode', '*');
  await behindCarrier.waitClosed({ nth: closed + 1 });
  expect((await action(sid)).params).toMatchObject({ DialCallStatus: 'completed', DialBridged: 'true' });
  await stage.waitCallStatus(sid, 'in-progress');
});

it('REST redirects the called phone out of the bridge: it runs its own document, the caller its action', async () => {
  const sid = await call({ action: '/action' }, (dial) => dial.number(CALLED_NUMBER));
  await waitUntil(async () => (await childrenOf(sid))[0]?.status === 'in-progress', { what: 'the called phone to answer' });
  const [child] = await childrenOf(sid);
  stage.app.on('/alone', () => held());
  await stage.server.client.calls(child!.sid).update({ url: `${stage.app.url}/alone` });
  await stage.app.waitFor({ path: '/alone', params: { CallSid: child!.sid } });
  expect((await action(sid)).params).toMatchObject({ DialCallStatus: 'completed', DialCallSid: child!.sid });
  await stage.waitCallStatus(child!.sid, 'in-progress');
});
