import { beforeEach, describe, expect, it } from 'vitest';
import { contactUserOf, networksOfNobody } from './carrier/inbound.ts';
import { trustedSources } from './carrier/trusted-sources.ts';
import { readTrunks } from './carrier/trunks-file.ts';
import { makeDigestSecret } from '../sip/digest/secret.ts';
import { newSid, type AccountSid } from '../base/sid.ts';
import { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

/** The fake phone's address. */
const SOURCE = '198.51.100.7';
const GERMAN = { countryCode: '49', nationalPrefix: '0' };

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld();
  world.number.phoneNumber = '+4930123456';
  for (const path of ['/voice', '/trunk']) world.app.on(path, '<Response><Pause length="60"/></Response>');
});

const describeTrunks = (trunks: object[], accountSid: AccountSid = world.accountSid): void => world.trunks.describe(readTrunks(JSON.stringify({ trunks }), { accountSid, nowMs: 0 }));

interface Headers {
  [name: string]: string;
}
async function arrive(user: string, { headers = {}, host = '127.0.0.1', proof = null }: { headers?: Headers; host?: string; proof?: FakeIncomingCall['proof'] } = {}): Promise<FakeIncomingCall> {
  const phone = new FakeIncomingCall(user, host);
  phone.headers.push(...Object.entries(headers));
  phone.proof = proof;
  world.arrive(phone);
  await settle();
  return phone;
}
const asked = (): Record<string, string | undefined> => ({ ...world.app.asked.at(-1)?.params, path: world.app.asked.at(-1)?.path });

describe('a call of a trunk', () => {
  it('is known by its source; numbers of both sides are in E.164', async () => {
    describeTrunks([{ name: 'de', inbound: { networks: ['198.51.100.0/24'] }, numbers: GERMAN }]);
    const phone = await arrive('030123456', { headers: { 'P-Asserted-Identity': '"Alice" <sip:089998877@carrier.test>', Diversion: '<sip:030111222@carrier.test>;reason=unconditional' } });
    expect(phone.said).toEqual(['180']);
    expect(asked()).toMatchObject({ path: '/voice', To: '+4930123456', From: '+4989998877', ForwardedFrom: '+4930111222' });
    expect(asked()).not.toHaveProperty('CallerName');
  });

  it('tells the name of the caller where the trunk wants it', async () => {
    describeTrunks([{ name: 'de', inbound: { networks: [SOURCE] }, numbers: GERMAN, callerName: true }]);
    await arrive('030123456', { headers: { 'Remote-Party-ID': '"Alice" <sip:+4989998877@carrier.test>;party=calling' } });
    expect(asked()).toMatchObject({ From: '+4989998877', CallerName: 'Alice' });
  });

  it('hides a caller who wants it, whatever the headers tell', async () => {
    describeTrunks([{ name: 'de', inbound: { networks: [SOURCE] }, callerName: true }]);
    await arrive('+4930123456', { headers: { 'P-Asserted-Identity': '"Alice" <sip:+4989998877@carrier.test>', Privacy: 'id' } });
    expect(asked()).toMatchObject({ From: 'anonymous' });
    expect(asked()).not.toHaveProperty('CallerName');
  });

  it('asserts nothing where the trunk is not trusted, as a stranger asserts nothing', async () => {
    const headers = { 'P-Asserted-Identity': '<sip:+4989998877@carrier.test>' };
    await arrive('+4930123456', { headers });
    expect(asked()).toMatchObject({ From: '+15557001' });
    describeTrunks([{ name: 'de', inbound: { networks: [SOURCE], trustIdentity: false } }]);
    await arrive('+4930123456', { headers });
    expect(asked()).toMatchObject({ From: '+15557001' });
  });

  it('to a number without a URL is answered by the trunk, as one to a number that nobody declared', async () => {
    world.number.voiceUrl = null;
    describeTrunks([{ name: 'de', voiceUrl: 'http://app.test/trunk', inbound: { networks: [SOURCE] }, numbers: GERMAN }]);
    await arrive('030123456');
    expect(asked()).toMatchObject({ path: '/trunk', To: '+4930123456' });
    await arrive('030777777');
    expect(asked()).toMatchObject({ path: '/trunk', To: '+4930777777', AccountSid: world.accountSid });
    expect(world.record().phoneNumberSid).toBeNull();
  });

  it.each([
    ['allow', ['180']],
    ['refuse', ['403']],
  ] as const)('of another account is a stranger to the number (%s), and that account does not answer for it', async (strangers, said) => {
    world = fakeWorld({ strangers });
    world.app.on('/voice', '<Response><Pause length="60"/></Response>');
    describeTrunks([{ name: 'theirs', voiceUrl: 'http://app.test/theirs', inbound: { networks: ['198.0.0.0/8'] } }], newSid('AC'));
    expect((await arrive('+15550100')).said).toEqual(said);
    expect(world.app.asked.map(({ path }) => path)).toEqual(said[0] === '180' ? ['/voice'] : []);
  });

  it('to a number that nobody declared is the operator’s before a subaccount’s, and of two subaccounts nobody’s', async () => {
    const trunk = (name: string, network: string): object => ({ name, voiceUrl: `http://app.test/${name}`, inbound: { networks: [network] } });
    const of = (accountSid: AccountSid, ...trunks: object[]) => readTrunks(JSON.stringify({ trunks }), { accountSid, nowMs: 0 });
    const [one, two] = [of(newSid('AC'), trunk('one', SOURCE)), of(newSid('AC'), trunk('two', '198.51.100.0/24'))];
    world.trunks.describe([...one, ...two]);
    expect((await arrive('+4930999')).said).toEqual(['404']);
    world.trunks.describe([...one, ...of(world.accountSid, trunk('trunk', '198.51.0.0/16')), ...two]);
    expect((await arrive('+4930999')).said).toEqual(['180']);
    expect(asked()).toMatchObject({ path: '/trunk', To: '+4930999' });
  });

  it('is held back at the door as a stranger where a subaccount alone names its source, and never because a network holds everybody', () => {
    const isTrusted = trustedSources(world.trunks);
    describeTrunks([{ name: 'theirs', inbound: { networks: [SOURCE] } }], newSid('AC'));
    expect(isTrusted(SOURCE)).toBe(false);
    describeTrunks([{ name: 'mine', inbound: { networks: [SOURCE] } }]);
    expect([isTrusted(SOURCE), isTrusted('198.51.100.8')]).toEqual([true, false]);
    // As an earlier version may have saved it.
    const [wide] = readTrunks(JSON.stringify({ trunks: [{ name: 'wide', inbound: { networks: ['10.0.0.0/8'] } }] }), { accountSid: world.accountSid, nowMs: 0 });
    if (wide?.trunk.settings) wide.trunk.settings.inbound.networks = [{ network: '0.0.0.0', prefixLength: 0 }, { network: '::', prefixLength: 0 }];
    world.trunks.describe(wide ? [wide] : []);
    expect(world.trunks.all().map(networksOfNobody)).toEqual([['0.0.0.0/0', '::/0']]);
    expect([isTrusted('203.0.113.9'), isTrusted('2001:db8::9')]).toEqual([false, false]);
  });

  it('by a user name that two trunks have is of the first of them', async () => {
    world = fakeWorld({ strangers: 'refuse' });
    world.app.on('/trunk', '<Response><Pause length="60"/></Response>');
    world.number.voiceUrl = null;
    const trunk = (name: string, password: string): object => ({ name, voiceUrl: 'http://app.test/trunk', inbound: { credentials: [{ username: 'pbx', password }] } });
    const mine = readTrunks(JSON.stringify({ trunks: [trunk('mine', 'first')] }), { accountSid: world.accountSid, nowMs: 0 });
    const theirs = readTrunks(JSON.stringify({ trunks: [trunk('theirs', 'second')] }), { accountSid: newSid('AC'), nowMs: 0 });
    world.trunks.describe([...mine, ...theirs]);
    const proof = (password: string) => ({ username: 'pbx', secret: makeDigestSecret({ username: 'pbx', password }).md5 });
    expect((await arrive('+15550100', { proof: proof('second') })).said).toEqual(['403']);
    expect((await arrive('+15550100', { proof: proof('first') })).said).toEqual(['180']);
  });

  it('by a user of its trunk is taken, though a trunk of another account names the address too', async () => {
    world = fakeWorld({ strangers: 'unless-trunks' });
    world.app.on('/voice', '<Response><Pause length="60"/></Response>');
    const mine = readTrunks(JSON.stringify({ trunks: [{ name: 'mine', inbound: { credentials: [{ username: 'pbx', password: 'secret' }] } }] }), { accountSid: world.accountSid, nowMs: 0 });
    const theirs = readTrunks(JSON.stringify({ trunks: [{ name: 'theirs', inbound: { networks: ['198.0.0.0/8'] } }] }), { accountSid: newSid('AC'), nowMs: 0 });
    world.trunks.describe([...theirs, ...mine]);
    expect((await arrive('+15550100', { proof: { username: 'pbx', secret: makeDigestSecret({ username: 'pbx', password: 'secret' }).md5 } })).said).toEqual(['180']);
    expect((await arrive('+15550100')).said).toEqual(['407']);
  });

  it('answered by the trunk tells its end to the number where the trunk says nothing of it', async () => {
    world.number.voiceUrl = null;
    describeTrunks([{ name: 'de', voiceUrl: 'http://app.test/trunk', inbound: { networks: [SOURCE] } }]);
    const phone = await arrive('+4930123456');
    phone.emit('ended', { cause: 'remote-cancel' });
    await settle();
    expect(world.told.map(({ url }) => url)).toEqual(['http://app.test/number-status']);
  });

  it('is known by the Contact that was registered; To says which number', async () => {
    describeTrunks([{ name: 'reg', register: { registrar: 'sip:reg.test', username: 'us', password: 'secret' }, numbers: GERMAN }]);
    const [trunk] = world.trunks.all();
    const phone = new FakeIncomingCall(trunk ? (contactUserOf(trunk) ?? '') : '');
    Object.assign(phone, { to: { displayName: '', uri: 'sip:030123456@reg.test', user: '030123456', host: 'reg.test' } });
    world.arrive(phone);
    await settle();
    expect(asked()).toMatchObject({ path: '/voice', To: '+4930123456' });
  });

  it('to a SIP domain that names the trunk is one to a number', async () => {
    const stamps = { createdAtMs: 0, updatedAtMs: 0 };
    const { accountSid } = world;
    describeTrunks([{ name: 'de', numbers: GERMAN, voiceUrl: 'http://app.test/trunk' }]);
    const acl = { sid: newSid('AL'), accountSid, friendlyName: '', addresses: [{ sid: newSid('IP'), friendlyName: '', ipAddress: SOURCE, cidrPrefixLength: 32, ...stamps }], ...stamps };
    await world.sipDirectory.saveIpAcl(acl);
    const urls = { voiceUrl: 'http://app.test/domain', voiceMethod: 'POST' as const, voiceFallbackUrl: null, voiceFallbackMethod: 'POST' as const, statusCallback: null, statusCallbackMethod: 'POST' as const };
    await world.sipDirectory.saveDomain({ sid: newSid('SD'), accountSid, domainName: 'acme.test', friendlyName: '', sipRegistration: false, ...urls, callCredentialLists: [], callIpAcls: [{ sid: acl.sid, createdAtMs: 0 }], registrationCredentialLists: [], byocTrunkSid: world.trunks.all()[0]?.sid ?? null, ...stamps });
    await arrive('030123456', { host: 'acme.test' });
    expect(asked()).toMatchObject({ path: '/voice', To: '+4930123456', SipDomain: 'acme.test' });
    await arrive('030555555', { host: 'acme.test' });
    expect(asked()).toMatchObject({ path: '/trunk', To: '+4930555555' });
  });
});

describe('a stranger', () => {
  const elsewhere = { name: 'de', inbound: { networks: ['203.0.113.0/24'], credentials: [{ username: 'pbx', password: 'secret' }] } };

  it.each([
    ['allow', ['180']],
    ['unless-trunks', ['407']],
    ['refuse', ['407']],
  ] as const)('with strangers: %s hears %j', async (strangers, said) => {
    world.incoming.stop();
    world = fakeWorld({ strangers });
    world.app.on('/voice', '<Response><Pause length="60"/></Response>');
    describeTrunks([elsewhere]);
    expect((await arrive('+15550100')).said).toEqual(said);
  });

  it('is let in where no trunk says where calls come from, and refused outright where it cannot prove anything', async () => {
    world = fakeWorld({ strangers: 'unless-trunks' });
    world.app.on('/voice', '<Response><Pause length="60"/></Response>');
    describeTrunks([{ name: 'out-only', targets: [{ uri: 'sip:a.test' }] }]);
    expect((await arrive('+15550100')).said).toEqual(['180']);
    describeTrunks([{ name: 'de', inbound: { networks: ['203.0.113.0/24'] } }]);
    expect((await arrive('+15550100')).said).toEqual(['403']);
    expect((await arrive('+15550199')).said).toEqual(['403']);
    expect(world.app.asked).toHaveLength(1);
  });

  it('who proves to be a user of a trunk brings its calls; one who does not is refused', async () => {
    world = fakeWorld({ strangers: 'unless-trunks' });
    world.app.on('/trunk', '<Response><Pause length="60"/></Response>');
    world.number.voiceUrl = null;
    describeTrunks([{ ...elsewhere, voiceUrl: 'http://app.test/trunk' }]);
    expect((await arrive('+15550100', { proof: { username: 'pbx', secret: makeDigestSecret({ username: 'pbx', password: 'secret' }).md5 } })).said).toEqual(['180']);
    expect(asked()).toMatchObject({ path: '/trunk', To: '+15550100' });
    expect((await arrive('+15550100', { proof: { username: 'pbx', secret: 'guess' } })).said).toEqual(['403']);
  });
});
