import twilio from 'twilio';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { problemsOf } from '../openapi.ts';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { Stage, notificationCodes } from '../peers/stage.ts';
import { toneWav } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';
import type { WebhookRequest } from '../peers/webhook-app.ts';

// Three real phones, each with its own tone, in conferences and queues; the official client on the other side.

const { VoiceResponse } = twilio.twiml;
type Response = InstanceType<typeof VoiceResponse>;
type ConferenceAttributes = Record<string, unknown>;
const cast = new Cast();
const NUMBER = '+15550800';
const TONES = [440, 700, 1000];

let stage: Stage;
let phones: Phone[];

beforeAll(async () => {
  stage = await Stage.open(cast);
  phones = await Promise.all(TONES.map((toneHz, n) => cast.add(`phone of ${toneHz} Hz`, startPhone({ user: `+1555708${n}`, toneHz }))));
  for (const path of ['/next', '/after', '/queued']) stage.app.on(path, () => twiml((response) => response.pause({ length: 60 })));
  await stage.number(NUMBER, '/voice');
}, 60_000);

beforeEach(async () => {
  for (const phone of phones) await phone.hangUp();
  await waitUntil(async () => (await stage.server.client.calls.list({ status: 'in-progress' })).length === 0, { what: 'all calls to be over' });
});

function twiml(build: (response: Response) => unknown): Response {
  const response = new VoiceResponse();
  build(response);
  return response;
}

/** The phone calls the number, which answers with this document; resolves with the call's SID. */
async function call(n: number, build: (response: Response) => unknown): Promise<string> {
  stage.app.on('/voice', () => twiml(build));
  const asked = stage.app.matching({ path: '/voice' }).length;
  const phone = phones[n]!;
  const answered = phone.count('CALL_ESTABLISHED');
  await phone.dial(stage.server.sipUri(NUMBER));
  const request = await stage.app.waitFor({ path: '/voice' }, { nth: asked + 1 });
  await phone.waitEstablished({ nth: answered + 1 });
  return request.params['CallSid'] ?? '';
}

/** The phone joins a conference; what follows it is `/next`, its action `/after`. */
function join(n: number, name: string, attributes: ConferenceAttributes = {}, action = '/after'): Promise<string> {
  return call(n, (response) => {
    response.dial({ action }).conference({ beep: 'false', waitUrl: '', ...attributes }, name);
    response.redirect('/next');
  });
}

const EVENTS = { statusCallback: '/events', statusCallbackEvent: ['start', 'end', 'join', 'leave', 'mute', 'hold', 'modify', 'announcement'] as never };

/** Which tones a phone hears now, of all three. */
async function hears(n: number): Promise<number[]> {
  const report = await phones[n]!.listen(700, TONES);
  return TONES.filter((hz) => report[hz]!.share > 0.6);
}

/** Waits until each phone hears exactly these tones. */
async function expectHeard(expected: Record<number, number[]>): Promise<void> {
  let last = '';
  await waitUntil(
    async () => {
      const heard = await Promise.all(Object.keys(expected).map(async (n) => [n, await hears(Number(n))] as const));
      last = JSON.stringify(Object.fromEntries(heard));
      return heard.every(([n, tones]) => JSON.stringify(tones) === JSON.stringify(expected[Number(n)]));
    },
    { timeoutMs: 8000, everyMs: 50, what: () => `tones ${JSON.stringify(expected)}; heard were ${last}` },
  );
}

const eventsOf = (conferenceSid: string): WebhookRequest[] => stage.app.matching({ path: '/events', params: { ConferenceSid: conferenceSid } });
const namesOf = (requests: readonly WebhookRequest[]): string[] => requests.map(({ params }) => params['StatusCallbackEvent'] ?? '');
const liveConference = async (friendlyName: string) => waitUntil(async () => (await stage.server.client.conferences.list({ friendlyName, status: 'in-progress' }))[0] ?? null, { what: `${friendlyName} to be in progress` });

it('three phones hear each other and not themselves; mute, hold, kick and the end come with their callbacks in order', async () => {
  const { client } = stage.server;
  const moderator = await join(0, 'Standup', { ...EVENTS, endConferenceOnExit: true, participantLabel: 'moderator', record: 'record-from-start', recordingStatusCallback: '/recorded' });
  const guest = await join(1, 'Standup');
  const third = await join(2, 'Standup');
  const conference = await liveConference('Standup');
  await expectHeard({ 0: [700, 1000], 1: [440, 1000], 2: [440, 700] });

  const participants = client.conferences(conference.sid).participants;
  expect((await participants.list()).map(({ callSid }) => callSid).sort()).toEqual([moderator, guest, third].sort());
  expect(await participants('moderator').fetch()).toMatchObject({ callSid: moderator, endConferenceOnExit: true, status: 'connected' });
  const raw = await stage.server.rest(`/2010-04-01/Accounts/${stage.server.accountSid}/Conferences/${conference.sid}/Participants/${guest}.json`);
  expect(problemsOf('api', 'api.v2010.account.conference.participant', raw.body)).toEqual([]);

  expect((await participants(guest).update({ muted: true })).muted).toBe(true);
  await expectHeard({ 0: [1000], 1: [440, 1000], 2: [440] });
  expect((await participants.list({ muted: true })).map(({ callSid }) => callSid)).toEqual([guest]);
  await participants(guest).update({ muted: false });
  await expectHeard({ 0: [700, 1000] });

  stage.app.on('/hold', () => twiml((response) => response.play(`${stage.app.url}/hold.wav`)));
  stage.app.on('/hold.wav', () => ({ status: 200, contentType: 'audio/wav', body: toneWav(1900, 30) }));
  expect((await participants(third).update({ hold: true, holdUrl: `${stage.app.url}/hold`, holdMethod: 'POST' })).hold).toBe(true);
  await expectHeard({ 0: [700], 1: [440], 2: [] });
  expect((await phones[2]!.listen(600, [1900]))[1900]!.share).toBeGreaterThan(0.6);
  await participants(third).update({ hold: false });
  await expectHeard({ 0: [700, 1000], 2: [440, 700] });

  expect(await participants(third).remove()).toBe(true);
  await stage.app.waitFor({ path: '/after', params: { CallSid: third, DialCallStatus: 'answered' } });
  await expectHeard({ 0: [700], 1: [440], 2: [] });

  await phones[0]!.hangUp();
  await stage.app.waitFor({ path: '/after', params: { CallSid: guest, DialCallStatus: 'answered' } });
  const end = await stage.app.waitFor({ path: '/events', params: { ConferenceSid: conference.sid, StatusCallbackEvent: 'conference-end' } });
  expect(end.params).toMatchObject({ ReasonConferenceEnded: 'participant-with-end-conference-on-exit-left', CallSidEndingConference: moderator, ParticipantLabelEndingConference: 'moderator', FriendlyName: 'Standup', AccountSid: stage.server.accountSid });
  const events = eventsOf(conference.sid);
  expect(events.every(({ valid }) => valid)).toBe(true);
  expect(events.map(({ params }) => Number(params['SequenceNumber']))).toEqual(events.map((_, n) => n + 1));
  expect(namesOf(events)).toEqual([
    'participant-join', 'conference-start', 'participant-join', 'participant-join', 'participant-mute', 'participant-unmute', 'participant-hold', 'participant-unhold',
    'participant-leave', 'participant-leave', 'participant-leave', 'conference-end',
  ]);
  expect(events.filter(({ params }) => params['StatusCallbackEvent'] === 'participant-leave').map(({ params }) => [params['CallSid'], params['ReasonParticipantLeft']])).toEqual([
    [third, 'participant_updated_via_api'], [moderator, 'participant_hung_up'], [guest, 'moderator_ended_conference'],
  ]);
  const recorded = await stage.app.waitFor({ path: '/recorded', params: { ConferenceSid: conference.sid } });
  expect(recorded.params).toMatchObject({ RecordingStatus: 'completed', RecordingSource: 'Conference', RecordingChannels: '1' });
  expect(Number(recorded.params['RecordingDuration'])).toBeGreaterThan(2);
  const [recording] = await client.conferences(conference.sid).recordings.list();
  expect(recording).toMatchObject({ sid: recorded.params['RecordingSid'], status: 'completed', channels: 1, source: 'Conference' });
  const over = await client.conferences(conference.sid).fetch();
  expect(over).toMatchObject({ status: 'completed', reasonConferenceEnded: 'participant-with-end-conference-on-exit-left', callSidEndingConference: moderator });
});

it('a coach is heard by one alone; an announcement by all', async () => {
  const agent = await join(0, 'Coaching', EVENTS);
  await join(1, 'Coaching');
  await join(2, 'Coaching', { coach: agent });
  const { client } = stage.server;
  const conference = await liveConference('Coaching');
  await expectHeard({ 0: [700, 1000], 1: [440], 2: [440, 700] });
  expect((await client.conferences(conference.sid).participants.list({ coaching: true })).map(({ callSidToCoach }) => callSidToCoach)).toEqual([agent]);
  stage.app.on('/announce', () => twiml((response) => response.play(`${stage.app.url}/announce.wav`)));
  stage.app.on('/announce.wav', () => ({ status: 200, contentType: 'audio/wav', body: toneWav(1900, 2) }));
  await client.conferences(conference.sid).update({ announceUrl: `${stage.app.url}/announce` });
  await waitUntil(async () => (await Promise.all([0, 1].map((n) => phones[n]!.listen(500, [1900])))).every((report) => report[1900]!.share > 0.6), { timeoutMs: 3000, everyMs: 10, what: 'the announcement' });
  await stage.app.waitFor({ path: '/events', params: { ConferenceSid: conference.sid, StatusCallbackEvent: 'announcement-end' } });
  await client.conferences(conference.sid).update({ status: 'completed' });
  await stage.app.waitFor({ path: '/after', params: { CallSid: agent, DialCallStatus: 'answered' } });
  expect((await client.conferences(conference.sid).fetch()).reasonConferenceEnded).toBe('conference-ended-via-api');
});

it('REST calls somebody into a conference', async () => {
  const { client } = stage.server;
  const first = await join(0, 'Invited', { startConferenceOnEnter: false, waitUrl: '/wait' });
  stage.app.on('/wait', () => twiml((response) => response.pause({ length: 5 })));
  const [waiting] = await client.conferences.list({ friendlyName: 'Invited', status: 'init' });
  const invited = await client.conferences(waiting!.sid).participants.create({ from: NUMBER, to: phones[1]!.uri, label: 'called', beep: 'false' });
  expect(invited.conferenceSid).toBe(waiting!.sid);
  await expectHeard({ 0: [700], 1: [440] });
  expect(await client.conferences(waiting!.sid).participants('called').fetch()).toMatchObject({ callSid: invited.callSid, status: 'connected' });
  await client.conferences(waiting!.sid).participants('called').remove();
  await stage.waitCallStatus(invited.callSid, 'completed');
  expect((await client.calls(first).fetch()).status).toBe('in-progress');
});

it('a room is no conference', async () => {
  stage.app.on('/voice', () => twiml((response) => response.dial({ action: '/after' }).conference('RM0123456789abcdef0123456789abcdef')));
  const asked = stage.app.matching({ path: '/voice' }).length;
  await phones[0]!.dial(stage.server.sipUri(NUMBER));
  const sid = (await stage.app.waitFor({ path: '/voice' }, { nth: asked + 1 })).params['CallSid'] ?? '';
  await stage.app.waitFor({ path: '/after', params: { CallSid: sid, DialCallStatus: 'failed' } });
  expect(await notificationCodes(stage, sid)).toEqual(['13236']);
});

it('a call waits in a queue until another dials it, and both are told how it was', async () => {
  const { client } = stage.server;
  stage.app.on('/wait', () => twiml((response) => response.play(`${stage.app.url}/hold.wav`)));
  stage.app.on('/whisper', () => twiml((response) => response.play(`${stage.app.url}/whisper.wav`)));
  stage.app.on('/whisper.wav', () => ({ status: 200, contentType: 'audio/wav', body: toneWav(2300, 1) }));
  const caller = await call(0, (response) => {
    response.enqueue({ action: '/queued', waitUrl: '/wait' }, 'support');
    response.redirect('/next');
  });
  const asked = await stage.app.waitFor({ path: '/wait', params: { CallSid: caller } });
  expect(asked.valid).toBe(true);
  expect(asked.params).toMatchObject({ QueuePosition: '1', CurrentQueueSize: '1', QueueTime: '0', MaxQueueSize: '1000' });
  await waitUntil(async () => (await phones[0]!.listen(500, [1900]))[1900]!.share > 0.5, { timeoutMs: 5000, everyMs: 10, what: 'the waiting music' });

  const [queue] = (await client.queues.list()).filter(({ friendlyName }) => friendlyName === 'support');
  expect(queue?.currentSize).toBe(1);
  expect((await client.queues(queue!.sid).members.list()).map(({ callSid, position }) => [callSid, position])).toEqual([[caller, 1]]);
  expect((await client.queues(queue!.sid).members('Front').fetch()).callSid).toBe(caller);
  const raw = await stage.server.rest(`/2010-04-01/Accounts/${stage.server.accountSid}/Queues/${queue!.sid}/Members/Front.json`);
  expect(problemsOf('api', 'api.v2010.account.queue.member', raw.body)).toEqual([]);
  await expect(client.queues(queue!.sid).remove()).rejects.toMatchObject({ code: 22002 });

  const agent = await call(1, (response) => {
    response.dial({ action: '/after' }).queue({ url: '/whisper' }, 'support');
  });
  const whisper = await stage.app.waitFor({ path: '/whisper', params: { CallSid: caller } });
  expect(whisper.params).toMatchObject({ QueueSid: queue!.sid, DequeingCallSid: agent });
  await expectHeard({ 0: [700], 1: [440] });
  expect((await client.queues(queue!.sid).fetch()).currentSize).toBe(0);
  await phones[0]!.hangUp();
  const after = await stage.app.waitFor({ path: '/after', params: { CallSid: agent } });
  expect(after.params).toMatchObject({ DialCallStatus: 'completed', DequeueResult: 'bridged', DequeuedCallSid: caller });
  const told = await stage.app.waitFor({ path: '/queued', params: { CallSid: caller } });
  expect(told.params).toMatchObject({ QueueResult: 'bridged', QueueSid: queue!.sid, CallStatus: 'completed' });
  expect(await client.queues(queue!.sid).remove()).toBe(true);
});

it('<Leave> and REST take a call out of its queue', async () => {
  const { client } = stage.server;
  stage.app.on('/wait', () => twiml((response) => response.leave()));
  const leaver = await call(0, (response) => response.enqueue({ action: '/queued', waitUrl: '/wait' }, 'sales'));
  await stage.app.waitFor({ path: '/queued', params: { CallSid: leaver, QueueResult: 'leave' } });
  const sent = await call(1, (response) => response.enqueue({ action: '/queued' }, 'sales'));
  const [queue] = (await client.queues.list()).filter(({ friendlyName }) => friendlyName === 'sales');
  await waitUntil(async () => (await client.queues(queue!.sid).fetch()).currentSize === 1, { what: 'the call to be queued' });
  expect((await client.queues(queue!.sid).members('Front').update({ url: `${stage.app.url}/next`, method: 'POST' })).callSid).toBe(sent);
  await stage.app.waitFor({ path: '/next', params: { CallSid: sent } });
  await stage.app.waitFor({ path: '/queued', params: { CallSid: sent, QueueResult: 'redirected' } });
  expect((await client.queues(queue!.sid).fetch()).currentSize).toBe(0);
});
