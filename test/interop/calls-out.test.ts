import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { temporaryFolder } from '../peers/child.ts';
import { freePort } from '../peers/ports.ts';
import { startSipp } from '../peers/sipp.ts';
import { notificationCodes, Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// Calls placed through REST to a phone that answers, is busy, does not answer, or is called off.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const FROM = '+15550300';
const CALLED_NUMBER = '+15557777';
const EVENTS = ['initiated', 'ringing', 'answered', 'completed'];

/** A carrier that asks for proof and is told who calls, as the trunks file describes it. */
const DIGEST_CARRIER = { name: 'digest', outbound: { username: 'trunk', password: 's3cret', identity: 'pai', withheld: true }, numbers: { out: 'international' }, probeIntervalS: null };

let stage: Stage;
let digestPort: number;
let ready: Phone;
let ringing: Phone;
/** Stands behind the carrier, under the number that is called. */
let behindCarrier: Phone;

beforeAll(async () => {
  behindCarrier = await cast.add('phone behind the carrier', startPhone({ user: CALLED_NUMBER, toneHz: 600 }));
  digestPort = await freePort();
  const trunksFile = join(temporaryFolder('trunks'), 'trunks.json');
  writeFileSync(trunksFile, JSON.stringify({ trunks: [{ ...DIGEST_CARRIER, targets: [{ uri: `sip:127.0.0.1:${digestPort}` }] }] }));
  stage = await Stage.open(cast, { env: { PARTYLINE_CARRIER: `sip:${behindCarrier.uri.split('@')[1]}`, PARTYLINE_TRUNKS_FILE: trunksFile } });
  ready = await cast.add('phone that answers', startPhone({ user: 'ready', toneHz: 440 }));
  ringing = await cast.add('phone that rings', startPhone({ user: 'ringing', toneHz: 1000, answerMode: 'manual' }));
  await stage.number(FROM, '/voice');
  stage.app.on('/answered', () => pause(2));
  stage.app.on('/long', () => pause(60));
}, 60_000);

afterEach(async () => {
  const live = (await Promise.all((['queued', 'ringing', 'in-progress'] as const).map((status) => stage.server.client.calls.list({ status })))).flat();
  for (const call of live) await stage.server.client.calls(call.sid).update({ status: 'completed' }).catch(() => undefined);
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'all calls to be over' });
});

function pause(length: number): string {
  const response = new VoiceResponse();
  response.pause({ length });
  return response.toString();
}

const calls = (): typeof stage.server.client.calls => stage.server.client.calls;

/** A trunk whose calls try these targets in this order; returns its SID. */
async function byTargets(friendlyName: string, targets: string[]): Promise<string> {
  const { connectionPolicies, byocTrunks } = stage.server.client.voice.v1;
  const policy = await connectionPolicies.create({ friendlyName });
  for (const [priority, target] of targets.entries()) await connectionPolicies(policy.sid).targets.create({ target, priority });
  return (await byocTrunks.create({ friendlyName, connectionPolicySid: policy.sid })).sid;
}

/** The status callbacks of a call in the order of their SequenceNumber, once the last has come. */
async function callbacks(sid: string): Promise<Record<string, string>[]> {
  const last = ['completed', 'busy', 'failed', 'no-answer', 'canceled'];
  await waitUntil(() => stage.app.matching({ path: '/status', params: { CallSid: sid } }).some((request) => last.includes(request.params['CallStatus'] ?? '')), {
    timeoutMs: 15_000,
    what: () => `the last callback of ${sid}\n${stage.app.log()}`,
  });
  const all = stage.app.matching({ path: '/status', params: { CallSid: sid } });
  expect(all.every((request) => request.valid)).toBe(true);
  return all.map((request) => request.params).sort((a, b) => Number(a['SequenceNumber']) - Number(b['SequenceNumber']));
}

it('a call is queued, rings, is answered, asks for TwiML and ends, and each step is told in order', async () => {
  const call = await calls().create({ to: ready.uri, from: FROM, url: `${stage.app.url}/answered`, statusCallback: `${stage.app.url}/status`, statusCallbackEvent: EVENTS });
  expect(call).toMatchObject({ status: 'queued', direction: 'outbound-api', from: FROM });
  expect(call.sid).toMatch(/^CA[0-9a-f]{32}$/);
  const asked = await stage.app.waitFor({ path: '/answered' });
  expect(asked.valid).toBe(true);
  expect(asked.params).toMatchObject({ CallSid: call.sid, CallStatus: 'in-progress', Direction: 'outbound-api' });
  await stage.waitCallStatus(call.sid, 'completed');
  const told = await callbacks(call.sid);
  expect(told.map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
  expect(told.map((params) => params['SequenceNumber'])).toEqual(['0', '1', '2', '3']);
  for (const params of told) {
    expect(params['CallbackSource']).toBe('call-progress-events');
    expect(params['Timestamp']).toMatch(/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (\+0000|GMT)$/);
  }
  expect(told.map((params) => params['CallDuration'] !== undefined)).toEqual([false, false, false, true]);
  expect(Number(told[3]!['CallDuration'])).toBeGreaterThanOrEqual(1);
  const fetched = await calls()(call.sid).fetch();
  expect(fetched.startTime).toBeInstanceOf(Date);
  expect(fetched.endTime).toBeInstanceOf(Date);
  expect(Number(fetched.duration)).toBeGreaterThanOrEqual(1);
});

it('without StatusCallbackEvent only the end is told', async () => {
  const call = await calls().create({ to: ready.uri, from: FROM, twiml: pause(1), statusCallback: `${stage.app.url}/status` });
  const told = await callbacks(call.sid);
  expect(told.map((params) => params['CallStatus'])).toEqual(['completed']);
});

it('with Url and Twiml both, the Url is asked', async () => {
  const before = stage.app.matching({ path: '/answered' }).length;
  const call = await calls().create({ to: ready.uri, from: FROM, url: `${stage.app.url}/answered`, twiml: '<Response><Redirect>/never</Redirect></Response>' });
  const asked = await stage.app.waitFor({ path: '/answered' }, { nth: before + 1 });
  expect(asked.params['CallSid']).toBe(call.sid);
});

it('a called phone joins a room when it answers, not before', async () => {
  const room = await stage.room('Called');
  const incoming = ringing.count('CALL_INCOMING');
  const call = await calls().create({ to: ringing.uri, from: FROM, twiml: '<Response><Connect><Room participantIdentity="called">Called</Room></Connect></Response>' });
  await ringing.waitEvent('CALL_INCOMING', { nth: incoming + 1 });
  await stage.waitCallStatus(call.sid, 'ringing');
  expect(await stage.participants(room)).toEqual([]);
  await ringing.accept();
  const [participant] = await stage.waitParticipants(room, 1);
  expect(participant!.identity).toBe('called');
  await stage.waitCallStatus(call.sid, 'in-progress');
  await calls()(call.sid).update({ status: 'completed' });
  await ringing.waitClosed({ nth: ringing.count('CALL_CLOSED') + 1 }).catch(() => undefined);
  await stage.waitParticipants(room, 0);
  await stage.waitCallStatus(call.sid, 'completed');
});

it('a number is called through the carrier', async () => {
  const call = await calls().create({ to: CALLED_NUMBER, from: FROM, url: `${stage.app.url}/answered` });
  const asked = await stage.app.waitFor({ path: '/answered', params: { CallSid: call.sid } });
  expect(asked.params).toMatchObject({ To: CALLED_NUMBER, From: FROM, CallStatus: 'in-progress' });
  await stage.waitCallStatus(call.sid, 'completed');
});

it('a trunk whose first target is dead answers by the second in less than five seconds, and the next call at once', async () => {
  const trunk = await byTargets('dead', [`sip:127.0.0.1:${await freePort()}`, `sip:${behindCarrier.uri.split('@')[1]}`]);
  const took: number[] = [];
  for (const n of [0, 1]) {
    const [sentAtMs, established] = [Date.now(), behindCarrier.count('CALL_ESTABLISHED')];
    const call = await calls().create({ to: CALLED_NUMBER, from: FROM, byoc: trunk, twiml: pause(1), statusCallback: `${stage.app.url}/status`, statusCallbackEvent: EVENTS });
    await behindCarrier.waitEstablished({ nth: established + 1 });
    took.push(Date.now() - sentAtMs);
    expect((await callbacks(call.sid)).map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
    expect(await notificationCodes(stage, call.sid)).toEqual(n === 0 ? ['32011'] : []);
  }
  expect(took[0]).toBeLessThan(5000);
  expect(took[1]).toBeLessThan(1500);
});

it('a target that takes no calls for a minute is passed over for the next', async () => {
  const full = await cast.add('carrier that is full', startSipp({ scenario: 'carrier-overloaded', calls: 100, timeoutMs: 60_000 }));
  const trunk = await byTargets('full', [`sip:127.0.0.1:${full.sipPort}`, `sip:${behindCarrier.uri.split('@')[1]}`]);
  for (const length of [1, 1]) {
    const call = await calls().create({ to: CALLED_NUMBER, from: FROM, byoc: trunk, twiml: pause(length) });
    await stage.waitCallStatus(call.sid, 'completed');
  }
  expect(full.log().match(/^INVITE /gm)).toHaveLength(1);
});

it('a carrier that asks for proof gets it, numbers as it writes them, and a withheld caller by P-Asserted-Identity', async () => {
  const carrier = await cast.add('carrier that asks for proof', startSipp({ scenario: 'carrier-digest', localPort: digestPort, timeoutMs: 20_000 }));
  const [trunk] = (await stage.server.client.voice.v1.byocTrunks.list()).filter(({ friendlyName }) => friendlyName === DIGEST_CARRIER.name);
  const call = await calls().create({ to: '+43123456', from: FROM, byoc: trunk!.sid, twiml: pause(1) });
  await stage.waitCallStatus(call.sid, 'completed');
  expect(await carrier.result(), carrier.log().slice(-6000)).toBe(0);
  expect(await calls()(call.sid).fetch()).toMatchObject({ to: '+43123456', from: FROM });
});

it('a carrier that redirects a call is followed to where its trunk may go, as one call', async () => {
  const target = await cast.add('where it is redirected to', startSipp({ scenario: 'redirect-target', timeoutMs: 20_000 }));
  const carrier = await cast.add('carrier that redirects', startSipp({ scenario: 'redirected', keys: { other: String(target.sipPort) }, timeoutMs: 20_000 }));
  const trunk = await byTargets('redirecting', [`sip:127.0.0.1:${carrier.sipPort}`]);
  const call = await calls().create({ to: CALLED_NUMBER, from: FROM, byoc: trunk, twiml: pause(1), statusCallback: `${stage.app.url}/status`, statusCallbackEvent: EVENTS });
  expect((await callbacks(call.sid)).map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
  expect(await carrier.result(), carrier.log().slice(-6000)).toBe(0);
  expect(await target.result(), target.log().slice(-6000)).toBe(0);
  expect(await calls()(call.sid).fetch()).toMatchObject({ to: CALLED_NUMBER, from: FROM });
  expect(await notificationCodes(stage, call.sid)).toEqual(['32011']);
});

it('a phone that declines makes the call busy', async () => {
  const incoming = ringing.count('CALL_INCOMING');
  const call = await calls().create({ to: ringing.uri, from: FROM, twiml: pause(1), statusCallback: `${stage.app.url}/status`, statusCallbackEvent: EVENTS });
  await ringing.waitEvent('CALL_INCOMING', { nth: incoming + 1 });
  await stage.waitCallStatus(call.sid, 'ringing');
  await ringing.hangUp();
  await stage.waitCallStatus(call.sid, 'busy');
  const told = await callbacks(call.sid);
  expect(told.map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'busy']);
  expect(told[2]!['SipResponseCode']).toBe('486');
});

it('a phone that does not answer in time makes the call no-answer', async () => {
  const closed = ringing.count('CALL_CLOSED');
  const call = await calls().create({ to: ringing.uri, from: FROM, twiml: pause(1), timeout: 3, statusCallback: `${stage.app.url}/status`, statusCallbackEvent: EVENTS });
  await stage.waitCallStatus(call.sid, 'no-answer', 15_000);
  await ringing.waitClosed({ nth: closed + 1 });
  expect((await callbacks(call.sid)).map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'no-answer']);
});

it('a ringing call can be canceled', async () => {
  const closed = ringing.count('CALL_CLOSED');
  const incoming = ringing.count('CALL_INCOMING');
  const call = await calls().create({ to: ringing.uri, from: FROM, twiml: pause(1), statusCallback: `${stage.app.url}/status`, statusCallbackEvent: EVENTS });
  await ringing.waitEvent('CALL_INCOMING', { nth: incoming + 1 });
  await stage.waitCallStatus(call.sid, 'ringing');
  await calls()(call.sid).update({ status: 'canceled' });
  await stage.waitCallStatus(call.sid, 'canceled');
  await ringing.waitClosed({ nth: closed + 1 });
  expect(ringing.log()).toMatch(/CANCEL sip:/);
  expect((await callbacks(call.sid)).at(-1)!['CallStatus']).toBe('canceled');
});

it('a call to nobody fails', async () => {
  const call = await calls().create({ to: `sip:nobody@127.0.0.1:${await freePort()};transport=tcp`, from: FROM, twiml: pause(1), statusCallback: `${stage.app.url}/status` });
  expect((await callbacks(call.sid)).map((params) => params['CallStatus'])).toEqual(['failed']);
  await stage.waitCallStatus(call.sid, 'failed');
});

it('a live call can be given new TwiML, and ended', async () => {
  const established = ready.count('CALL_ESTABLISHED');
  const closed = ready.count('CALL_CLOSED');
  const call = await calls().create({ to: ready.uri, from: FROM, url: `${stage.app.url}/long` });
  await ready.waitEstablished({ nth: established + 1 });
  await stage.waitCallStatus(call.sid, 'in-progress');
  const room = await stage.room('Moved');
  await calls()(call.sid).update({ twiml: '<Response><Connect><Room participantIdentity="moved">Moved</Room></Connect></Response>' });
  expect((await stage.waitParticipants(room, 1))[0]!.identity).toBe('moved');
  const ended = await calls()(call.sid).update({ status: 'completed' });
  expect(ended.sid).toBe(call.sid);
  await ready.waitClosed({ nth: closed + 1 });
  await stage.waitCallStatus(call.sid, 'completed');
  await expect(calls()(call.sid).update({ url: `${stage.app.url}/long` })).rejects.toMatchObject({ status: 400, code: 21220 });
});

it('finished calls are listed by status, sender and start', async () => {
  const completed = await calls().list({ status: 'completed', from: FROM });
  expect(completed.length).toBeGreaterThan(0);
  expect(completed.every((call) => call.status === 'completed' && call.from === FROM)).toBe(true);
  expect(await calls().list({ status: 'completed', from: '+15550999' })).toEqual([]);
  const dayMs = 86_400_000;
  expect((await calls().list({ startTimeAfter: new Date(Date.now() - dayMs) })).length).toBeGreaterThan(0);
  expect(await calls().list({ startTimeAfter: new Date(Date.now() + 2 * dayMs) })).toEqual([]);
  const [oldest] = completed.slice(-1);
  expect(await calls()(oldest!.sid).remove()).toBe(true);
  await expect(calls()(oldest!.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
});
