import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { runSipp } from '../peers/sipp.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// Keys of a real phone (RFC 4733) into <Gather>, asked for by the official helper; sipp is the phone that has no such events.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550700';
/** Hangs up once it has its digits. */
const BRIEF = '+15550701';

let stage: Stage;
let phone: Phone;

beforeAll(async () => {
  stage = await Stage.open(cast);
  phone = await cast.add('phone', startPhone({ user: '+15557070', toneHz: 440 }));
  stage.app.on('/keys', () => held());
  stage.app.on('/next', () => held());
  await stage.number(NUMBER, '/voice');
  await stage.number(BRIEF, '/brief');
  stage.app.on('/brief', () => {
    const response = new VoiceResponse();
    response.gather({ action: '/told', timeout: 10 });
    return response;
  });
  stage.app.on('/told', () => {
    const response = new VoiceResponse();
    response.hangup();
    return response;
  });
}, 60_000);

afterEach(async () => {
  await phone.hangUp();
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'the call to be over' });
});

function held(): InstanceType<typeof VoiceResponse> {
  const response = new VoiceResponse();
  response.pause({ length: 30 });
  return response;
}

/** Dials into this `<Gather>`, followed by a redirect; resolves with the call's SID once the phone is answered. */
async function dial(attributes: Parameters<InstanceType<typeof VoiceResponse>['gather']>[0], prompt?: string): Promise<string> {
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    const gather = response.gather(attributes);
    if (prompt !== undefined) gather.say({ loop: 0 }, prompt);
    response.redirect('/next');
    return response;
  });
  const asked = stage.app.matching({ path: '/voice' }).length;
  const answered = phone.count('CALL_ESTABLISHED');
  await phone.dial(stage.server.sipUri(NUMBER));
  const request = await stage.app.waitFor({ path: '/voice' }, { nth: asked + 1 });
  await phone.waitEstablished({ nth: answered + 1 });
  return request.params['CallSid'] ?? '';
}

it('12# is Digits=12, though a prompt without end was playing', async () => {
  const sid = await dial({ action: '/keys' }, 'Please enter your number.');
  await phone.command('sndcode', '12#');
  const request = await stage.app.waitFor({ path: '/keys', params: { CallSid: sid } });
  expect(request.valid).toBe(true);
  expect(request.params).toMatchObject({ Digits: '12', FinishedOnKey: '#', CallStatus: 'in-progress' });
});

it('# alone falls to the next verb, without a request to the action', async () => {
  const sid = await dial({ action: '/keys' });
  await phone.command('sndcode', '#');
  await stage.app.waitFor({ path: '/next', params: { CallSid: sid } });
  expect(stage.app.matching({ path: '/keys', params: { CallSid: sid } })).toEqual([]);
});

it('silence falls to the next verb after the time-out', async () => {
  const sid = await dial({ action: '/keys', timeout: 2 });
  await stage.app.waitFor({ path: '/next', params: { CallSid: sid } });
  expect(stage.app.matching({ path: '/keys', params: { CallSid: sid } })).toEqual([]);
});

it('without an action the document’s own URL is asked', async () => {
  const sid = await dial({ numDigits: 1 });
  await phone.command('sndcode', '5');
  const again = await stage.app.waitFor({ path: '/voice', params: { CallSid: sid, Digits: '5' } });
  expect(again.valid).toBe(true);
});

it('keys by INFO, and keys that are only in the sound, arrive once each', async () => {
  const call = { remote: `127.0.0.1:${stage.server.sipPort}`, service: BRIEF, timeoutMs: 20_000 };
  const runs = await Promise.all([runSipp({ ...call, scenario: 'keys-by-info' }), runSipp({ ...call, scenario: 'keys-in-the-sound', keysInSound: '1559*04#' })]);
  for (const { code, log } of runs) expect(code, log.slice(-6000)).toBe(0);
  const told = (From: string): object[] => stage.app.matching({ path: '/told', params: { From } }).map(({ params }) => ({ Digits: params['Digits'], FinishedOnKey: params['FinishedOnKey'] }));
  expect(told('+15557071')).toEqual([{ Digits: '122', FinishedOnKey: '#' }]);
  expect(told('+15557072')).toEqual([{ Digits: '1559*04', FinishedOnKey: '#' }]);
});
