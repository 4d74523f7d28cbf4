import { beforeEach, describe, expect, it } from 'vitest';
import { newSid, type AccountSid } from '../../base/sid.ts';
import { CLOSED_POLICY, type OutboundPolicy } from '../dial-plan/fraud-guard.ts';
import type { FakeOutgoingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';
import { readTrunks } from './trunks-file.ts';

const CARRIER = '198.51.100.20';
let world: FakeWorld;
const open = (outbound: OutboundPolicy = { ...CLOSED_POLICY, prefixes: ['+49'] }): void => {
  world = fakeWorld({ outbound, isOwn: ({ address, port }) => address === '192.0.2.1' && port === 5060 });
  world.sip.located.set('sip:sip.carrier.example', [CARRIER]);
};
beforeEach(() => open());

const of = (accountSid: AccountSid, ...trunks: object[]) => readTrunks(JSON.stringify({ trunks }), { accountSid, nowMs: 0 });
const describeTrunks = async (...trunks: object[]): Promise<void> => {
  world.trunks.describe(of(world.accountSid, ...trunks));
  world.carriers.start();
  await settle();
};
const acme = { name: 'acme', targets: [{ uri: 'sip:sip.carrier.example' }], probeIntervalS: null };

async function dial(to: string): Promise<FakeOutgoingCall> {
  await world.live.create(world.accountSid, { to, from: '+15550100', twiml: '<Response><Pause length="60"/></Response>', other: {} });
  await world.clock.advanceAsync(10);
  await settle();
  return world.sip.placed.at(-1) as FakeOutgoingCall;
}
const reaches = (call: FakeOutgoingCall, address: string, port = 5060): boolean => call.options.mayReach?.({ address, port }) ?? true;

describe('a call to a SIP address', () => {
  it('has no number called at the address of a carrier, whatever name led there', async () => {
    await describeTrunks(acme);
    expect(reaches(await dial('sip:+19005551234@innocent.example'), CARRIER)).toBe(false);
    expect(world.calls.notifications.at(-1)).toMatchObject({ errorCode: 13227, messageText: expect.stringContaining('carrier of trunk acme') as string });
    expect(reaches(await dial('sip:7%230019005551234@innocent.example'), CARRIER)).toBe(false);
    expect(reaches(await dial('sip:+19005551234@innocent.example'), '198.51.100.21')).toBe(true);
    expect(reaches(await dial('sip:alice@innocent.example'), CARRIER)).toBe(true);
  });

  it('goes to a number at the carrier by its own name as the account may call, even where maddr leads elsewhere', async () => {
    await describeTrunks(acme);
    expect(reaches(await dial('sip:+4930123456@sip.carrier.example'), CARRIER)).toBe(true);
    await describeTrunks(acme, { ...acme, name: 'other', targets: [{ uri: 'sip:203.0.113.9' }] });
    expect(reaches(await dial('sip:+4930123456@sip.carrier.example;maddr=203.0.113.9'), '203.0.113.9')).toBe(false);
  });

  it('knows what addresses a name had before, and those it gets', async () => {
    await describeTrunks(acme);
    world.sip.located.set('sip:sip.carrier.example', ['198.51.100.30']);
    await world.clock.advanceAsync(60_000);
    await settle();
    const call = await dial('sip:+19005551234@innocent.example');
    expect([CARRIER, '198.51.100.30', '::ffff:c633:641e', '64:ff9b::198.51.100.30'].map((address) => reaches(call, address))).toEqual([false, false, false, false]);
    await world.clock.advanceAsync(3_600_000);
    await settle();
    expect([CARRIER, '198.51.100.30'].map((address) => reaches(call, address))).toEqual([true, false]);
  });

  it('calls no number in the networks of the operator’s carriers either; in private ones phones stand beside them', async () => {
    await describeTrunks({ ...acme, inbound: { networks: ['203.0.113.0/24', '10.0.0.0/8'] } });
    const call = await dial('sip:+19005551234@innocent.example');
    expect(['203.0.113.77', '10.1.2.3'].map((address) => reaches(call, address))).toEqual([false, true]);
  });

  it('tells apart by the port who shares the loopback address', async () => {
    await describeTrunks({ ...acme, targets: [{ uri: 'sip:127.0.0.1:5080' }] });
    const call = await dial('sip:+19005551234@innocent.example');
    expect([5080, 5090].map((port) => reaches(call, '127.0.0.1', port))).toEqual([false, true]);
  });

  it('never comes back to this server', async () => {
    const call = await dial('sip:alice@innocent.example');
    expect([5060, 5070].map((port) => reaches(call, '192.0.2.1', port))).toEqual([false, true]);
    expect(world.calls.notifications.at(-1)).toMatchObject({ messageText: expect.stringContaining('this server itself') as string });
  });

  it('reaches a registered phone where it registered from, whatever its Contact is called, but no number over its Path', async () => {
    await describeTrunks(acme);
    world.registered.set('alice', [{ uri: 'sip:+19005551234@phone.invalid', outboundProxy: `sip:${CARRIER}:5060` }]);
    expect(reaches(await dial('client:alice'), CARRIER)).toBe(true);
    world.registered.set('alice', [{ uri: 'sip:+19005551234@phone.invalid', outboundProxy: '<sip:innocent.example;lr>' }]);
    expect(reaches(await dial('client:alice'), CARRIER)).toBe(false);
  });
});

it('a subaccount’s trunk calls at the operator’s carrier what the operator’s own trunks to it may call, by whatever name', async () => {
  open({ ...CLOSED_POLICY, prefixes: 'all' });
  const theirs = of(newSid('AC'), { name: 'theirs', targets: [{ uri: 'sip:innocent.example' }], probeIntervalS: null });
  world.trunks.describe([...theirs, ...of(world.accountSid, { ...acme, outbound: { allowedPrefixes: ['+49'] } })]);
  world.carriers.start();
  await settle();
  const trunk = world.trunks.all().find(({ name }) => name === 'theirs');
  if (!trunk) throw new Error('no trunk');
  const problems: string[] = [];
  const place = async (number: string): Promise<FakeOutgoingCall> => {
    world.carriers.callerFor({ trunk, number, caller: '+15550100', journal: ({ message }) => void problems.push(message) }).call({ to: '', from: 'sip:a@b.test', body: Buffer.alloc(0), contentType: '' });
    await settle();
    return world.sip.placed.at(-1) as FakeOutgoingCall;
  };
  const [abroad, allowed] = [await place('+15557000'), await place('+4930123456')];
  expect([reaches(abroad, CARRIER), reaches(allowed, CARRIER), reaches(abroad, '198.51.100.99'), reaches(allowed, '192.0.2.1')]).toEqual([false, true, true, false]);
  expect(problems).toEqual([expect.stringContaining('allow other numbers'), expect.stringContaining('this server itself')]);
});
