import twilio from 'twilio';
import { expect, it } from 'vitest';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { Browser } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// A room lives on one worker, a call's media may live on another: a pipe joins them, and nobody hears a difference.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const TONES_HZ = [440, 700, 1000, 1300];
const PAGE_HZ = 1700;

it('phones of both workers and a browser hear each other in one room', async () => {
  const stage = await Stage.open(cast, { mediaWorkers: 2 });
  const { server, app } = stage;
  // The pause gives each call its media before anybody knows which room it will join.
  app.on('/voice', (request) => {
    const response = new VoiceResponse();
    response.pause({ length: 1 });
    response.connect().room({ participantIdentity: request.params['From'] ?? '' }, 'Spread');
    return response;
  });
  await stage.number('+15550410', '/voice');
  const roomSid = await stage.room('Spread');
  const browser = await cast.add('browser', Browser.start());
  const page = await browser.party('anna');
  await page.join({ token: server.token('anna', { room: 'Spread' }), wsServer: server.wsUrl, roomName: 'Spread', toneHz: PAGE_HZ });

  const calls = [];
  for (const [n, frequencyHz] of TONES_HZ.entries()) {
    const phone = await cast.add(`phone ${frequencyHz} Hz`, SimulatedPhone.start({ user: `+1555705${n}`, sound: { kind: 'tone', frequencyHz, levelDbov: -18 } }));
    const call = await phone.call(server.sipUri('+15550410'));
    await call.answered();
    calls.push({ call, frequencyHz, identity: phone.user });
  }
  await stage.waitParticipants(roomSid, 5);
  for (const { call, frequencyHz } of calls) {
    const others = [...TONES_HZ, PAGE_HZ].filter((other) => other !== frequencyHz);
    const shares = (): string => JSON.stringify([...TONES_HZ, PAGE_HZ].map((hz) => [hz, call.heard.frequencyShare(hz, 1500)]));
    await waitUntil(() => others.every((hz) => call.heard.frequencyShare(hz, 1500) > 0.85), { timeoutMs: 15_000, what: () => `the phone that hums ${frequencyHz} Hz to hear all others; ${shares()}` });
    expect(call.heard.frequencyShare(frequencyHz, 1500), `its own ${frequencyHz} Hz in ${shares()}`).toBe(0);
  }
  for (const { frequencyHz, identity } of calls) await page.waitHears(identity, frequencyHz, 15_000);
}, 90_000);
