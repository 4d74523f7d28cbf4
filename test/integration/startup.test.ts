import dgram from 'node:dgram';
import net from 'node:net';
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { Cast } from '../peers/cast.ts';
import { startChild, temporaryFolder, type Child } from '../peers/child.ts';
import { freePort } from '../peers/ports.ts';
import { binary, clientFor, runServer, serverEnvironment, startServer } from '../peers/server.ts';
import { waitUntil } from '../peers/wait.ts';

// How the server starts, refuses to start, stops, and what it keeps.

const cast = new Cast();

/** The server must give up at once, with one line that says why. */
async function expectRefusal(env: Record<string, string>, words: string[]): Promise<void> {
  const child = await cast.add('refusing server', runServer(env));
  expect(await child.exited(15_000), child.log()).toBe(1);
  const lines = child.log().trim().split('\n');
  expect(lines, child.log()).toHaveLength(1);
  for (const word of words) expect(lines[0]).toContain(word);
}

describe.concurrent('a port that is in use', () => {
  it.each([
    ['PARTYLINE_HTTP_PORT', 'TCP'],
    ['PARTYLINE_SIP_PORT', 'TCP'],
    ['PARTYLINE_SIP_PORT', 'UDP'],
    ['PARTYLINE_WEBRTC_PORT', 'UDP'],
  ])('%s over %s is one clear line and exit code 1', async (setting, protocol) => {
    const port = await freePort();
    const free = protocol === 'TCP' ? await holdTcp(port) : await holdUdp(port);
    try {
      await expectRefusal({ ...(await serverEnvironment({ dataDir: temporaryFolder('refused') })), [setting]: String(port) }, [setting, String(port), protocol, 'in use']);
    } finally {
      await free();
    }
  });
});

describe.concurrent('a bad setting', () => {
  it.each([
    ['PARTYLINE_HTTP_PORT', 'eighty'],
    ['PARTYLINE_BIND_ADDRESS', 'localhost!'],
    ['PARTYLINE_RTP_PORTS', '20000-10000'],
    ['PARTYLINE_ACCOUNT_SID', 'AC123'],
    ['PARTYLINE_CARRIER', 'carrier'],
    ['DATABASE_URL', 'mysql://localhost/'],
  ])('%s=%s is one clear line and exit code 1', async (setting, value) => {
    await expectRefusal({ ...(await serverEnvironment({ dataDir: temporaryFolder('refused') })), [setting]: value }, [setting]);
  });

  it('never prints a secret', async () => {
    const child = await cast.add('refusing server', runServer({ ...(await serverEnvironment({ dataDir: temporaryFolder('refused') })), PARTYLINE_AUTH_TOKEN: 'tiny-secret' }));
    expect(await child.exited(15_000)).toBe(1);
    expect(child.log()).not.toContain('tiny-secret');
  });
});

it('makes credentials at the first start, keeps them over a restart, and a kept number too', async () => {
  const dataDir = temporaryFolder('kept');
  const none = { PARTYLINE_ACCOUNT_SID: undefined, PARTYLINE_AUTH_TOKEN: undefined, PARTYLINE_API_KEY_SID: undefined, PARTYLINE_API_KEY_SECRET: undefined };
  const start = async () => {
    const server = await cast.add('server', startServer({ dataDir, env: none }));
    return { server, ...(await printedCredentials(server.child)) };
  };
  const first = await start();
  expect(first.accountSid).toMatch(/^AC[0-9a-f]{32}$/);
  expect(first.apiKeySid).toMatch(/^SK[0-9a-f]{32}$/);
  expect(statSync(`${dataDir}/credentials.json`).mode & 0o077).toBe(0);
  const client = clientFor(first.server.httpUrl, { username: first.accountSid, password: first.authToken, accountSid: first.accountSid });
  await client.incomingPhoneNumbers.create({ phoneNumber: '+15550155', voiceUrl: 'http://127.0.0.1:9/voice' });
  expect(await first.server.stop()).toBe(0);

  const second = await start();
  expect([second.accountSid, second.authToken, second.apiKeySid]).toEqual([first.accountSid, first.authToken, first.apiKeySid]);
  const again = clientFor(second.server.httpUrl, { username: first.accountSid, password: first.authToken, accountSid: first.accountSid });
  expect((await again.incomingPhoneNumbers.list()).map((number) => number.phoneNumber)).toContain('+15550155');
  expect(await second.server.stop()).toBe(0);
});

it('SIGTERM hangs up and leaves with exit code 0 within 5 s', async () => {
  const server = await cast.add('server', startServer({ demo: true }));
  await server.client.video.v1.rooms.create({ uniqueName: 'DailyStandup' });
  const phone = await cast.add('phone', SimulatedPhone.start());
  const call = await phone.call(server.sipUri('+15550100'));
  await call.answered();
  const beganMs = Date.now();
  expect(await server.stop()).toBe(0);
  expect(Date.now() - beganMs).toBeLessThan(5000);
  expect((await call.ended()).cause).toBe('remote-bye');
});

describe('the demo', () => {
  it('serves its page, tells what to dial, and its number joins the room; partyline call hears it', async () => {
    // The demo's own application is open though webhooks into private networks are not.
    const server = await cast.add('server', startServer({ demo: true, env: { PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: 'deny' } }));
    const page = await fetch(`${server.httpUrl}/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const info = (await (await fetch(`${server.httpUrl}/demo/info`)).json()) as { sipUri: string; room: string };
    expect(info).toMatchObject({ sipUri: server.sipUri('+15550100'), room: 'DailyStandup' });

    await server.client.video.v1.rooms.create({ uniqueName: 'DailyStandup' });
    const hummer = await cast.add('phone that hums', SimulatedPhone.start({ user: '+15557031', sound: { kind: 'tone', frequencyHz: 815 } }));
    const humming = await hummer.call(info.sipUri);
    await humming.answered();
    const recording = `${temporaryFolder('call')}/heard.wav`;
    const command = startChild({
      name: 'partyline call',
      command: process.execPath,
      args: [binary, 'call', '+15550100', '--server', `127.0.0.1:${server.sipPort}`, '--from', '+15557032', '--tone', '440', '--for', '4s', '--record', recording],
    });
    await cast.add('partyline call', command);
    await waitUntil(() => humming.heard.frequencyShare(440, 1000) > 0.8, { what: () => `the phone to hear the command\n${command.log()}` });
    expect(await command.exited(15_000), command.log()).toBe(0);
    expect(command.log()).toMatch(/answered {2}after \d+ ms/);
    expect(command.log()).toContain('815 Hz stands out');
    expect(command.log()).toContain('hung up here');
    expect(statSync(recording).size).toBeGreaterThan(8000 * 2 * 3);
  });

  it('a number that nobody has is told as such, with exit code 1', async () => {
    const server = await cast.add('server', startServer());
    const command = await cast.add('partyline call', startChild({ name: 'partyline call', command: process.execPath, args: [binary, 'call', '+15559999', '--server', `127.0.0.1:${server.sipPort}`] }));
    expect(await command.exited(15_000), command.log()).toBe(1);
    expect(command.log()).toContain('rejected with 404');
  });

  it('is not there when it is off', async () => {
    const server = await cast.add('server', startServer({ demo: false }));
    expect((await fetch(`${server.httpUrl}/demo/info`)).status).toBe(404);
  });
});

async function printedCredentials(child: Child): Promise<{ accountSid: string; authToken: string; apiKeySid: string }> {
  await waitUntil(() => child.log().includes('API key'), { what: 'the credentials to be printed' });
  const after = (label: string): string => new RegExp(`${label} +(\\S+)`).exec(child.log())?.[1] ?? '';
  return { accountSid: after('Account SID'), authToken: after('Auth token'), apiKeySid: after('API key') };
}

async function holdTcp(port: number): Promise<() => Promise<void>> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}

async function holdUdp(port: number): Promise<() => Promise<void>> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  return () => new Promise((resolve) => socket.close(() => resolve()));
}
