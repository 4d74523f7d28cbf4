import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { readTrunks } from '../carrier/trunks-file.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';
import { CLOSED_POLICY, FraudGuard, OPEN_POLICY, type OutboundPolicy } from './fraud-guard.ts';

const accountSid = newSid('AC');
const guardWith = (policy: Partial<OutboundPolicy>): FraudGuard => new FraudGuard({ ...OPEN_POLICY, ...policy }, () => []);

describe('numbers that may be called', () => {
  const refused = (policy: Partial<OutboundPolicy>, numbers: string[]) => numbers.filter((to) => guardWith(policy).mayDial({ accountSid, to }, 0) !== null);

  it('are all on a laptop, but satellites and premium ranges', () => {
    expect(refused({}, ['+4930123456', '+15557000', '+881612345678', '+979123', '+19005551234', '+449012345678'])).toEqual(['+881612345678', '+979123', '+19005551234', '+449012345678']);
  });

  it('are none on a server of which nothing was said; the refusal tells what to set', () => {
    expect(new FraudGuard(CLOSED_POLICY, () => []).mayDial({ accountSid, to: '+4930123456' }, 0)).toMatchObject({ restCode: 21215, twimlCode: 13227, message: expect.stringContaining('PARTYLINE_OUTBOUND_PREFIXES') as string });
  });

  it('are those that are listed; a costly range by a prefix as long as its own', () => {
    expect(refused({ prefixes: ['+49', '+8'] }, ['+4930123456', '+43123456', '+881612345678', '+8612345'])).toEqual(['+43123456', '+881612345678']);
    expect(refused({ prefixes: ['+8816'] }, ['+881612345678', '+881712345678'])).toEqual(['+881712345678']);
  });

  it('are no business of phones that are registered here, nor of SIP addresses elsewhere', () => {
    expect(refused({ prefixes: [] }, ['client:alice', 'sip:alice@phones.test', 'sip:+881612345678@phones.test'])).toEqual([]);
  });
});

describe('an account over REST and in TwiML', () => {
  let world: FakeWorld;
  beforeEach(() => {
    world = fakeWorld({ carrier: 'sip:carrier.test', outbound: { prefixes: ['+49'], maxCalls: 1, callsPerMinute: 2 } });
  });
  const create = (to: string): Promise<unknown> => world.live.create(world.accountSid, { to, from: '+15550100', url: 'http://app.test/voice', other: {} });

  it('is refused a number beyond its list with 21215, and nobody is called', async () => {
    await expect(create('+43123456')).rejects.toMatchObject({ code: 21215, status: 400 });
    await expect(create('sip:+881612345678@carrier.test')).rejects.toMatchObject({ code: 21215 });
    expect(world.sip.placed).toEqual([]);
  });

  it('is refused one call too many at once, and one too many in a minute', async () => {
    await create('+4930123456');
    await expect(create('+4930123457')).rejects.toMatchObject({ code: 10004, status: 429 });
    for (let n = 0; n < 2; n++) {
      await settle();
      await world.clock.advance(1000);
      await settle();
      world.sip.placed.at(-1)?.emit('ended', { cause: 'rejected', statusCode: 486 });
      await settle();
      if (n === 0) await create('+4930123457');
    }
    await expect(create('+4930123456')).rejects.toMatchObject({ code: 20429, status: 429 });
    await world.clock.advance(60_000);
    await expect(create('+4930123456')).resolves.toBeDefined();
  });

  it('hears in the debugger why a <Dial> called nobody', async () => {
    world.app.on('/voice', '<Response><Dial><Number>+881612345678</Number></Dial><Pause length="60"/></Response>');
    world.arrive();
    await settle();
    expect(world.sip.placed).toEqual([]);
    expect(world.calls.notifications).toContainEqual(expect.objectContaining({ errorCode: 13227, messageText: expect.stringContaining('PARTYLINE_OUTBOUND_PREFIXES') as string }));
  });

  it('reaches a carrier by none of its other names either', () => {
    const [trunk] = readTrunks(JSON.stringify({ trunks: [{ name: 'de', targets: [{ uri: 'sip:de.test' }], inbound: { networks: ['203.0.113.5', '10.0.0.0/8'] }, outbound: { proxy: 'sip:sbc.de.test;lr' } }] }), { accountSid, nowMs: 0 });
    world.trunks.describe(trunk ? [trunk] : []);
    const guard = new FraudGuard({ ...OPEN_POLICY, prefixes: ['+49'] }, () => world.trunks.all());
    const refused = (to: string): boolean => guard.mayDial({ accountSid, to }, 0) !== null;
    expect(['DE.test.', 'sbc.de.test', '203.0.113.5'].map((host) => refused(`sip:+43123456@${host}`))).toEqual([true, true, true]);
    expect(['sip:+43123456@10.0.0.5', 'sip:100@203.0.113.5', 'sip:alice@203.0.113.5', 'sip:+4930123456@203.0.113.5'].map(refused)).toEqual([false, false, false, false]);
  });

  it('is not kept from calling by a call whose trunk was taken away meanwhile', () => {
    const [trunk] = readTrunks(JSON.stringify({ trunks: [{ name: 'de', targets: [{ uri: 'sip:de.test' }] }] }), { accountSid, nowMs: 0 });
    world.trunks.describe(trunk ? [trunk] : []);
    const guard = new FraudGuard({ ...OPEN_POLICY, maxCalls: 1 }, () => world.trunks.all());
    const call = { accountSid, to: 'sip:+4930123456@de.test' };
    guard.begun(call, 0);
    expect(guard.mayDial({ accountSid, to: '+4930123456' }, 0)).not.toBeNull();
    world.trunks.describe([]);
    guard.ended(call);
    expect(guard.mayDial({ accountSid, to: '+4930123456' }, 0)).toBeNull();
  });

  it('is let call by the prefixes of its trunk where the server names none', () => {
    const [trunk] = readTrunks(JSON.stringify({ trunks: [{ name: 'de', targets: [{ uri: 'sip:de.test' }], outbound: { allowedPrefixes: ['+49', '+881'] } }] }), { accountSid: world.accountSid, nowMs: 0 });
    world.trunks.describe(trunk ? [trunk] : []);
    const [only = null] = world.trunks.all().filter(({ name }) => name === 'de');
    const guard = new FraudGuard(CLOSED_POLICY, () => world.trunks.all());
    const may = (to: string): boolean => guard.mayDial({ accountSid, to, trunk: only }, 0) === null;
    expect([may('+4930123456'), may('+881612345678'), may('+43123456')]).toEqual([true, true, false]);
    for (const prefixes of [[], ['+43']]) {
      const bounded = new FraudGuard({ ...CLOSED_POLICY, prefixes }, () => world.trunks.all());
      expect(['+4930123456', '+881612345678', '+43123456'].map((to) => bounded.mayDial({ accountSid, to, trunk: only }, 0) === null)).toEqual([false, false, false]);
    }
  });

  it('opens no prefix by a trunk of its own when it is a subaccount, nor a costly range, nor more of a carrier of the operator', () => {
    const entry = (name: string, uri: string, allowedPrefixes: string[]): object => ({ name, targets: [{ uri }], outbound: { allowedPrefixes } });
    const ofSubaccount = readTrunks(JSON.stringify({ trunks: [entry('theirs', 'sip:carrier.example', ['+1', '+1900', '+49'])] }), { accountSid, nowMs: 0 });
    const describe = (mine: object[]): void => world.trunks.describe([...ofSubaccount, ...readTrunks(JSON.stringify({ trunks: mine }), { accountSid: world.accountSid, nowMs: 0 })]);
    const may = (policy: OutboundPolicy, to: string): boolean => {
      const [trunk = null] = world.trunks.all().filter(({ name }) => name === 'theirs');
      return new FraudGuard(policy, () => world.trunks.all()).mayDial({ accountSid, to, trunk }, 0) === null;
    };
    describe([]);
    expect(['+15557000', '+19005551234'].map((to) => [CLOSED_POLICY, OPEN_POLICY].map((policy) => may(policy, to)))).toEqual([[false, true], [false, false]]);
    describe([entry('mine', 'sip:Carrier.example', ['+49'])]);
    expect(['+15557000', '+4930123456', 'sip:+15557000@carrier.example', 'sip:+4930123456@carrier.example'].map((to) => may(OPEN_POLICY, to))).toEqual([false, true, false, true]);
    expect(may(CLOSED_POLICY, 'sip:+4930123456@carrier.example')).toBe(true);
    expect(may(CLOSED_POLICY, '+4930123456')).toBe(false);
  });

  it('has a carrier called by no text that it might read as a number and we cannot', () => {
    world.trunks.describe(readTrunks(JSON.stringify({ trunks: [{ name: 'de', targets: [{ uri: 'sip:de.test' }] }] }), { accountSid: world.accountSid, nowMs: 0 }));
    const guard = new FraudGuard({ ...OPEN_POLICY, prefixes: ['+49'] }, () => world.trunks.all());
    const users = ['7%230043123456', '99*0043123456', '+43123456;phone-context=x', '%2B43123456', '0043-123456', 'tel%3A+43123456', 'alice', 'line-12', '+4930123456'];
    expect(users.filter((user) => guard.mayDial({ accountSid, to: `sip:${user}@de.test` }, 0) === null)).toEqual(['alice', 'line-12', '+4930123456']);
  });
});
