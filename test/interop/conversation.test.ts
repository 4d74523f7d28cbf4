import { readFileSync, writeFileSync } from 'node:fs';
import twilio from 'twilio';
import { beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { temporaryFolder } from '../peers/child.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { readWav, tonesIn, writeToneWav } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';

// One call through twelve verbs, as a customer's application would lead it: greeting, PIN, hold music, a room, a message.

const { VoiceResponse } = twilio.twiml;
type Response = InstanceType<typeof VoiceResponse>;
const cast = new Cast();
const NUMBER = '+15550800';
const AGENT_NUMBER = '+15550801';
const CALLER_HZ = 440;
const AGENT_HZ = 1000;
const HOLD_HZ = 620;
const FAREWELL_HZ = 850;

let stage: Stage;
let caller: Phone;
let agent: Phone;

function twiml(build: (response: Response) => unknown): Response {
  const response = new VoiceResponse();
  build(response);
  return response;
}

beforeAll(async () => {
  stage = await Stage.open(cast);
  caller = await cast.add('caller', startPhone({ user: '+15557080', toneHz: CALLER_HZ }));
  agent = await cast.add('agent', startPhone({ user: '+15557081', toneHz: AGENT_HZ }));
  await stage.number(NUMBER, '/voice', { statusCallback: `${stage.app.url}/status` });
  await stage.number(AGENT_NUMBER, '/agent');
  await stage.room('Clinic');
  writeApplication();
}, 60_000);

function toneFile(frequencyHz: number, seconds = 2): { status: number; contentType: string; body: Buffer } {
  return { status: 200, contentType: 'audio/wav', body: readFileSync(writeToneWav(temporaryFolder('tone'), frequencyHz, { seconds })) };
}

function writeApplication(): void {
  const { app } = stage;
  const askForPin = (response: Response, greeting: string): void => {
    const gather = response.gather({ action: '/pin', numDigits: 4, timeout: 20 });
    gather.say(greeting);
    response.redirect('/silent');
  };
  app.on('/agent', () => twiml((response) => response.connect().room({ participantIdentity: 'agent' }, 'Clinic')));
  app.on('/voice', () =>
    twiml((response) => {
      response.say('Welcome to the clinic.');
      response.pause({ length: 1 });
      response.redirect('/menu');
    }),
  );
  app.on('/menu', () => twiml((response) => askForPin(response, 'Please enter your PIN.')));
  app.on('/pin', (request) => twiml((response) => (request.params['Digits'] === '4321' ? response.play({ loop: 0 }, '/hold.wav') : response.redirect('/again'))));
  app.on('/again', () => twiml((response) => askForPin(response, 'That was wrong. Please try again.')));
  app.on('/hold.wav', () => toneFile(HOLD_HZ));
  app.on('/farewell.wav', () => toneFile(FAREWELL_HZ, 3));
  app.on('/clinic', () => twiml((response) => response.connect({ action: '/left' }).room({ participantIdentity: 'caller' }, 'Clinic')));
  app.on('/left', () =>
    twiml((response) => {
      response.say('Please leave a message.');
      response.record({ action: '/recorded', maxLength: 3, playBeep: true, trim: 'do-not-trim', recordingStatusCallback: '/recording' });
    }),
  );
  app.on('/recorded', () =>
    twiml((response) => {
      response.play('/farewell.wav');
      response.hangup();
      response.redirect('/never');
    }),
  );
}

it('greeting, a wrong PIN, the right one, hold music, a room, kicked, a message, good-bye', async () => {
  const { app, server } = stage;
  await agent.dial(server.sipUri(AGENT_NUMBER));
  await stage.waitParticipants('Clinic', 1);

  await caller.dial(server.sipUri(NUMBER));
  const first = await app.waitFor({ path: '/voice' });
  const sid = first.params['CallSid'] ?? '';
  await caller.waitEstablished();

  await app.waitFor({ path: '/menu' });
  await caller.command('sndcode', '1111');
  await app.waitFor({ path: '/again' });
  await caller.command('sndcode', '4321');
  await app.waitFor({ path: '/hold.wav' });
  expect((await hears(caller, HOLD_HZ))[AGENT_HZ]?.share).toBe(0);

  await server.client.calls(sid).update({ url: `${app.url}/clinic` });
  await stage.waitParticipants('Clinic', 2);
  expect((await hears(caller, AGENT_HZ))[HOLD_HZ]?.share).toBe(0);
  await hears(agent, CALLER_HZ);

  await server.client.video.v1.rooms('Clinic').participants('caller').update({ status: 'disconnected' });
  const left = await app.waitFor({ path: '/left' });
  expect(left.params).toMatchObject({ CallSid: sid, RoomName: 'Clinic', RoomDisconnectReason: 'participant-removed', CallStatus: 'in-progress' });

  const recorded = await app.waitFor({ path: '/recorded' }, { timeoutMs: 15_000 });
  expect(recorded.params).toMatchObject({ CallSid: sid, RecordingDuration: '3' });
  await hears(caller, FAREWELL_HZ);
  await caller.waitClosed();
  await app.waitFor({ path: '/status', params: { CallSid: sid } });
  await app.waitFor({ path: '/recording', params: { RecordingSid: recorded.params['RecordingSid'] ?? '' } });

  expect((await tonesOfRecording(recorded.params['RecordingUrl'] ?? ''))[CALLER_HZ]?.share).toBeGreaterThan(0.9);

  const steps = app.requests.filter((request) => request.params['CallSid'] === sid && request.path !== '/recording').map((request) => request.path);
  expect(steps).toEqual(['/voice', '/menu', '/pin', '/again', '/pin', '/clinic', '/left', '/recorded', '/status']);
  expect(app.requests.filter((request) => request.params['CallSid'] === sid).every((request) => request.valid)).toBe(true);
  expect(app.matching({ path: '/pin' }).map((request) => request.params['Digits'])).toEqual(['1111', '4321']);
  expect(app.matching({ path: '/status' })[0]?.params).toMatchObject({ CallStatus: 'completed' });
  const call = await server.client.calls(sid).fetch();
  expect(call).toMatchObject({ status: 'completed', direction: 'inbound' });
  expect(await server.client.calls(sid).notifications.list()).toEqual([]);
});

/** Waits until the phone hears this tone, then tells what else there was. */
async function hears(phone: Phone, frequencyHz: number): ReturnType<Phone['listen']> {
  return waitUntil(
    async () => {
      const heard = await phone.listen(500, [CALLER_HZ, AGENT_HZ, HOLD_HZ, FAREWELL_HZ]);
      return (heard[frequencyHz]?.share ?? 0) > 0.9 ? heard : null;
    },
    { timeoutMs: 10_000, what: `a tone of ${frequencyHz} Hz at ${phone.name}` },
  );
}

/** Downloads a recording as the account it belongs to. */
async function tonesOfRecording(url: string): Promise<ReturnType<typeof tonesIn>> {
  const { accountSid, authToken } = stage.server;
  const answer = await fetch(`${url}.wav`, { headers: { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}` }, signal: AbortSignal.timeout(5000) });
  const path = `${temporaryFolder('recording')}/message.wav`;
  writeFileSync(path, Buffer.from(await answer.arrayBuffer()));
  return tonesIn(readWav(path), [CALLER_HZ]);
}
