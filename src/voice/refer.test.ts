import { beforeEach, describe, expect, it } from 'vitest';
import type { FakeIncomingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld();
  world.app.on('/done', '<Response><Hangup/></Response>');
  world.app.on('/next', '<Response><Hangup/></Response>');
});

async function call(verbs: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${verbs}</Response>`);
  const phone = world.arrive();
  await settle();
  return phone;
}

const TO_BOB = '<Refer action="/done"><Sip>sip:bob@192.0.2.9?X-Account=1</Sip></Refer>';
const told = (): Record<string, string> => Object.fromEntries(Object.entries(world.app.asked[1]?.params ?? {}).filter(([name]) => /^(Refer|Notify)/.test(name)));

describe('<Refer>', () => {
  it('asks the phone to call, and its action hears how that went', async () => {
    const phone = await call(TO_BOB);
    expect(phone.said).toEqual(['180', '200', 'REFER']);
    expect(phone.referred?.to).toBe('sip:bob@192.0.2.9?X-Account=1');
    phone.referred?.watcher.answered(202);
    phone.referred?.watcher.notified({ statusCode: 180, final: false });
    await settle();
    expect(world.app.asked).toHaveLength(1);
    phone.referred?.watcher.notified({ statusCode: 200, final: true });
    await settle();
    expect(world.app.asked[1]).toMatchObject({ path: '/done', method: 'POST' });
    expect(told()).toEqual({ ReferCallStatus: 'in-progress', ReferSipResponseCode: '202', NotifySipResponseCode: '200' });
    expect(phone.said.at(-1)).toBe('BYE');
  });

  it.each([
    [486, 'busy'],
    [603, 'busy'],
    [480, 'no-answer'],
    [404, 'failed'],
  ])('a new call that ends with %i is %s', async (statusCode, status) => {
    const phone = await call(TO_BOB);
    phone.referred?.watcher.answered(202);
    phone.referred?.watcher.notified({ statusCode, final: true });
    await settle();
    expect(told()).toEqual({ ReferCallStatus: status, ReferSipResponseCode: '202', NotifySipResponseCode: String(statusCode) });
  });

  it('sends no carrier to a number that the account may not call, whatever host it is said to be at', async () => {
    const phone = await call('<Refer action="/done"><Sip>sip:+19005551234@anywhere.example</Sip></Refer><Hangup/>');
    expect(phone.said).not.toContain('REFER');
    expect(world.calls.notifications).toContainEqual(expect.objectContaining({ errorCode: 13802, messageText: expect.stringContaining('+1900') as string }));
  });

  it('a phone that cannot be referred has failed', async () => {
    const phone = await call(TO_BOB);
    phone.referred?.watcher.answered(405);
    await settle();
    expect(told()).toEqual({ ReferCallStatus: 'failed', ReferSipResponseCode: '405' });
  });

  it('a phone that tells nothing is waited for two minutes', async () => {
    const phone = await call(TO_BOB);
    phone.referred?.watcher.answered(202);
    world.clock.advance(120_000);
    await settle();
    expect(told()).toEqual({ ReferSipResponseCode: '202' });
  });

  it('without an action goes on with the next verb, or ends the call', async () => {
    const phone = await call('<Refer><Sip>sip:bob@192.0.2.9</Sip></Refer><Redirect>/next</Redirect>');
    phone.referred?.watcher.answered(405);
    await settle();
    expect(world.app.asked[1]?.path).toBe('/next');
    world = fakeWorld();
    const last = await call('<Refer><Sip>sip:bob@192.0.2.9</Sip></Refer>');
    last.referred?.watcher.answered(202);
    last.referred?.watcher.notified({ statusCode: 200, final: true });
    await settle();
    expect(last.said.at(-1)).toBe('BYE');
    expect(world.record().status).toBe('completed');
  });

  it.each(['<Refer action="/done"/>', '<Refer action="/done"><Sip>tel:+1555</Sip></Refer>', '<Refer action="/done"><Sip>sip:a b</Sip></Refer>'])('%s is skipped with 13802', async (verb) => {
    await call(`${verb}<Redirect>/next</Redirect>`);
    expect(world.app.asked[1]?.path).toBe('/next');
    expect(world.calls.notifications.map(({ errorCode, log }) => [errorCode, log])).toContainEqual([13802, 0]);
  });

  it('tells its action when the phone hangs up first', async () => {
    const phone = await call(TO_BOB);
    phone.referred?.watcher.answered(202);
    phone.referred?.watcher.notified({ statusCode: 180, final: false });
    phone.remoteEnds('remote-bye');
    await settle();
    expect(world.app.asked).toHaveLength(1);
    expect(world.told.find(({ url }) => url === 'http://app.test/done')?.params).toMatchObject({ ReferCallStatus: 'canceled', SipCallId: 'call-1', ReferSipResponseCode: '202', NotifySipResponseCode: '180', CallStatus: 'completed' });
    expect(world.record().status).toBe('completed');
  });

  it('is not for calls to phone numbers', async () => {
    world = fakeWorld({ carrier: 'sip:carrier.test' });
    const created = await world.live.create(world.accountSid, { to: '+15550999', from: '+15550100', twiml: '<Response><Refer><Sip>sip:bob@192.0.2.9</Sip></Refer></Response>', other: {} });
    world.clock.advance(1);
    await settle();
    world.sip.placed[0]?.answers();
    await settle();
    expect(world.sip.placed[0]?.said).toEqual(['INVITE', 'BYE']);
    expect(world.calls.notifications).toMatchObject([{ callSid: created.sid, errorCode: 13801 }]);
  });

  it('a phone that hangs up with the news told how it went all the same', async () => {
    const phone = await call(TO_BOB);
    phone.referred?.watcher.answered(202);
    phone.referred?.watcher.notified({ statusCode: 200, final: true });
    phone.remoteEnds('remote-bye');
    await settle();
    expect(world.told.find(({ url }) => url === 'http://app.test/done')?.params).toMatchObject({ ReferCallStatus: 'in-progress', NotifySipResponseCode: '200', CallStatus: 'completed' });
  });

  it('a phone that hangs up while the action is asked does not take that back', async () => {
    const phone = await call(TO_BOB);
    world.app.pages.set('/done', 'never');
    phone.referred?.watcher.answered(202);
    phone.referred?.watcher.notified({ statusCode: 200, final: true });
    await settle();
    phone.remoteEnds('remote-bye');
    await settle();
    expect(world.record().status).toBe('completed');
    expect(told()).toMatchObject({ ReferCallStatus: 'in-progress', NotifySipResponseCode: '200' });
    expect(world.app.asked[1]?.signal?.aborted).toBe(false);
    // Once, not a second time as news of a call that is over.
    expect(world.told.filter(({ url }) => url === 'http://app.test/done')).toEqual([]);
  });
});
