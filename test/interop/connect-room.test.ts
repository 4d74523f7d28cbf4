import twilio from 'twilio';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { Stage, notificationCodes } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';
import type { WebhookRequest } from '../peers/webhook-app.ts';

// The rules of <Connect><Room> that need one phone and no browser. Each test gives the number's application new TwiML.

const { VoiceResponse } = twilio.twiml;
type Response = InstanceType<typeof VoiceResponse>;
const cast = new Cast();
const NUMBER = '+15550200';

let stage: Stage;
let phone: Phone;
let other: Phone;

beforeAll(async () => {
  stage = await Stage.open(cast);
  phone = await cast.add('phone', startPhone({ user: '+15557011', toneHz: 440 }));
  other = await cast.add('other phone', startPhone({ user: '+15557012', toneHz: 1000 }));
  stage.app.on('/next', () => twiml((response) => response.pause({ length: 30 })));
  await stage.number(NUMBER, '/voice');
}, 60_000);

afterEach(async () => {
  for (const each of [phone, other]) {
    const open = each.count('CALL_ESTABLISHED') + each.count('CALL_OUTGOING') > 0;
    if (open) await each.command('hangup');
  }
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'all calls to be over' });
});

function twiml(build: (response: Response) => unknown): Response {
  const response = new VoiceResponse();
  build(response);
  return response;
}

/** Calls the number with this TwiML; resolves with the request of the call. */
async function call(from: Phone, document: Response | string): Promise<WebhookRequest> {
  stage.app.on('/voice', () => document);
  const nth = stage.app.matching({ path: '/voice' }).length + 1;
  await from.dial(stage.server.sipUri(NUMBER));
  return stage.app.waitFor({ path: '/voice' }, { nth });
}

const callSidOf = (request: WebhookRequest): string => request.params['CallSid'] ?? '';
const nextOf = (sid: string): Promise<WebhookRequest> => stage.app.waitFor({ path: '/next', params: { CallSid: sid } });

/** The call joined this room under its own SID as identity. */
async function expectJoined(room: string, identity: string): Promise<void> {
  const participants = await waitUntil(async () => {
    const list = await stage.participants(room);
    return list.length > 0 ? list : null;
  });
  expect(participants.map((participant) => participant.identity)).toContain(identity);
}

it('a participant has the identity the document gives it', async () => {
  const room = await stage.room('Identity');
  await call(phone, twiml((response) => response.connect().room({ participantIdentity: 'alice' }, 'Identity')));
  const [alice, ...rest] = await stage.waitParticipants(room, 1);
  expect(rest).toEqual([]);
  const fetched = await stage.server.client.video.v1.rooms(room).participants('alice').fetch();
  expect(fetched.sid).toBe(alice!.sid);
  expect(fetched.sid).toMatch(/^PA[0-9a-f]{32}$/);
  expect(fetched.startTime).toBeInstanceOf(Date);
  expect(fetched.endTime).toBeNull();
});

it('a phone no longer hears whom its subscribe rules exclude, who still hears it', async () => {
  await stage.room('Rules');
  await call(phone, twiml((response) => response.connect().room({ participantIdentity: 'alice' }, 'Rules')));
  await call(other, twiml((response) => response.connect().room({ participantIdentity: 'bob' }, 'Rules')));
  await stage.waitParticipants('Rules', 2);
  const hears = (who: Phone, frequencyHz: number, wanted: boolean): Promise<unknown> =>
    waitUntil(async () => ((await who.listen(500, [frequencyHz]))[frequencyHz]?.share ?? 0) > 0.9 === wanted, { what: `${frequencyHz} Hz at ${who.name}: ${wanted}` });
  await hears(other, 440, true);
  const rules = stage.server.client.video.v1.rooms('Rules').participants('bob').subscribeRules;
  await rules.update({ rules: [{ type: 'include', all: true }, { type: 'exclude', publisher: 'alice' }] });
  await hears(other, 440, false);
  expect((await other.listen(500, [440]))[440]?.share).toBe(0);
  await hears(phone, 1000, true);
  await rules.update({ rules: [{ type: 'include', all: true }] });
  await hears(other, 440, true);
});

it('two calls without an identity get two of their own', async () => {
  await stage.room('Nameless');
  const document = twiml((response) => response.connect().room('Nameless'));
  await call(phone, document);
  await call(other, document);
  const identities = (await stage.waitParticipants('Nameless', 2)).map((participant) => participant.identity);
  expect(identities.every((identity) => identity.length > 0)).toBe(true);
  expect(new Set(identities).size).toBe(2);
});

it('without such a room the next verb runs, and no room is made', async () => {
  const before = (await stage.server.client.video.v1.rooms.list()).length;
  const request = await call(phone, twiml((response) => {
    response.connect().room('Nowhere');
    response.redirect('/next');
  }));
  const next = await nextOf(callSidOf(request));
  expect(next.at - request.at).toBeLessThan(2000);
  expect((await stage.server.client.video.v1.rooms.list()).length).toBe(before);
});

it('without such a room and without a next verb the call is ended', async () => {
  const established = phone.count('CALL_CLOSED');
  const request = await call(phone, twiml((response) => response.connect().room('Nowhere')));
  await phone.waitClosed({ nth: established + 1 });
  await stage.waitCallStatus(callSidOf(request), 'completed');
  expect(stage.app.matching({ path: '/room', params: { RoomName: 'Nowhere' } })).toEqual([]);
});

it('a completed room is no room', async () => {
  await stage.room('Finished');
  await stage.server.client.video.v1.rooms('Finished').update({ status: 'completed' });
  const request = await call(phone, twiml((response) => {
    response.connect().room('Finished');
    response.redirect('/next');
  }));
  await nextOf(callSidOf(request));
});

it('room names compare with case', async () => {
  await stage.room('CaseMatters');
  const request = await call(phone, twiml((response) => {
    response.connect().room('casematters');
    response.redirect('/next');
  }));
  await nextOf(callSidOf(request));
  expect(await stage.participants('CaseMatters')).toEqual([]);
});

it('a room name may hold an ampersand, blanks and letters of any language', async () => {
  const name = 'Ärger & Söhne réunion';
  await stage.room(name);
  await call(phone, '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Room participantIdentity="gast">\n  Ärger &amp; Söhne réunion\n</Room></Connect></Response>');
  const room = await stage.server.client.video.v1.rooms(name).fetch();
  expect(room.uniqueName).toBe(name);
  await expectJoined(room.sid, 'gast');
});

it('a room without a name is joined by its SID', async () => {
  const room = await stage.server.client.video.v1.rooms.create({});
  expect(room.uniqueName).toBe(room.sid);
  await call(phone, twiml((response) => response.connect().room({ participantIdentity: 'by-sid' }, room.sid)));
  await expectJoined(room.sid, 'by-sid');
});

it('action with method GET carries its parameters in the query', async () => {
  const room = await stage.room('Getter');
  const request = await call(phone, twiml((response) => response.connect({ action: '/got', method: 'GET' }).room({ participantIdentity: 'getter' }, 'Getter')));
  await stage.waitParticipants(room, 1);
  await stage.server.client.video.v1.rooms(room).participants('getter').update({ status: 'disconnected' });
  const got = await stage.app.waitFor({ path: '/got' });
  expect(got.method).toBe('GET');
  expect(got.valid).toBe(true);
  expect(got.query.get('CallSid')).toBe(callSidOf(request));
  expect(got.query.get('CallStatus')).toBe('in-progress');
});

it('attributes that <Room> never had are warned of and ignored', async () => {
  const room = await stage.room('Warned');
  const request = await call(phone, '<Response><Connect><Room participantIdentity="warned" statusCallback="http://127.0.0.1/x" mediaRegion="ie1">Warned</Room></Connect></Response>');
  await expectJoined(room, 'warned');
  expect(await notificationCodes(stage, callSidOf(request))).toContain('12200');
});

it.each([
  ['<Connect><Dial>+15550199</Dial></Connect>', ['12200']],
  ['<Gather timeout="1"><Connect><Room>Nested</Room></Connect></Gather>', ['12200', '13320']],
  ['<Dance>now</Dance>', ['12200']],
])('%s is warned of, and later verbs run', async (verbs, codes) => {
  const request = await call(phone, `<Response>${verbs}<Redirect>/next</Redirect></Response>`);
  await nextOf(callSidOf(request));
  const noted = await notificationCodes(stage, callSidOf(request));
  expect(noted.some((code) => codes.includes(code)), noted.join(', ')).toBe(true);
});

it('<Reject> answers busy or 404 and never picks up', async () => {
  const established = phone.count('CALL_ESTABLISHED');
  const closed = phone.count('CALL_CLOSED');
  const busy = await call(phone, twiml((response) => response.reject({ reason: 'busy' })));
  await phone.waitClosed({ nth: closed + 1 });
  await stage.waitCallStatus(callSidOf(busy), 'busy');
  expect(phone.log()).toMatch(/SIP\/2\.0 486 /);
  const rejected = await call(phone, twiml((response) => response.reject()));
  await phone.waitClosed({ nth: closed + 2 });
  await stage.waitCallStatus(callSidOf(rejected), 'no-answer');
  expect(phone.log()).toMatch(/SIP\/2\.0 404 /);
  expect(phone.count('CALL_ESTABLISHED')).toBe(established);
});

it('<Play> plays a WAV file, <Say> speaks, <Hangup> ends the call', async () => {
  const { toneWav } = await import('../peers/tones.ts');
  stage.app.on('/tone.wav', () => ({ status: 200, contentType: 'audio/wav', body: toneWav(700, 2) }));
  const closed = phone.count('CALL_CLOSED');
  await call(phone, twiml((response) => {
    response.play(`${stage.app.url}/tone.wav`);
    response.say('Goodbye.');
    response.hangup();
  }));
  await phone.waitClosed({ nth: closed + 1, timeoutMs: 15_000 });
  const { tonesIn } = await import('../peers/tones.ts');
  const heard = phone.heard();
  const seconds = heard.samples.length / heard.sampleRateHz;
  const tones = tonesIn(heard, [700])[700]!;
  expect(tones.share * tones.windows, JSON.stringify({ tones, seconds })).toBeGreaterThanOrEqual(17);
  const speech = heard.samples.subarray(Math.floor(heard.samples.length * 0.5)).reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0);
  expect(seconds, 'speech after the tone').toBeGreaterThan(2.4);
  expect(speech).toBeGreaterThan(1000);
});
