import dgram from 'node:dgram';
import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone, type PhoneOptions } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { HomeNetwork, homeNetworkMissing } from '../peers/home-network.ts';
import { Stage } from '../peers/stage.ts';
import { toneWav } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';

// Phones behind the router of a home: private addresses in their SDP, which the server could reach by mistake, and a NAT that gives their
// sound other ports than they name.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const reason = homeNetworkMissing();
const DOMAIN = 'phones.sip.localhost';
const PASSWORD = 'Wonderland2026';
const PROMPT_HZ = 620;
const ALICE_HZ = 440;
const BOB_HZ = 880;
let home: HomeNetwork;
let stage: Stage;
let alice: Phone;
let bob: Phone;

const registered = (phone: Phone): Promise<unknown> => waitUntil(() => /200 OK \(Partyline/.test(phone.log()), { what: () => `a registration\n${phone.log().slice(-3000)}` });

/** Half a second of nothing else, soon. */
async function hears(phone: Phone, hz: number): Promise<void> {
  let last: unknown;
  await waitUntil(async () => ((last = await phone.listen(500, [hz])) as Awaited<ReturnType<Phone['listen']>>)[hz]?.share === 1, { timeoutMs: 8000, what: () => `${phone.name} to hear ${hz} Hz; it heard ${JSON.stringify(last)}` });
}

/** Every SDP of the phone so far says its private address. */
const namesPrivate = (phone: Phone): boolean => phone.log().includes(`c=IN IP4 ${home.privateAddress}`);

describe.skipIf(reason !== null)(`phones behind a NAT${reason === null ? '' : ` (${reason})`}`, () => {
  beforeAll(async () => {
    home = await cast.add('home', HomeNetwork.create());
    stage = await Stage.open(cast, { env: { PARTYLINE_BIND_ADDRESS: home.serverAddress, PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: 'allow' } });
    const { sip } = stage.server.client;
    const phones = await sip.credentialLists.create({ friendlyName: 'phones' });
    for (const username of ['alice', 'bob']) await sip.credentialLists(phones.sid).credentials.create({ username, password: PASSWORD });
    const { sid } = await sip.domains.create({ domainName: DOMAIN, voiceUrl: `${stage.app.url}/domain`, sipRegistration: true });
    await sip.domains(sid).auth.calls.credentialListMappings.create({ credentialListSid: phones.sid });
    await sip.domains(sid).auth.registrations.credentialListMappings.create({ credentialListSid: phones.sid });
    stage.app.on('/prompt.wav', () => ({ status: 200, contentType: 'audio/wav', body: toneWav(PROMPT_HZ, 20) }));
    stage.app.on('/domain', ({ params }) => {
      const response = new VoiceResponse();
      if (params['To'] === `sip:menu@${DOMAIN}`) response.gather({ numDigits: 2, action: '/pressed' }).play(`${stage.app.url}/prompt.wav`);
      else response.dial().sip(`sip:bob@${DOMAIN}`);
      return response;
    });
    stage.app.on('/pressed', () => new VoiceResponse());
    const inside: Omit<PhoneOptions, 'user' | 'toneHz'> = { namespace: home.namespace, address: home.privateAddress, registration: { domain: DOMAIN, password: PASSWORD, server: `${home.serverAddress}:${stage.server.sipPort}` } };
    [alice, bob] = await Promise.all([cast.add('alice', startPhone({ ...inside, user: 'alice', toneHz: ALICE_HZ })), cast.add('bob', startPhone({ ...inside, user: 'bob', toneHz: BOB_HZ }))]);
    await Promise.all([alice, bob].map(registered));
  }, 60_000);

  it('hear a prompt, and their keys arrive', async () => {
    await alice.dial(`sip:menu@${DOMAIN}`);
    await alice.waitEstablished();
    await hears(alice, PROMPT_HZ);
    await alice.command('sndcode', '4');
    await alice.command('sndcode', '2');
    expect((await stage.app.waitFor({ path: '/pressed' })).params).toMatchObject({ Digits: '42' });
    await alice.waitClosed();
    expect(namesPrivate(alice)).toBe(true);
    expect(home.sentToPrivate()).toBe(0);
  });

  it('call each other, and each hears the other', async () => {
    await alice.dial(`sip:bob@${DOMAIN}`);
    await bob.waitEstablished();
    await alice.waitEstablished({ nth: 2 });
    await Promise.all([hears(alice, BOB_HZ), hears(bob, ALICE_HZ)]);
    await bob.hangUp();
    await alice.waitClosed({ nth: 2 });
    expect(namesPrivate(bob)).toBe(true);
  });

  it('are sent nothing at the private address that they name, which could have been seen', async () => {
    // Two registrations, two calls of alice and one of bob: each with sound of its own.
    expect(home.flowsOut()).toBeGreaterThanOrEqual(5);
    expect(home.sentToPrivate()).toBe(0);
    const socket = dgram.createSocket('udp4');
    await new Promise((resolve) => socket.send('by mistake', 4000, home.privateAddress, resolve));
    socket.close();
    expect(home.sentToPrivate()).toBe(1);
  });
});
