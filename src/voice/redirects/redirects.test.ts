import { beforeEach, describe, expect, it } from 'vitest';
import type { NotificationRecord } from '../model.ts';
import { readTrunks } from '../carrier/trunks-file.ts';
import type { OutboundPolicy } from '../dial-plan/fraud-guard.ts';
import { FakeIncomingCall, type FakeOutgoingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';
import { contactsOf } from './contacts.ts';
import { Redirects, type RedirectsDeps } from './redirects.ts';

let world: FakeWorld;
let journal: string[];

function open(outbound?: OutboundPolicy): void {
  world = fakeWorld(outbound ? { outbound } : {});
  journal = [];
  const save = world.calls.saveNotification.bind(world.calls);
  world.calls.saveNotification = (record: NotificationRecord) => {
    journal.push(record.messageText);
    save(record);
  };
  world.trunks.describe(readTrunks(JSON.stringify({ trunks: [{ name: 'de', default: true, targets: [{ uri: 'sip:gw.test' }], outbound: { maxCalls: 1 } }] }), { accountSid: world.accountSid, nowMs: 0 }));
}
beforeEach(() => open());

async function dial(to: string): Promise<void> {
  await world.live.create(world.accountSid, { to, from: '+15550100', twiml: '<Response><Pause length="60"/></Response>', other: {} });
  await world.clock.advanceAsync(10);
  await settle();
}
const last = (): FakeOutgoingCall => world.sip.placed.at(-1) as FakeOutgoingCall;
const called = (): string[] => world.sip.placed.map(({ options }) => options.to);
async function redirect(contact: string, statusCode = 302): Promise<void> {
  last().answerHeaders = [['Contact', contact]];
  last().refuses(statusCode);
  await settle();
}

describe('a call that is redirected', () => {
  it('goes on to the host that was called, by the order of q, as one Call', async () => {
    await dial('sip:bob@198.51.100.8');
    await world.clock.advanceAsync(2000);
    last().answerHeaders = [
      ['Contact', '<sip:late@198.51.100.8>;q=0.1, "First" <sip:first@198.51.100.8:5070;transport=tcp?Subject=x>;q=0.9'],
      ['m', '<sip:middle@198.51.100.8>;q=0.5'],
    ];
    last().refuses(302);
    await settle();
    expect(last().options.to).toBe('sip:first@198.51.100.8:5070;transport=tcp');
    expect(last().options.ringTimeoutMs).toBeLessThanOrEqual((world.sip.placed[0]?.options.ringTimeoutMs ?? 0) - 2000);
    last().refuses(486);
    await settle();
    expect(last().options.to).toBe('sip:middle@198.51.100.8');
    last().answers();
    await settle();
    expect(world.record().status).toBe('in-progress');
    expect(world.calls.calls.size).toBe(1);
    last().emit('ended', { cause: 'unreachable' });
    await settle();
    expect(called()).toHaveLength(3);
    expect(world.record().status).toBe('completed');
    expect(journal).toEqual([]);
  });

  it.each([
    ['another host', '<sip:bob@203.0.113.9>', 302],
    ['the same address', '<SIP:bob@198.51.100.8>', 301],
    ['a host by maddr', '<sip:x@198.51.100.8;maddr=203.0.113.9>', 302],
    ['a number, without a trunk', '<tel:+4930123456>', 302],
    ['a page', '<http://198.51.100.8/>', 302],
    ['nobody', 'nonsense', 300],
    ['a proxy', '<sip:x@198.51.100.8>', 305],
    ['another service', '<sip:x@198.51.100.8>', 380],
  ])('to %s fails, and the debugger says why', async (_what, contact, statusCode) => {
    await dial('sip:bob@198.51.100.8');
    await redirect(contact, statusCode);
    expect(called()).toHaveLength(1);
    expect(world.record().status).toBe('failed');
    expect(journal).toHaveLength(1);
  });

  it('from an encrypted address is not led to a plain one', async () => {
    await dial('sip:bob@pbx.test;transport=tls');
    await redirect('<sip:carol@pbx.test>');
    expect(called()).toHaveLength(1);
    expect(journal[0]).toContain('encrypted');
  });

  it('again and again ends after five', async () => {
    await dial('sip:0@198.51.100.8');
    for (let n = 1; n <= 9; n++) if (last().state !== 'ended') await redirect(`<sip:${n}@198.51.100.8>`);
    expect(called()).toHaveLength(6);
    expect(journal).toEqual(['The call was not redirected to sip:6@198.51.100.8: a call is redirected 5 times at most']);
    expect(world.record().status).toBe('failed');
  });

  it('is not taken up again once it was called off, or declined everywhere', async () => {
    await dial('sip:bob@198.51.100.8');
    await redirect('<sip:a@198.51.100.8>;q=1, <sip:b@198.51.100.8>;q=0.5');
    last().refuses(603);
    await settle();
    expect(called()).toHaveLength(2);
    expect(world.record().status).toBe('busy');
  });
});

describe('a call to a number that is redirected', () => {
  it('leaves by the same trunk, within its limits', async () => {
    await dial('+4930111');
    expect(called()).toEqual(['sip:+4930111@gw.test']);
    await redirect('<sip:+4930222@gw.test:5080;transport=tcp>, <tel:+49-30-333>;q=0.3');
    expect(called().at(-1)).toBe('sip:+4930222@gw.test:5080;transport=tcp');
    last().refuses(404);
    await settle();
    expect(called().at(-1)).toBe('sip:+4930333@gw.test');
    expect(last().options.from).toBe(world.sip.placed[0]?.options.from);
    last().answers();
    await settle();
    expect(world.record()).toMatchObject({ status: 'in-progress', to: '+4930111' });
  });

  it.each([
    ['<sip:+4930222@elsewhere.test>', 'host of a target'],
    ['<sip:queue@gw.test>', 'no number'],
    ['<sip:+4990012345@gw.test>', 'premium'],
    ['<tel:+43123456>', 'PARTYLINE_OUTBOUND_PREFIXES'],
  ])('is not led to %s', async (contact, why) => {
    open({ prefixes: ['+49'], maxCalls: 1, callsPerMinute: 1 });
    await dial('+4930111');
    await redirect(contact);
    expect(called()).toHaveLength(1);
    expect(journal[0]).toContain(why);
    expect(world.record().status).toBe('failed');
  });

  it('does not count twice among the calls of its account', async () => {
    open({ prefixes: ['+49'], maxCalls: 1, callsPerMinute: 1 });
    await dial('+4930111');
    await redirect('<sip:+4930222@gw.test>');
    expect(called()).toHaveLength(2);
  });
});

it('a user of a SIP domain of the account is called at its phone, without the password of the first address', () => {
  const phone = { uri: 'sip:desk@192.168.1.7:5062', outboundProxy: 'sip:203.0.113.5:40000;transport=tcp' };
  const told: string[] = [];
  const deps: RedirectsDeps = {
    ...{ accountSid: world.accountSid, called: 'sip:bob@acme.test', route: null, sip: world.sip, carriers: world.carriers, clock: world.clock },
    registrations: { contactsAt: (_account, { user, domainName }) => (domainName === 'acme.test' ? (user === 'desk' ? [phone] : []) : null) },
    mayDial: () => null,
    journal: ({ message }) => told.push(message),
  };
  const redirects = new Redirects(deps, { to: 'sip:bob@192.168.1.6', from: 'sip:a@b.test', outboundProxy: 'sip:203.0.113.4', credentials: { username: 'u', password: 'p' } });
  const next = redirects.next({ cause: 'rejected', statusCode: 302 }, [['Contact', '<sip:gone@acme.test>, <sip:bob@acme.test>, <sip:desk@acme.test>']]);
  expect(next?.options).toMatchObject({ to: phone.uri, outboundProxy: phone.outboundProxy });
  expect(next?.options).not.toHaveProperty('credentials');
  expect(told).toEqual(['The call was not redirected to sip:gone@acme.test: no phone is registered there', 'The call was not redirected to sip:bob@acme.test: it was called already']);
});

it('Contacts that cannot be read are left out, and ten are enough', () => {
  expect(contactsOf([['Contact', '"unclosed <sip:a@b>'], ['CONTACT', 'sip:plain@b.test;q=0.2'], ['Contact', '<sip:c@d.test>;q=7']])).toEqual(['sip:c@d.test', 'sip:plain@b.test']);
  expect(contactsOf(Array.from({ length: 30 }, (_, n) => ['Contact', `<sip:${n}@b.test>`]))).toHaveLength(10);
});

describe('History-Info', () => {
  it.each([
    ['<sip:+15550177@c.test>;index=1, <sip:+15550188@c.test?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1, <sip:+15550100@us.test>;index=1.1.1;rc=1.1', '+15550188'],
    ['<sip:+15550100@us.test>;index=1.10, <sip:+15550188@c.test>;index=1.9, <sip:+15550177@c.test>;index=1', '+15550188'],
    ['<sip:+15550188@c.test>;index=1', '+15550188'],
    ['<sip:+15550100@c.test>;index=1, <sip:+15550100@us.test>;index=1.1;rc=1', null],
    ['<sip:+15550188@c.test?Privacy=history>;index=1, <sip:+15550100@us.test>;index=1.1', null],
    ['<sip:+15550188@c.test>, rubbish', null],
  ])('%s was forwarded from %s', async (value, expected) => {
    const phone = new FakeIncomingCall();
    phone.headers.push(['History-Info', value]);
    world.arrive(phone);
    await settle();
    expect(world.record().forwardedFrom).toBe(expected);
  });
});
