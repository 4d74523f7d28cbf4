import { describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import type { IncomingSipRegister, SipSecretLookup } from '../sip/contract.ts';
import { addressBits, inRange } from './dial-plan/ip-range.ts';
import { registrationAddress, sipSecret } from './dial-plan/sip-domain.ts';
import type { SipDomainRecord } from './model.ts';
import { createRegistrations, routeToRegistered } from './registrations.ts';
import { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle } from './testing/fake-world.ts';
import { silentLog } from '../base/log.ts';
import type { DirectoryRepository } from './model.ts';

const HOST = 'acme.sip.localhost';
const ALICE = sipSecret({ username: 'alice', password: 'Wonderland2026' });

async function domainWorld(guards: { acl?: string; credentials?: boolean; registration?: boolean; carrier?: string } = {}) {
  const world = fakeWorld(guards.carrier === undefined ? {} : { carrier: guards.carrier });
  const { accountSid, sipDirectory } = world;
  const stamps = { createdAtMs: 0, updatedAtMs: 0 };
  const list = { sid: newSid('CL'), accountSid, friendlyName: 'phones', credentials: [{ sid: newSid('CR'), username: 'alice', secret: ALICE, ...stamps }], ...stamps };
  const [network = '', prefix] = (guards.acl ?? '').split('/');
  const acl = { sid: newSid('AL'), accountSid, friendlyName: 'office', addresses: [{ sid: newSid('IP'), friendlyName: '', ipAddress: network, cidrPrefixLength: Number(prefix ?? 32), ...stamps }], ...stamps };
  await sipDirectory.saveCredentialList(list);
  await sipDirectory.saveIpAcl(acl);
  const mapped = { sid: list.sid, createdAtMs: 0 };
  const domain: SipDomainRecord = {
    sid: newSid('SD'), accountSid, domainName: HOST, friendlyName: '', sipRegistration: guards.registration ?? false, ...stamps,
    voiceUrl: 'http://app.test/domain', voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: 'http://app.test/domain-status', statusCallbackMethod: 'POST',
    callIpAcls: guards.acl === undefined ? [] : [{ sid: acl.sid, createdAtMs: 0 }],
    callCredentialLists: guards.credentials ? [mapped] : [],
    registrationCredentialLists: guards.registration ? [mapped] : [],
  };
  await sipDirectory.saveDomain(domain);
  world.app.on('/domain', '<Response><Reject reason="busy"/></Response>');
  return { ...world, domain };
}

describe('a call to a SIP domain', () => {
  it('without anything mapped is refused', async () => {
    const { arrive, app } = await domainWorld();
    expect(arrive(new FakeIncomingCall('desk', HOST)).said).toEqual(['403']);
    expect(app.asked).toEqual([]);
  });

  it('from an allowed address asks the domain, with everything SIP about the caller', async () => {
    const { arrive, app, domain, told, record } = await domainWorld({ acl: '198.51.100.0/24' });
    const call = arrive(new FakeIncomingCall('desk', HOST));
    await settle();
    expect(app.asked[0]).toMatchObject({ path: '/domain', params: { To: `sip:desk@${HOST}`, From: 'sip:+15557001@198.51.100.7', Direction: 'inbound', SipDomain: HOST, SipDomainSid: domain.sid, SipCallId: 'call-1', SipSourceIp: '198.51.100.7', 'SipHeader_X-Team': 'a' } });
    expect(app.asked[0]?.params).not.toHaveProperty('SipUsername');
    expect(call.said).toEqual(['180', '486']);
    expect(told).toMatchObject([{ url: 'http://app.test/domain-status', params: { CallStatus: 'busy', SipDomain: HOST } }]);
    expect(record()).toMatchObject({ to: `sip:desk@${HOST}`, phoneNumberSid: null });
  });

  it('from another address is refused', async () => {
    const { arrive } = await domainWorld({ acl: '198.51.101.0/24' });
    expect(arrive(new FakeIncomingCall('desk', HOST)).said).toEqual(['403']);
  });

  it('is asked for credentials, let in with good ones and refused with bad ones', async () => {
    const { arrive, app } = await domainWorld({ credentials: true });
    expect(arrive(new FakeIncomingCall('desk', HOST)).said).toEqual(['407']);
    const bad = new FakeIncomingCall('desk', HOST);
    bad.proof = { username: 'alice', secret: 'wrong' };
    expect(arrive(bad).said).toEqual(['403']);
    expect(app.asked).toEqual([]);
    const good = new FakeIncomingCall('desk', HOST);
    good.proof = { username: 'alice', secret: ALICE.md5 };
    arrive(good);
    await settle();
    expect(app.asked[0]?.params).toMatchObject({ SipUsername: 'alice' });
  });

  it('with both guards needs both', async () => {
    const { arrive } = await domainWorld({ acl: '203.0.113.1', credentials: true });
    const good = new FakeIncomingCall('desk', HOST);
    good.proof = { username: 'alice', secret: ALICE.md5 };
    expect(arrive(good).said).toEqual(['403']);
  });

  it('of a suspended account is refused', async () => {
    const { arrive, sipDirectory, domain } = await domainWorld({ acl: '198.51.100.0/24' });
    await sipDirectory.saveDomain({ ...domain, accountSid: newSid('AC') });
    expect(arrive(new FakeIncomingCall('desk', HOST)).said).toEqual(['403']);
  });
});

class FakeRegister implements IncomingSipRegister {
  readonly source = { transport: 'udp' as const, address: '198.51.100.7', port: 5060 };
  readonly to;
  readonly said: string[] = [];
  answered = false;
  readonly requestUriHost: string;
  readonly #secret: string | null;
  constructor(user: string, secret: string | null, host = HOST) {
    this.requestUriHost = host;
    this.to = { displayName: '', uri: `sip:${user}@${host}`, user, host };
    this.#secret = secret;
  }
  authenticate(secretsOf: SipSecretLookup) {
    if (secretsOf('alice').some(({ md5 }) => md5 === this.#secret)) return { verified: true as const, username: 'alice' };
    this.said.push(this.#secret === null ? '401' : '403');
    return { verified: false as const, reason: this.#secret === null ? ('asked' as const) : ('wrong' as const), username: null };
  }
  accept(address: string): void {
    this.said.push(`200 ${address}`);
  }
  reject(statusCode: number): void {
    this.said.push(String(statusCode));
  }
}

describe('a registration', () => {
  async function registering(register: FakeRegister, registration = true) {
    const world = await domainWorld({ registration });
    const directory = { account: () => ({ status: 'active' }) } as unknown as DirectoryRepository;
    const { registrations } = createRegistrations({ log: silentLog, sip: world.sip, directory, sipDirectory: world.sipDirectory, trunks: world.trunks });
    world.sip.emit('registering', register);
    return { ...world, registrations, said: register.said };
  }

  it('is asked for credentials and kept under the user of the domain', async () => {
    expect((await registering(new FakeRegister('alice', null))).said).toEqual(['401']);
    const { said, domain } = await registering(new FakeRegister('alice', ALICE.md5));
    expect(said).toEqual([`200 ${registrationAddress(domain, 'alice')}`]);
  });

  it.each([
    ['with a wrong password', new FakeRegister('alice', 'wrong'), true],
    ['of a name that is not the user', new FakeRegister('bob', ALICE.md5), true],
    ['at a domain that takes none', new FakeRegister('alice', ALICE.md5), false],
    ['at a domain that is not ours', new FakeRegister('alice', ALICE.md5, 'else.example'), true],
  ])('%s is refused', async (_what, register, allowed) => {
    expect((await registering(register, allowed)).said).toEqual(['403']);
  });

  it('is what client:name and sip:name@domain are found by', async () => {
    const { registrations, sip, domain, accountSid } = await registering(new FakeRegister('alice', ALICE.md5));
    const contact = { uri: 'sip:alice@10.0.0.5', outboundProxy: 'sip:198.51.100.7:5060' };
    sip.registered.set(registrationAddress(domain, 'alice'), [contact]);
    expect(registrations.contactsOf(accountSid, 'alice')).toEqual([contact]);
    expect(registrations.contactsAt(accountSid, { user: 'alice', domainName: HOST })).toEqual([contact]);
    expect(registrations.contactsOf(newSid('AC'), 'alice')).toEqual([]);
    expect(registrations.contactsAt(accountSid, { user: 'alice', domainName: 'else.example' })).toBeNull();
  });
});

describe('a registered contact that is a number at a carrier', () => {
  it('is not called, whatever Path its REGISTER gave: the carrier would charge for it', async () => {
    const world = await domainWorld({ registration: true, carrier: 'sip:carrier.example:5060' });
    const { registrations } = createRegistrations({ log: silentLog, sip: world.sip, directory: world.directory, sipDirectory: world.sipDirectory, trunks: world.trunks });
    const phone = { uri: 'sip:alice@10.0.0.5', outboundProxy: '<sip:carrier.example;lr>' };
    const numbers = [
      { uri: 'sip:+19005551234@10.0.0.5', outboundProxy: '<sip:Carrier.example.;lr>' },
      { uri: 'sip:0019005551234@carrier.example', outboundProxy: '<sip:edge.example;lr>,<sip:edge2.example;lr>' },
    ];
    world.sip.registered.set(registrationAddress(world.domain, 'alice'), [...numbers, phone]);
    expect(registrations.contactsOf(world.accountSid, 'alice')).toEqual([phone]);
  });
});

describe('an address range', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0', 24, true],
    ['192.0.3.1', '192.0.2.0', 24, false],
    ['192.0.3.1', '192.0.2.0', 23, true],
    ['8.8.8.8', '1.2.3.4', 0, true],
    ['192.0.2.1', '192.0.2.1', 32, true],
    ['::ffff:192.0.2.1', '192.0.2.1', 32, true],
    ['2001:db8::1', '2001:db8::', 32, true],
    ['2001:db9::1', '2001:db8::', 32, false],
    ['::1', '192.0.2.1', 0, false],
    ['192.0.2.300', '192.0.2.0', 24, false],
  ])('%s in %s/%i: %s', (address, network, prefixLength, expected) => expect(inRange(address, { network, prefixLength })).toBe(expected));
  it.each(['', '1.2.3', '1.2.3.4.5', '1::2::3', ':::', 'g::1', '1:2:3:4:5:6:7:8:9', '2001:db8::/32'])('%j is no address', (text) => expect(addressBits(text)).toBeNull());
});

describe('a call by REST to a registered phone', () => {
  const CONTACT = { uri: 'sip:alice@10.0.0.5', outboundProxy: 'sip:198.51.100.7:5060' };

  it('goes to its contact by the way it registered', async () => {
    const { live, accountSid, registered, sip, clock } = fakeWorld();
    registered.set('alice', [CONTACT, { uri: 'sip:alice@10.0.0.6', outboundProxy: 'sip:198.51.100.8:5060' }]);
    expect(await live.create(accountSid, { to: 'client:alice', from: 'desk', url: 'http://app.test/voice', other: {} })).toMatchObject({ to: 'client:alice', status: 'queued' });
    clock.advance(1);
    await settle();
    expect(sip.placed.map(({ options }) => [options.to, options.outboundProxy])).toEqual([[CONTACT.uri, CONTACT.outboundProxy]]);
  });

  it('that is not there is not answered, and the application is told', async () => {
    const { live, accountSid, sip, clock, record, told, calls } = fakeWorld();
    await live.create(accountSid, { to: 'client:alice', from: 'desk', url: 'http://app.test/voice', statusCallback: 'http://app.test/status', other: {} });
    clock.advance(1);
    await settle();
    expect(sip.placed).toEqual([]);
    expect(record()).toMatchObject({ status: 'no-answer' });
    expect(told).toMatchObject([{ params: { CallStatus: 'no-answer', SipResponseCode: '480' } }]);
    expect(calls.notifications).toMatchObject([{ errorCode: 32009 }]);
  });

  it('as a user of a SIP domain keeps the headers of its address', () => {
    const registrations = { contactsOf: () => [], contactsAt: (_account: unknown, { domainName }: { domainName: string }) => (domainName === HOST ? [CONTACT] : null) };
    const accountSid = newSid('AC');
    expect(routeToRegistered(`sip:alice@${HOST}:5060;transport=udp?X-A=1`, { accountSid, registrations })).toEqual({ ...CONTACT, uri: 'sip:alice@10.0.0.5?X-A=1' });
    expect(routeToRegistered('sip:alice@else.example', { accountSid, registrations })).toBeNull();
    expect(routeToRegistered('+15550100', { accountSid, registrations })).toBeNull();
  });
});
