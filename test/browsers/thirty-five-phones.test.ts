import twilio from 'twilio';
import { expect, it } from 'vitest';
import type { SimulatedCall } from '../../src/testing/simulated-call.ts';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { Browser } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// A full room: 35 phones and one browser. The 36th caller is not let in, and goes on with its document.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const PHONES = 35;
const PAGE_HZ = 620;
const TALKER_HZ = 1000;

it('35 phones hear a browser; the 36th goes on to its next verb', async () => {
  const stage = await Stage.open(cast, { mediaWorkers: 1 });
  const { server, app } = stage;
  app.on('/voice', () => {
    const response = new VoiceResponse();
    response.connect().room('Full');
    response.redirect('/next');
    return response;
  });
  app.on('/next', () => {
    const response = new VoiceResponse();
    response.pause({ length: 60 });
    return response;
  });
  await stage.number('+15550420', '/voice');
  const roomSid = await stage.room('Full');
  const browser = await cast.add('browser', Browser.start());
  const page = await browser.party('anna');
  await page.join({ token: server.token('anna', { room: 'Full' }), wsServer: server.wsUrl, roomName: 'Full', toneHz: PAGE_HZ });

  const phone = await cast.add('phone', SimulatedPhone.start({ user: '+15557060', keepMs: 5000 }));
  const dial = (n: number, frequencyHz?: number): Promise<SimulatedCall> =>
    phone.call(server.sipUri('+15550420'), { from: `+1555800${String(n).padStart(2, '0')}`, ...(frequencyHz ? { sound: { kind: 'tone', frequencyHz } } : {}) });
  const calls = await Promise.all(Array.from({ length: PHONES }, (_, n) => dial(n, n === 0 ? TALKER_HZ : undefined)));
  await Promise.all(calls.map((call) => call.answered(30_000)));
  await stage.waitParticipants(roomSid, PHONES + 1, 20_000);

  const hearing = (hz: number): number => calls.filter((call) => call.heard.frequencyShare(hz, 1000) >= 0.8).length;
  await waitUntil(() => hearing(PAGE_HZ) === PHONES, { timeoutMs: 20_000, what: () => `all phones to hear the page; ${hearing(PAGE_HZ)} did\n${phone.log()}` });
  await waitUntil(() => hearing(TALKER_HZ) === PHONES - 1, { timeoutMs: 20_000, what: () => `all phones but one to hear it; ${hearing(TALKER_HZ)} did` });
  expect(calls[0]!.heard.frequencyShare(TALKER_HZ, 1000), 'the talker hears itself').toBe(0);

  const late = await dial(PHONES);
  await late.answered();
  await app.waitFor({ path: '/next', params: { From: '+155580035' } });
  expect((await stage.participants(roomSid)).length).toBe(PHONES + 1);
  expect(late.state).toBe('answered');
  await waitUntil(() => late.heard.packets > 25, { what: 'the late caller to be sent silence' });
  expect(late.heard.frequencyShare(PAGE_HZ, 500)).toBe(0);

  // One leaves, and there is room for one.
  calls[1]!.hangup();
  await stage.waitParticipants(roomSid, PHONES);
  const next = await dial(PHONES + 1);
  await stage.waitParticipants(roomSid, PHONES + 1);
  await waitUntil(() => next.heard.frequencyShare(PAGE_HZ, 500) >= 0.8, { what: 'the next one to hear the page' });
}, 120_000);
