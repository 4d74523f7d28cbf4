import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { Cast } from '../peers/cast.ts';
import { startChild } from '../peers/child.ts';
import { freePort } from '../peers/ports.ts';
import { startServer } from '../peers/server.ts';
import { waitUntil } from '../peers/wait.ts';

// The examples, run as their README says.

const cast = new Cast();
const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

it('the examples bring a caller into the room', async () => {
  const server = await cast.add('server', startServer());
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
