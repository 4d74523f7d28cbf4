import twilio from 'twilio';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { Stage, notificationCodes } from '../peers/stage.ts';
import { toneWav, tonesIn } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';
import type { WebhookAnswer, WebhookRequest } from '../peers/webhook-app.ts';

// How documents are fetched and read, and what goes wrong there: a real phone, a real application. Cases B, C and D of the contract.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550900';
const WITH_FALLBACK = '+15550901';
const NEVER_ANSWERED = '+15550904';
const HELD = '<Response><Pause length="60"/></Response>';
const SPOKEN = '<Response><Say>Yes.</Say><Pause length="60"/></Response>';

let stage: Stage;
let phone: Phone;
let established = 0;
let closed = 0;

beforeAll(async () => {
  // Calls of REST leave one in five seconds, so that one can be found in the queue.
  stage = await Stage.open(cast, { env: { PARTYLINE_CALLS_PER_SECOND: '0.2' } });
  phone = await cast.add('phone', startPhone({ user: '+15557090', toneHz: 440 }));
  stage.app.on('/next', () => SPOKEN);
  stage.app.on('/fallback', () => HELD);
  await stage.number(NUMBER, '/voice', { statusCallback: `${stage.app.url}/status` });
  await stage.number(WITH_FALLBACK, '/voice', { voiceFallbackUrl: `${stage.app.url}/fallback` });
  stage.app.on('/never', () => new Promise(() => undefined));
  stage.app.on('/given-up', () => '<Response><Reject/></Response>');
  await stage.number(NEVER_ANSWERED, '/never', { voiceFallbackUrl: `${stage.app.url}/given-up` });
  // Waits beside the other calls, until its test looks at it.
  const patient = await cast.add('phone that waits', startPhone({ user: '+15557091', toneHz: 500 }));
  await patient.dial(stage.server.sipUri(NEVER_ANSWERED));
}, 60_000);

afterEach(async () => {
  await phone.hangUp();
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'the calls to be over' });
});

/** Calls a number whose application answers this; resolves with the first request of the call. */
type Handler = (request: WebhookRequest) => WebhookAnswer | Promise<WebhookAnswer>;

async function call(answer: WebhookAnswer | Handler, number = NUMBER): Promise<WebhookRequest & { sid: string }> {
  stage.app.on('/voice', isHandler(answer) ? answer : () => answer);
  established = phone.count('CALL_ESTABLISHED');
  closed = phone.count('CALL_CLOSED');
  const nth = stage.app.matching({ path: '/voice' }).length + 1;
  await phone.dial(stage.server.sipUri(number));
  const request = await stage.app.waitFor({ path: '/voice' }, { nth });
  return { ...request, sid: request.params['CallSid'] ?? '' };
}

const picked = (): Promise<void> => phone.waitEstablished({ nth: established + 1 });
const hungUp = (timeoutMs = 10_000): Promise<unknown> => phone.waitClosed({ nth: closed + 1, timeoutMs });
const asked = (path: string, sid: string, timeoutMs = 10_000): Promise<WebhookRequest> => stage.app.waitFor({ path, params: { CallSid: sid } }, { timeoutMs });
const codes = async (sid: string, code: string): Promise<string[]> => waitUntil(async () => {
  const found = await notificationCodes(stage, sid);
  return found.includes(code) ? found : null;
}, { what: `a notification ${code}` });

describe('a document', () => {
  it('without verbs: answered, and ended (B1)', async () => {
    const { sid } = await call('<Response/>');
    await picked();
    await hungUp();
    await stage.waitCallStatus(sid, 'completed');
  });

  it('with an unknown verb: a warning, the rest runs (B2)', async () => {
    const { sid } = await call('<Response><say>hi</say><Redirect>/next</Redirect></Response>');
    await asked('/next', sid);
    expect(await codes(sid, '12200')).toEqual(['12200']);
  });

  it.each([
    ['12100', 'a blank before the declaration (B3)', ` <?xml version="1.0"?>${HELD}`],
    ['12102', 'another root (B4)', '<Reply/>'],
    ['11750', '70 kB (B5)', `<Response><!--${'x'.repeat(70_000)}-->${''}</Response>`],
    ['12300', 'a picture', { status: 200, contentType: 'image/png', body: 'x' }],
    ['12300', 'a sound that is not played', { status: 200, contentType: 'audio/ogg', body: 'x' }],
    ['11200', 'status 404', { status: 404 }],
  ])('%s: %s, and the fallback takes over', async (code, _what, answer) => {
    const { sid } = await call(answer, WITH_FALLBACK);
    const request = await asked('/fallback', sid);
    expect(request.params).toMatchObject({ ErrorCode: code, ErrorUrl: `${stage.app.url}/voice` });
    expect(await notificationCodes(stage, sid)).toEqual([code]);
  });

  it('in text/plain runs where it is TwiML (B7), and is spoken where it is not', async () => {
    const { sid } = await call({ status: 200, contentType: 'text/plain', body: '<Response><Redirect>/next</Redirect></Response>' });
    await asked('/next', sid);
    await phone.hangUp();
    await call({ status: 200, contentType: 'text/plain', body: 'Nobody is here.' });
    await hungUp();
    expect(loudest(phone)).toBeGreaterThan(1000);
  });

  it('that is a sound is played, then the call ends (B8)', async () => {
    const askedBefore = stage.app.matching({ path: '/voice' }).length;
    await call({ status: 200, contentType: 'audio/wav', body: toneWav(700, 2) });
    await hungUp();
    expect(stage.app.matching({ path: '/voice' })).toHaveLength(askedBefore + 1);
    const tone = tonesIn(phone.heard(), [700])[700];
    expect((tone?.share ?? 0) * (tone?.windows ?? 0)).toBeGreaterThanOrEqual(17);
  });

  it('cookies come back within a call, and not in another (B13)', async () => {
    stage.app.on('/baked', () => HELD);
    const { sid } = await call({ status: 200, contentType: 'text/xml', headers: { 'set-cookie': 'seen=1; Path=/' }, body: '<Response><Redirect>/baked</Redirect></Response>' });
    expect((await asked('/baked', sid)).headers.cookie).toBe('seen=1');
    await phone.hangUp();
    expect((await call(HELD)).headers.cookie).toBeUndefined();
  });

  it('<Redirect> resolves against the document and keeps the phone ringing (B14, B25)', async () => {
    stage.app.on('/deep/er/doc', () => '<Response><Redirect>../x</Redirect></Response>');
    stage.app.on('/deep/x', async () => {
      await waitUntil(() => phone.count('CALL_RINGING') > 0);
      expect(phone.count('CALL_ESTABLISHED')).toBe(established);
      return SPOKEN;
    });
    const { sid } = await call('<Response><Redirect>/deep/er/doc</Redirect></Response>');
    expect((await asked('/deep/x', sid)).method).toBe('POST');
    await picked();
  });

  it('<Pause> first delays the answer by its length (B23)', async () => {
    const { at } = await call('<Response><Pause length="3"/><Say>Hello.</Say></Response>');
    await picked();
    expect(Math.abs(Date.now() - at - 3000)).toBeLessThan(700);
  });

  it('<Play> asks without parameters, and only for what has changed (B31)', async () => {
    const requests: WebhookRequest[] = [];
    stage.app.on('/tagged.wav', (request) => {
      requests.push(request);
      return request.headers['if-none-match'] === '"v1"' ? { status: 304 } : { status: 200, contentType: 'audio/wav', headers: { etag: '"v1"' }, body: toneWav(700, 1) };
    });
    await call('<Response><Play>/tagged.wav</Play><Play>/tagged.wav</Play></Response>');
    await hungUp();
    expect(requests.map(({ method, params, headers }) => [method, params, headers['if-none-match']])).toEqual([['GET', {}, undefined], ['GET', {}, '"v1"']]);
    const tone = tonesIn(phone.heard(), [700])[700];
    expect((tone?.share ?? 0) * (tone?.windows ?? 0)).toBeGreaterThanOrEqual(17);
  });
});

describe('an application', () => {
  it('that fails, and its fallback too: the caller is told, then the call ends (B11)', async () => {
    const { sid } = await call({ status: 500 });
    await hungUp();
    expect(loudest(phone)).toBeGreaterThan(1000);
    await stage.waitCallStatus(sid, 'completed');
  });

  it('that never answers is given up after 15 s (B10)', async () => {
    const { at, params } = await stage.app.waitFor({ path: '/never' });
    const fallback = await asked('/given-up', params['CallSid'] ?? '', 20_000);
    expect(Math.abs(fallback.at - at - 15_000)).toBeLessThan(1000);
    expect(fallback.params['ErrorCode']).toBe('11205');
  });

  it('is asked again as its URL says, by the same token, signed without the fragment (C4)', async () => {
    const number = '+15550902';
    let tries = 0;
    stage.app.on('/flaky', () => (++tries < 3 ? { status: 503 } : HELD));
    await stage.number(number, '/flaky?x=1#rc=2&rp=5xx');
    await phone.dial(stage.server.sipUri(number));
    await stage.app.waitFor({ path: '/flaky' }, { nth: 3 });
    const requests = stage.app.matching({ path: '/flaky' });
    expect(new Set(requests.map(({ headers }) => headers['i-twilio-idempotency-token'])).size).toBe(1);
    expect(requests.every(({ valid, headers }) => valid && headers['i-twilio-idempotency-token'] !== undefined)).toBe(true);
  });

  it('without such words is asked once (C5)', async () => {
    const { sid } = await call({ status: 503 }, WITH_FALLBACK);
    await asked('/fallback', sid);
    expect(stage.app.matching({ path: '/voice', params: { CallSid: sid } })).toHaveLength(1);
  });

  it('that answers callbacks with 500 disturbs neither calls nor REST (C14)', async () => {
    stage.app.on('/room', () => ({ status: 500 }));
    stage.app.on('/status', () => ({ status: 500 }));
    await stage.room('Unlucky');
    const { sid } = await call('<Response><Connect><Room participantIdentity="eve">Unlucky</Room></Connect></Response>');
    await stage.waitParticipants('Unlucky', 1);
    await phone.hangUp();
    await stage.waitCallStatus(sid, 'completed');
    await asked('/status', sid);
    expect(await codes(sid, '15003')).toEqual(['15003']);
  });
});

describe('over REST', () => {
  it('keys are pressed after the answer and before the TwiML (D7); a call in the queue is canceled without a word (C10)', async () => {
    const { client } = stage.server;
    const twiml = new VoiceResponse();
    twiml.play({ digits: '9' });
    twiml.pause({ length: 30 });
    established = phone.count('CALL_ESTABLISHED');
    await client.calls.create({ to: phone.uri, from: NUMBER, twiml, sendDigits: 'W12' });
    const queued = await client.calls.create({ to: phone.uri, from: NUMBER, twiml, statusCallback: `${stage.app.url}/canceled`, statusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'] });
    expect((await client.calls(queued.sid).update({ status: 'canceled' })).status).toBe('canceled');
    await picked();
    await phone.waitEvent('CALL_DTMF_START', { nth: 3 });
    expect(phone.events.filter(({ type }) => type === 'CALL_DTMF_START').map(({ param }) => param)).toEqual(['1', '2', '9']);
    await phone.hangUp();
    await waitUntil(async () => (await client.calls(queued.sid).fetch()).status === 'canceled');
    expect(stage.app.matching({ path: '/canceled' })).toEqual([]);
  });

  it('a call that is over can be deleted (D19), one that lives cannot', async () => {
    const { client } = stage.server;
    const { sid } = await call(SPOKEN);
    await picked();
    await expect(client.calls(sid).remove()).rejects.toMatchObject({ status: 409, code: 20009 });
    await phone.hangUp();
    await stage.waitCallStatus(sid, 'completed');
    expect(await client.calls(sid).remove()).toBe(true);
    await expect(client.calls(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('TwiML with a relative action is refused while the call goes on (B32)', async () => {
    const { client } = stage.server;
    const { sid } = await call(SPOKEN);
    await picked();
    await expect(client.calls(sid).update({ twiml: '<Response><Gather action="/relative"/></Response>' })).rejects.toMatchObject({ status: 400, code: 15004 });
    await client.calls(sid).update({ twiml: `<Response><Redirect>${stage.app.url}/next</Redirect></Response>` });
    await asked('/next', sid);
  });
});

function loudest(listener: Phone): number {
  return listener.heard().samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}

function isHandler(answer: WebhookAnswer | Handler): answer is Handler {
  return typeof answer === 'function';
}
