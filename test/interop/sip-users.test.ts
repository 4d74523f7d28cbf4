import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import twilio from 'twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, removeCertificates } from '../../src/sip/testing/certificates.ts';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { startPathProxy } from '../peers/path-proxy.ts';
import { freePort } from '../peers/ports.ts';
import { runSipp, type SippOptions } from '../peers/sipp.ts';
import { startChild, temporaryFolder } from '../peers/child.ts';
import { binary } from '../peers/server.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// SIP domains made with the official client: who may call them (cases C11, F7, F8), phones that register, trunks, and <Refer>.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const PASSWORD = 'Wonderland2026';
const OPEN = 'open.sip.localhost';
const SHUT = 'shut.sip.localhost';
const GUARDED = 'guarded.sip.localhost';
const NUMBER = '+15550800';

let stage: Stage;
let certificate: { certFile: string; keyFile: string };
let tlsPort: number;
afterAll(() => removeCertificates());
const sids = new Map<string, string>();
const trunksFile = join(temporaryFolder('trunks'), 'trunks.json');
/** The carrier calls from here. */
const CARRIER_ADDRESS = '127.0.0.1';
const STRANGE_ADDRESS = '127.0.0.2';

beforeAll(async () => {
  certificate = makeCertificate(['127.0.0.1']);
  tlsPort = await freePort();
  describeTrunks([]);
  stage = await Stage.open(cast, { env: { PARTYLINE_TRUNKS_FILE: trunksFile, PARTYLINE_SIP_STRANGERS: 'refuse', PARTYLINE_SIP_TLS_PORT: String(tlsPort), PARTYLINE_SIP_TLS_CERT: certificate.certFile, PARTYLINE_SIP_TLS_KEY: certificate.keyFile } });
  const { sip } = stage.server.client;
  stage.app.on('/domain', () => pause(1));
  stage.app.on('/held', () => pause(30));
  const [here, elsewhere, phones] = [await sip.ipAccessControlLists.create({ friendlyName: 'here' }), await sip.ipAccessControlLists.create({ friendlyName: 'elsewhere' }), await sip.credentialLists.create({ friendlyName: 'phones' })];
  await sip.ipAccessControlLists(here.sid).ipAddresses.create({ friendlyName: 'loopback', ipAddress: '127.0.0.0', cidrPrefixLength: 8 });
  await sip.ipAccessControlLists(elsewhere.sid).ipAddresses.create({ friendlyName: 'not here', ipAddress: '203.0.113.0', cidrPrefixLength: 24 });
  await sip.credentialLists(phones.sid).credentials.create({ username: 'alice', password: PASSWORD });
  const domain = async (domainName: string, over: { sipRegistration?: boolean } = {}) => {
    const { sid } = await sip.domains.create({ domainName, voiceUrl: `${stage.app.url}/domain`, voiceStatusCallbackUrl: `${stage.app.url}/status`, ...over });
    sids.set(domainName, sid);
    return sip.domains(sid);
  };
  await (await domain(OPEN)).ipAccessControlListMappings.create({ ipAccessControlListSid: here.sid });
  await (await domain(SHUT)).auth.calls.ipAccessControlListMappings.create({ ipAccessControlListSid: elsewhere.sid });
  const guarded = await domain(GUARDED, { sipRegistration: true });
  await guarded.auth.calls.credentialListMappings.create({ credentialListSid: phones.sid });
  await guarded.auth.registrations.credentialListMappings.create({ credentialListSid: phones.sid });
}, 60_000);

function pause(length: number): InstanceType<typeof VoiceResponse> {
  const response = new VoiceResponse();
  response.pause({ length });
  return response;
}

function describeTrunks(trunks: object[]): void {
  writeFileSync(trunksFile, JSON.stringify({ trunks }));
}

async function expectPlayed(options: SippOptions): Promise<void> {
  const { code, log } = await runSipp({ remote: `127.0.0.1:${stage.server.sipPort}`, timeoutMs: 20_000, ...options });
  expect(code, log.slice(-6000)).toBe(0);
}

const asked = (domain: string): ReturnType<Stage['app']['matching']> => stage.app.matching({ path: '/domain', params: { SipDomain: domain } });

describe('a call to a SIP domain', () => {
  it('brings its address, its domain and its X- headers to the application (C11)', async () => {
    await expectPlayed({ scenario: 'domain-call', service: `desk@${OPEN}` });
    const [request] = asked(OPEN);
    expect(request?.valid).toBe(true);
    expect(request?.params).toMatchObject({ To: `sip:desk@${OPEN}`, Direction: 'inbound', CallStatus: 'ringing', SipDomain: OPEN, SipDomainSid: sids.get(OPEN), SipSourceIp: '127.0.0.1', 'SipHeader_X-Team': 'a', 'SipHeader_User-to-User': '1234;encoding=hex' });
    expect(request?.params['From']).toMatch(/^sip:sipp@127\.0\.0\.1/);
    expect(request?.params['SipCallId']).toMatch(/^1-\d+@127\.0\.0\.1$/);
    const told = await stage.app.waitFor({ path: '/status', params: { CallSid: request?.params['CallSid'] ?? '' } });
    expect(told.valid).toBe(true);
    expect(told.params).toMatchObject({ CallStatus: 'completed', SipDomain: OPEN });
  });

  it('from an address that is not in its access list is refused (F7)', async () => {
    await expectPlayed({ scenario: 'domain-refused', service: `desk@${SHUT}` });
    expect(asked(SHUT)).toEqual([]);
  });

  it('is asked for credentials and let in with the right ones (F8)', async () => {
    await expectPlayed({ scenario: 'domain-credentials', service: `desk@${GUARDED}`, authentication: { username: 'alice', password: PASSWORD, uri: `desk@${GUARDED}` } });
    expect(asked(GUARDED)).toHaveLength(1);
    expect(asked(GUARDED)[0]?.params).toMatchObject({ SipUsername: 'alice', From: expect.stringMatching(/^sip:sipp@/) as string });
  });

  it.each(['alice', 'mallory'])('with a wrong password of %s is refused (F8)', async (username) => {
    await expectPlayed({ scenario: 'domain-wrong-password', service: `desk@${GUARDED}`, authentication: { username, password: 'Wonderland2025', uri: `desk@${GUARDED}` } });
    expect(asked(GUARDED)).toHaveLength(1);
  });
});

describe.each(['udp', 'tcp', 'tls'] as const)('a phone that registers over %s', (transport) => {
  let phone: Phone;
  beforeAll(async () => {
    phone = await cast.add(`alice ${transport}`, startPhone({ user: 'alice', toneHz: 440, transport, caFile: certificate.certFile, registration: { domain: GUARDED, password: PASSWORD, server: `127.0.0.1:${transport === 'tls' ? tlsPort : stage.server.sipPort}` } }));
  }, 20_000);

  it('proves who it is, is called by its name, and calls as itself', async () => {
    await waitUntil(() => /200 OK \(Partyline/.test(phone.log()), { what: () => `a registration\n${phone.log().slice(-3000)}` });
    const call = await stage.server.client.calls.create({ to: 'client:alice', from: 'desk', url: `${stage.app.url}/held` });
    await phone.waitEstablished();
    await stage.waitCallStatus(call.sid, 'in-progress');
    expect((await stage.server.client.calls(call.sid).fetch()).to).toBe('client:alice');
    await phone.hangUp();
    await stage.waitCallStatus(call.sid, 'completed');
    const before = asked(GUARDED).length;
    await phone.dial(`sip:desk@${GUARDED}`);
    const request = await waitUntil(() => asked(GUARDED)[before], { what: 'the call of the phone' });
    expect(request.params).toMatchObject({ From: `sip:alice@${GUARDED}`, To: `sip:desk@${GUARDED}`, SipUsername: 'alice' });
    await stage.waitCallStatus(request.params['CallSid'] ?? '', 'completed');
    await phone.stop();
  });
});

describe('a carrier', () => {
  const WANTED = '+4930123456';
  const explain = async (...args: string[]): Promise<{ code: number | null; text: string }> => {
    const { accountSid, authToken, httpUrl } = stage.server;
    const run = startChild({ name: 'explain', command: process.execPath, args: [binary, 'explain', 'call', ...args, '--url', httpUrl], env: { ...process.env, PARTYLINE_ACCOUNT_SID: accountSid, PARTYLINE_AUTH_TOKEN: authToken } });
    return { code: await run.exited(20_000), text: run.log() };
  };

  beforeAll(async () => {
    const trunk = { name: 'acme', voiceUrl: `${stage.app.url}/trunk`, inbound: { networks: [CARRIER_ADDRESS] }, numbers: { countryCode: '49', nationalPrefix: '0' }, callerName: true };
    describeTrunks([{ ...trunk, default: true, targets: [{ uri: 'sip:127.0.0.1:9', priority: 20 }, { uri: 'sip:192.0.2.1' }] , probeIntervalS: null }]);
    process.kill(stage.server.pid, 'SIGHUP');
    await waitUntil(() => stage.server.log().includes('the trunks file was read again'), { what: 'the trunks to be read' });
    for (const path of ['/trunk', '/berlin']) stage.app.on(path, () => pause(1));
    await stage.number(WANTED, '/berlin');
  });

  it('from its address reaches the number and, where none was declared, its own application; numbers are in E.164', async () => {
    await expectPlayed({ scenario: 'carrier-inbound', service: '030123456@127.0.0.1' });
    expect((await stage.app.waitFor({ path: '/berlin' })).params).toMatchObject({ To: WANTED, From: '+4989998877', CallerName: 'Alice Example' });
    await expectPlayed({ scenario: 'carrier-inbound', service: '030777777@127.0.0.1' });
    const asked = await stage.app.waitFor({ path: '/trunk' });
    expect(asked).toMatchObject({ valid: true, params: { To: '+4930777777', From: '+4989998877', CallerName: 'Alice Example', Direction: 'inbound' } });
    expect(await stage.server.client.calls(asked.params['CallSid'] ?? '').fetch()).toMatchObject({ to: '+4930777777', callerName: 'Alice Example', phoneNumberSid: null });
  });

  it('from another address is refused with 403, and nobody is asked', async () => {
    const before = stage.app.requests.length;
    await expectPlayed({ scenario: 'domain-refused', service: '030123456@127.0.0.1', address: STRANGE_ADDRESS });
    expect(stage.app.requests.length).toBe(before);
  });

  it('is explained as it was decided, in and out', async () => {
    const taken = await explain('089998877', '030123456', '--source', CARRIER_ADDRESS);
    expect(taken.code, taken.text).toBe(0);
    expect(taken.text).toMatch(/✓ trunk +127\.0\.0\.1 is a source of trunk acme \(BY[0-9a-f]{32}\)\n +✓ number +030123456 is \+4930123456 \(PN/);
    expect(taken.text).toMatch(/=> taken for account AC[0-9a-f]{32}: From \+4989998877, To \+4930123456, POST http:.*\/berlin/);
    const refused = await explain('089998877', '030123456', '--source', `${STRANGE_ADDRESS}:5060/udp`);
    expect(refused).toMatchObject({ code: 1, text: expect.stringMatching(/✗ strangers +127\.0\.0\.2 is nobody known[^]*=> refused: 403/) as string });
    const out = await explain(WANTED, '+4989112233', '--outbound');
    expect(out).toMatchObject({ code: 0, text: expect.stringMatching(/target 1 +sip:\+4989112233@192\.0\.2\.1 [^]*target 2 +sip:\+4989112233@127\.0\.0\.1:9 /) as string });
  });

  it('stays as it was when the file is changed for the worse', async () => {
    writeFileSync(trunksFile, JSON.stringify({ trunks: [{ name: 'acme', inbound: { networks: ['here'] } }] }));
    process.kill(stage.server.pid, 'SIGHUP');
    await waitUntil(() => /trunks\[0\]\.inbound\.networks\[0\] must be an address/.test(stage.server.log()), { what: 'the log to tell what is wrong' });
    expect((await stage.server.client.voice.v1.byocTrunks.list()).map(({ friendlyName }) => friendlyName)).toEqual(['acme']);
  });

  it('of the file is a resource of the official client that is not changed there', async () => {
    const { byocTrunks, connectionPolicies } = stage.server.client.voice.v1;
    const [trunk] = await byocTrunks.list();
    expect(trunk).toMatchObject({ friendlyName: 'acme', voiceUrl: `${stage.app.url}/trunk` });
    expect((await connectionPolicies(trunk?.connectionPolicySid ?? '').targets.list()).map(({ target }) => target).sort()).toEqual(['sip:127.0.0.1:9', 'sip:192.0.2.1']);
    await expect(byocTrunks(trunk?.sid ?? '').update({ friendlyName: 'mine' })).rejects.toMatchObject({ status: 400, code: 20001 });
  });
});

it('a phone behind an edge proxy registers through it, and is called by the path that its REGISTER took', async () => {
  const proxy = await cast.add('edge proxy', startPathProxy(`127.0.0.1:${stage.server.sipPort}`));
  const phone = await cast.add('alice behind a proxy', startPhone({ user: 'alice', toneHz: 440, transport: 'tcp', registration: { domain: GUARDED, password: PASSWORD, server: proxy.phoneSide } }));
  await waitUntil(() => /200 OK \(Partyline/.test(phone.log()), { what: () => `a registration\n${phone.log().slice(-3000)}\n${proxy.log()}` });
  const call = await stage.server.client.calls.create({ to: 'client:alice', from: 'desk', url: `${stage.app.url}/held` });
  await phone.waitEstablished();
  await stage.waitCallStatus(call.sid, 'in-progress');
  expect(proxy.passed()).toContain('udp INVITE');
  await stage.server.client.calls(call.sid).update({ status: 'completed' });
  await phone.waitClosed();
  await phone.stop();
});

it('<Refer> sends the phone elsewhere and hears how that went', async () => {
  stage.app.on('/refer', () => {
    const response = new VoiceResponse();
    response.refer({ action: '/referred' }).sip('sip:bob@192.0.2.9?X-Account=17');
    return response;
  });
  stage.app.on('/referred', () => new VoiceResponse());
  await stage.number(NUMBER, '/refer');
  await expectPlayed({ scenario: 'refer', service: `${NUMBER}@127.0.0.1` });
  const [request] = stage.app.matching({ path: '/referred' });
  expect(request?.valid).toBe(true);
  expect(request?.params).toMatchObject({ ReferCallStatus: 'busy', ReferSipResponseCode: '202', NotifySipResponseCode: '486' });
});

it('a baresip that was called by <Dial> transfers its caller to a user of a domain: both hear each other, and it is let go', async () => {
  const { app, server } = stage;
  const [caller, desk, alice] = await Promise.all([
    cast.add('transferred caller', startPhone({ user: 'caller', toneHz: 440 })),
    cast.add('transferring desk', startPhone({ user: 'desk', toneHz: 620 })),
    cast.add('target', startPhone({ user: 'alice', toneHz: 880, registration: { domain: GUARDED, password: PASSWORD, server: `127.0.0.1:${server.sipPort}` } })),
  ]);
  app.on('/dial-desk', () => {
    const response = new VoiceResponse();
    response.dial({ action: `${app.url}/transferred` }).sip(desk.uri);
    return response;
  });
  app.on('/transferred', () => new VoiceResponse());
  await server.client.calls.create({ to: caller.uri, from: 'boss', url: `${app.url}/dial-desk` });
  await desk.waitEstablished();
  await desk.command('transfer', `sip:alice@${GUARDED}`);
  await alice.waitEstablished();
  await desk.waitClosed();
  const [atCaller, atAlice] = await Promise.all([caller.listen(1500, [620, 880]), alice.listen(1500, [440, 620])]);
  expect([atCaller[880]?.share ?? 0, atAlice[440]?.share ?? 0].map((share) => share > 0.9)).toEqual([true, true]);
  await alice.hangUp();
  await caller.waitClosed();
  expect(app.matching({ path: '/transferred' })[0]?.params).toMatchObject({ DialCallStatus: 'completed' });
}, 30_000);
