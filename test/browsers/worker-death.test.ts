import twilio from 'twilio';
import { expect, it } from 'vitest';
import type { SimulatedCall } from '../../src/testing/simulated-call.ts';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { Browser } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { waitProcessGone } from '../peers/server.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// A media worker is killed. What it carried ends in good order, and the house stands.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const STATUS = { statusCallbackMethod: 'POST' };

it('a killed worker ends its calls and its room, and the next call works', async () => {
  const stage = await Stage.open(cast, { mediaWorkers: 1 });
  const { server, app } = stage;
  app.on('/voice', (request) => {
    const response = new VoiceResponse();
    response.connect().room({ participantIdentity: request.params['From'] ?? '' }, 'Doomed');
    return response;
  });
  await stage.number('+15550400', '/voice', { statusCallback: `${app.url}/status`, ...STATUS });
  const roomSid = await stage.room('Doomed');
  const browser = await cast.add('browser', Browser.start());
  const page = await browser.party('anna');
  await page.join({ token: server.token('anna', { room: 'Doomed' }), wsServer: server.wsUrl, roomName: 'Doomed', toneHz: 620 });
  const one = await cast.add('first phone', SimulatedPhone.start({ user: '+15557041', sound: { kind: 'tone', frequencyHz: 440 } }));
  const two = await cast.add('second phone', SimulatedPhone.start({ user: '+15557042', sound: { kind: 'tone', frequencyHz: 1000 } }));
  const calls = await Promise.all([one.call(server.sipUri('+15550400')), two.call(server.sipUri('+15550400'))]);
  await Promise.all(calls.map((call) => call.answered()));
  await waitUntil(() => calls[0]!.heard.frequencyShare(1000, 500) > 0.7, { what: 'the phones to hear each other' });

  const [worker] = server.workerPids();
  process.kill(worker!, 'SIGKILL');
  await waitProcessGone(worker!);
  for (const call of calls) expect((await call.ended(5000)).cause).toBe('remote-bye');
  const gone = await Promise.all([1, 2].map((nth) => app.waitFor({ path: '/status', params: { CallStatus: 'completed' } }, { nth })));
  expect(gone.every((request) => request.valid)).toBe(true);
  await waitUntil(async () => (await server.client.video.v1.rooms(roomSid).fetch()).status === 'completed', { what: 'the room to be completed' });
  expect((await stage.participants(roomSid, 'disconnected')).map((participant) => participant.identity).sort()).toEqual(['+15557041', '+15557042', 'anna']);
  await app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'room-ended', RoomSid: roomSid } });
  await page.waitEvent((event) => event.name === 'disconnected', 'to be disconnected');
  expect(await server.client.calls.list({ status: 'in-progress' })).toEqual([]);

  // A fresh worker stands in for the dead one.
  await stage.room('Doomed');
  const again = await Promise.all([one.call(server.sipUri('+15550400')), two.call(server.sipUri('+15550400'))]);
  await Promise.all(again.map((call) => call.answered()));
  await waitUntil(() => again[0]!.heard.frequencyShare(1000, 500) > 0.7 && again[1]!.heard.frequencyShare(440, 500) > 0.7, { what: 'the phones to hear each other again' });
  expect(server.workerPids()).not.toContain(worker);
}, 90_000);

it('the calls of another worker go on', async () => {
  const stage = await Stage.open(cast, { mediaWorkers: 2 });
  const { server, app } = stage;
  app.on('/voice', () => {
    const response = new VoiceResponse();
    // A pause alone would delay the answer.
    response.say('Please wait.');
    response.pause({ length: 60 });
    return response;
  });
  await stage.number('+15550401', '/voice');
  const phone = await cast.add('phone', SimulatedPhone.start({ user: '+15557043' }));
  // One call at a time, so that each goes to the less loaded of the two workers.
  const calls: SimulatedCall[] = [];
  for (let n = 0; n < 4; n++) {
    const call = await phone.call(server.sipUri('+15550401'));
    await call.answered();
    calls.push(call);
  }
  process.kill(server.workerPids()[0]!, 'SIGKILL');
  await waitUntil(() => calls.filter((call) => call.state === 'ended').length === 2, { what: () => `two calls to end\n${phone.log()}` });
  const living = calls.filter((call) => call.state === 'answered');
  const heardBefore = living.map((call) => call.heard.packets);
  await waitUntil(() => living.every((call, n) => call.heard.packets > heardBefore[n]! + 25), { what: 'the other two to go on' });
  expect(living).toHaveLength(2);
}, 60_000);
