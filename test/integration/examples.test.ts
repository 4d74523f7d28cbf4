import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { Cast } from '../peers/cast.ts';
import { startChild } from '../peers/child.ts';
import { freePort } from '../peers/ports.ts';
import { startServer, type Server } from '../peers/server.ts';
import { waitUntil } from '../peers/wait.ts';

// The examples, run as their README says.

const cast = new Cast();
const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

let server: Server;
beforeAll(async () => {
  server = await cast.add('server', startServer());
}, 60_000);

it('the examples bring a caller into the room', async () => {
  const port = await freePort();
  const env = {
    PATH: process.env['PATH'],
    PORT: String(port),
    PARTYLINE: server.httpUrl,
    VOICE_URL: `http://127.0.0.1:${port}/voice`,
    ACCOUNT_SID: server.accountSid,
    AUTH_TOKEN: server.authToken,
    API_KEY_SID: server.apiKeySid,
    API_KEY_SECRET: server.apiKeySecret,
  };
  const app = await cast.add('app', startChild({ name: 'app', command: process.execPath, args: [example('phone-into-room/app.mjs')], env }));
  await waitUntil(() => app.log().includes('voiceUrl'), { what: 'the app to listen' });
  // Twice: the second run finds what the first one made.
  for (const run of [1, 2]) {
    const setup = await cast.add(`setup ${run}`, startChild({ name: 'setup', command: process.execPath, args: [example('point-your-app/setup.mjs')], env }));
    expect(await setup.exited(20_000), setup.log()).toBe(0);
    expect(setup.log()).toContain('Twilio.Video.connect');
  }

  const phone = await SimulatedPhone.start({ user: '+15557001' });
  try {
    const call = await phone.call(server.sipUri('+15550123'));
    await call.answered();
    await waitUntil(async () => (await server.client.video.v1.rooms('DailyStandup').participants.list({ status: 'connected' })).map((one) => one.identity).includes('+15557001'), { what: 'the caller to be in the room' });
    call.hangup();
    await call.ended();
  } finally {
    await phone.stop();
  }
});

it('a PIN brings a caller into its meeting, three wrong ones end the call', async () => {
  const port = await freePort();
  const env = { PATH: process.env['PATH'], PORT: String(port), AUTH_TOKEN: server.authToken, MEETINGS: '{"1234":"Retrospective"}' };
  const app = await cast.add('PIN app', startChild({ name: 'PIN app', command: process.execPath, args: [example('pin-entry/app.mjs')], env }));
  await waitUntil(() => app.log().includes('voiceUrl'), { what: 'the app to listen' });
  await server.client.incomingPhoneNumbers.create({ phoneNumber: '+15550124', voiceUrl: `http://127.0.0.1:${port}/voice` });
  const room = server.client.video.v1.rooms('Retrospective');

  const phone = await SimulatedPhone.start({ user: '+15557002' });
  /** Presses keys once the application was asked for the nth time. */
  const enter = async (keys: string, { call, nth }: { call: Awaited<ReturnType<SimulatedPhone['call']>>; nth: number }): Promise<void> => {
    await waitUntil(async () => {
      const [newest] = await server.client.calls.list({ from: '+15557002', limit: 1 });
      return newest !== undefined && (await server.client.calls(newest.sid).events.list()).length >= nth;
    }, { what: `document no. ${nth}` });
    await call.sendDigits(keys);
  };
  try {
    const call = await phone.call(server.sipUri('+15550124'));
    await call.answered();
    await enter('w99#', { call, nth: 1 });
    await enter('w1234#', { call, nth: 2 });
    await waitUntil(async () => (await server.client.calls.list({ from: '+15557002', limit: 1 }))[0]?.status === 'in-progress', { what: 'the caller to wait' });
    await server.client.video.v1.rooms.create({ uniqueName: 'Retrospective' });
    await waitUntil(async () => (await room.participants.list()).some((one) => /^\+15557002 [0-9a-f]{4}$/.test(one.identity)), { timeoutMs: 15_000, what: 'the caller to be in the meeting' });
    call.hangup();
    await call.ended();

    const guesser = await phone.call(server.sipUri('+15550124'));
    await guesser.answered();
    for (const nth of [1, 2, 3]) await enter('w0#', { call: guesser, nth });
    await guesser.ended();
    expect((await server.client.calls.list({ from: '+15557002', limit: 1 }))[0]?.status).toBe('completed');
  } finally {
    await phone.stop();
  }
});
