import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// Who answers, who may call and whose it is: applications, trunks, verified caller ids and subaccounts, by the official client and a real phone.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const NUMBER = '+15550310';
const PHONE_NUMBER = '+15557711';

let stage: Stage;
let phone: Phone;
let numberSid: string;
let applicationSid: string;

beforeAll(async () => {
  phone = await cast.add('phone', startPhone({ user: PHONE_NUMBER, toneHz: 440 }));
  stage = await Stage.open(cast, { env: { PARTYLINE_CARRIER: `sip:127.0.0.1:${phone.sipPort}` } });
  numberSid = await stage.number(NUMBER, '/own');
  const { app, server } = stage;
  const application = await server.client.applications.create({ friendlyName: 'Desk', voiceUrl: `${app.url}/application`, voiceMethod: 'GET', statusCallback: `${app.url}/application-status` });
  applicationSid = application.sid;
  for (const path of ['/own', '/application']) app.on(path, () => held());
}, 60_000);

afterEach(async () => {
  await phone.hangUp();
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'all calls to be over' });
});

function held(): InstanceType<typeof VoiceResponse> {
  const response = new VoiceResponse();
  response.pause({ length: 20 });
  return response;
}

const requests = (path: string): number => stage.app.matching({ path }).length;

it('a number with an application asks that, with a trunk nobody, with neither its own URL (case F4)', async () => {
  const number = stage.server.client.incomingPhoneNumbers(numberSid);
  await number.update({ voiceApplicationSid: applicationSid });
  await phone.dial(stage.server.sipUri(NUMBER));
  const asked = await stage.app.waitFor({ path: '/application' });
  expect(asked).toMatchObject({ method: 'GET', valid: true, params: { ApplicationSid: applicationSid, CallStatus: 'ringing', To: NUMBER } });
  await phone.hangUp();
  const told = await stage.app.waitFor({ path: '/application-status' });
  expect(told).toMatchObject({ valid: true, params: { CallSid: asked.params['CallSid'], ApplicationSid: applicationSid } });

  await number.update({ trunkSid: `TK${'a'.repeat(32)}` });
  const closed = phone.count('CALL_CLOSED');
  const before = stage.app.requests.length;
  await phone.dial(stage.server.sipUri(NUMBER));
  expect((await phone.waitClosed({ nth: closed + 1 })).param).toMatch(/404/);
  expect(stage.app.requests.length).toBe(before);

  await number.update({ trunkSid: '' });
  await phone.dial(stage.server.sipUri(NUMBER));
  expect(await stage.app.waitFor({ path: '/own' })).toMatchObject({ method: 'POST', valid: true });
  expect(requests('/application')).toBe(1);
});

it('a call with ApplicationSid runs its TwiML; Url and StatusCallback of the request are ignored', async () => {
  const before = { application: requests('/application'), status: requests('/application-status') };
  const call = await stage.server.client.calls.create({ to: phone.uri, from: NUMBER, applicationSid, statusCallback: `${stage.app.url}/never`, statusCallbackEvent: ['initiated'] });
  const asked = await stage.app.waitFor({ path: '/application' }, { nth: before.application + 1 });
  expect(asked.params).toMatchObject({ CallSid: call.sid, CallStatus: 'in-progress', Direction: 'outbound-api', ApplicationSid: applicationSid });
  await stage.server.client.calls(call.sid).update({ status: 'completed' });
  await stage.app.waitFor({ path: '/application-status' }, { nth: before.status + 1 });
  expect(requests('/never')).toBe(0);
});

it('a caller id is verified by the phone that types the code, and may call then', async () => {
  const { client } = stage.server;
  await expect(client.calls.create({ to: phone.uri, from: PHONE_NUMBER, twiml: '<Response/>' })).rejects.toMatchObject({ status: 400, code: 21210 });
  const answered = phone.count('CALL_ESTABLISHED');
  const request = await client.validationRequests.create({ phoneNumber: PHONE_NUMBER, friendlyName: 'Mobile', statusCallback: `${stage.app.url}/verified` });
  expect(request.validationCode).toMatch(/^\d{6}$/);
  await phone.waitEstablished({ nth: answered + 1 });
  await stage.waitCallStatus(request.callSid, 'in-progress');
  await phone.command('sndcode', request.validationCode);
  const told = await stage.app.waitFor({ path: '/verified' }, { timeoutMs: 20_000 });
  expect(told).toMatchObject({ valid: true, params: { VerificationStatus: 'success', CallSid: request.callSid, To: PHONE_NUMBER } });
  const [callerId] = await client.outgoingCallerIds.list({ phoneNumber: PHONE_NUMBER });
  expect(callerId).toMatchObject({ sid: told.params['OutgoingCallerIdSid'], friendlyName: 'Mobile' });
  await expect(client.validationRequests.create({ phoneNumber: PHONE_NUMBER })).rejects.toMatchObject({ code: 21450 });
  const call = await client.calls.create({ to: phone.uri, from: PHONE_NUMBER, twiml: held().toString() });
  await stage.waitCallStatus(call.sid, 'in-progress');
  await client.calls(call.sid).update({ status: 'completed' });
});

it('a subaccount’s calls find no room of its owner, are signed with its token, and end when it is closed', async () => {
  const { server, app } = stage;
  const sub = await server.client.api.v2010.accounts.create({ friendlyName: 'Branch' });
  const own = server.client.api.v2010.accounts(sub.sid);
  await stage.room('Head office');
  app.on('/branch', () => {
    const response = new VoiceResponse();
    response.connect().room('Head office');
    response.redirect('/next');
    return response;
  });
  app.on('/next', () => {
    const response = new VoiceResponse();
    response.gather({ timeout: 20 });
    return response;
  });
  await own.incomingPhoneNumbers.create({ phoneNumber: '+15550311', voiceUrl: `${app.url}/branch` });
  const established = phone.count('CALL_ESTABLISHED');
  await phone.dial(server.sipUri('+15550311'));
  const asked = await app.waitFor({ path: '/branch' });
  expect(asked.params['AccountSid']).toBe(sub.sid);
  expect(asked.valid).toBe(false);
  expect(twilio.validateRequest(sub.authToken, String(asked.headers['x-twilio-signature']), `${app.url}/branch`, asked.params)).toBe(true);
  const sid = asked.params['CallSid'] ?? '';
  await app.waitFor({ path: '/next', params: { CallSid: sid } });
  await phone.waitEstablished({ nth: established + 1 });
  await expect(server.client.calls(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  expect((await own.calls(sid).fetch()).status).toBe('in-progress');

  const closed = phone.count('CALL_CLOSED');
  await own.update({ status: 'closed' });
  await phone.waitClosed({ nth: closed + 1 });
  expect((await own.calls(sid).fetch()).status).toBe('completed');
  await phone.dial(server.sipUri('+15550311'));
  expect((await phone.waitClosed({ nth: closed + 2 })).param).toMatch(/404/);
});
