import twilio from 'twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, removeCertificates } from '../../src/sip/testing/certificates.ts';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Cast } from '../peers/cast.ts';
import { freePort } from '../peers/ports.ts';
import { runSipp, type SippOptions } from '../peers/sipp.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// SIP domains made with the official client: who may call them (cases C11, F7, F8), phones that register, and <Refer>.

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

beforeAll(async () => {
  certificate = makeCertificate(['127.0.0.1']);
  tlsPort = await freePort();
  stage = await Stage.open(cast, { env: { PARTYLINE_SIP_TLS_PORT: String(tlsPort), PARTYLINE_SIP_TLS_CERT: certificate.certFile, PARTYLINE_SIP_TLS_KEY: certificate.keyFile } });
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
