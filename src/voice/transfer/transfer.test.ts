import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import type { CallRecord } from '../model.ts';
import type { FakePhone } from '../../testing/fake-media.ts';
import { FakeIncomingCall, FakeRefer, type FakeOutgoingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070' });
  world.app.on('/after', '<Response><Pause length="600"/></Response>');
});

async function later(ms = 0): Promise<void> {
  await settle();
  await world.clock.advanceAsync(ms + 1);
  await settle();
}

const callee = (n = 0): FakeOutgoingCall => world.sip.placed[n] as FakeOutgoingCall;
const media = (n: number): FakePhone => world.media.phones[n] as FakePhone;
const records = (): CallRecord[] => [...world.calls.calls.values()];
const asked = (path: string): Record<string, string>[] => world.app.asked.filter((request) => request.path === path).map((request) => request.params);
const together = (...phones: number[]): boolean => media(phones[0] as number).room !== null && phones.every((n) => media(n).room === media(phones[0] as number).room);

/** A caller and the phone that its `<Dial>` called, talking. Phones 0 and 1. */
async function talking(attributes = ''): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response><Dial action="/after"><Number statusCallback="/status" ${attributes}>+15557001000</Number></Dial></Response>`);
  const caller = world.arrive();
  await later();
  callee().answers();
  await later();
  expect(together(0, 1)).toBe(true);
  return caller;
}

describe('a called phone that transfers its call', () => {
  it('to a number: the caller hears ringing, then goes on with the target, a new call of the same <Dial>', async () => {
    const caller = await talking();
    const refer = new FakeRefer('sip:+15557002000@127.0.0.1:5060');
    callee().emit('referReceived', refer);
    await later();
    expect(refer.said).toEqual([202]);
    expect([media(0).room, media(1).room]).toEqual([null, null]);
    expect(media(0).played.at(-1)?.source.kind).toBe('ringback');
    expect(callee(1).options).toMatchObject({ to: 'sip:+15557002000@10.0.0.9:5070', from: 'sip:+15557001@192.0.2.1' });
    expect(callee(1).options.headers).toContainEqual(['Referred-By', '<sip:boss@198.51.100.7>']);
    callee(1).answers();
    await later();
    expect(refer.said).toEqual([202, 200]);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(together(0, 2)).toBe(true);
    const [, first, second] = records();
    expect([first?.status, first?.terminationReason, second?.parentCallSid]).toEqual(['completed', 'transferred', records()[0]?.sid]);
    callee(1).emit('ended', { cause: 'remote-bye' });
    await later();
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DialCallSid: second?.sid }]);
    expect(world.told.filter(({ url }) => url.endsWith('/status')).map(({ params }) => params['CallSid'])).toEqual([first?.sid, second?.sid]);
    caller.remoteEnds('remote-bye');
    await later();
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('and hangs up at once: the caller is connected all the same', async () => {
    const caller = await talking();
    callee().emit('referReceived', new FakeRefer('tel:+15557002000'));
    callee().emit('ended', { cause: 'remote-bye' });
    await later();
    expect(caller.state).toBe('confirmed');
    callee(1).answers();
    await later();
    expect(together(0, 2)).toBe(true);
    caller.remoteEnds('remote-bye');
    await later();
    expect(callee(1).said.at(-1)).toBe('BYE');
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('in the moment of its answer, before they talk: its call is handed over, and the caller talks with the target', async () => {
    world.app.on('/voice', '<Response><Dial action="/after"><Number>+15557001000</Number></Dial></Response>');
    const caller = world.arrive();
    await later();
    callee().answers();
    const refer = new FakeRefer('tel:+15557002000');
    callee().emit('referReceived', refer);
    expect(refer.said).toEqual([202]);
    await later();
    const again = new FakeRefer('tel:+15557003000');
    callee().emit('referReceived', again);
    expect(again.said).toEqual([491]);
    callee(1).answers();
    await later();
    expect([refer.said.at(-1), callee().said.at(-1), together(0, 1)]).toEqual([200, 'BYE', true]);
    callee(1).emit('ended', { cause: 'remote-bye' });
    await later();
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed' }]);
    caller.remoteEnds('remote-bye');
    await later();
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('to somebody who is busy: both talk again, and it is told so', async () => {
    await talking();
    const refer = new FakeRefer('tel:+15557002000');
    callee().emit('referReceived', refer);
    await later();
    callee(1).refuses(486);
    await later();
    expect(refer.said).toEqual([202, 486]);
    expect(together(0, 1)).toBe(true);
  });

  it('as the time of its <Dial> runs out: nobody is called any more', async () => {
    world.app.on('/voice', '<Response><Dial action="/after" timeLimit="10"><Number>+15557001000</Number></Dial></Response>');
    world.arrive();
    await later();
    callee().answers();
    await later();
    const refer = new FakeRefer('tel:+15557002000');
    callee().emit('referReceived', refer);
    await later();
    expect(world.sip.placed).toHaveLength(2);
    await later(10_000);
    expect(callee(1).said.at(-1)).toBe('CANCEL');
    expect(refer.said.at(-1)).toBeGreaterThanOrEqual(300);
    expect(asked('/after')).toHaveLength(1);
  });

  it('to nobody, having hung up: the <Dial> is over', async () => {
    await talking();
    callee().emit('referReceived', new FakeRefer('tel:+15557002000'));
    callee().emit('ended', { cause: 'remote-bye' });
    await later();
    callee(1).refuses(480);
    await later();
    expect(asked('/after')).toHaveLength(1);
  });

  it('while another transfer of it is under way has to wait', async () => {
    await talking();
    callee().emit('referReceived', new FakeRefer('tel:+15557002000'));
    const second = new FakeRefer('tel:+15557003000');
    callee().emit('referReceived', second);
    await later();
    expect([second.said, world.sip.placed.length]).toEqual([[491], 2]);
  });

  it.each([
    ['sip:+15557002000@203.0.113.9', 403],
    ['sip:bob@203.0.113.9', 403],
    ['sip:bob@127.0.0.1', 403],
    ['tel:12', 403],
  ])('to %s is refused: nobody is called at an address of its own', async (target, statusCode) => {
    await talking();
    const refer = new FakeRefer(target);
    callee().emit('referReceived', refer);
    await later();
    expect([refer.said, world.sip.placed.length, together(0, 1)]).toEqual([[statusCode], 1, true]);
  });
});

describe('a caller that transfers its call', () => {
  it('connects the called phone with the target and is gone; these two talk until one hangs up', async () => {
    const caller = await talking();
    const refer = new FakeRefer('tel:+15557002000');
    caller.emit('referReceived', refer);
    await later();
    expect(media(1).played.at(-1)?.source.kind).toBe('ringback');
    callee(1).answers();
    await later();
    expect(refer.said).toEqual([202, 200]);
    expect(caller.said.at(-1)).toBe('BYE');
    expect(records()[0]).toMatchObject({ status: 'completed', terminationReason: 'transferred' });
    expect(asked('/after')).toEqual([]);
    expect(together(1, 2)).toBe(true);
    callee(1).emit('ended', { cause: 'remote-bye' });
    await later();
    expect(callee(0).said.at(-1)).toBe('BYE');
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('leaves those two what is left of the time of its <Dial>', async () => {
    world.app.on('/voice', '<Response><Dial timeLimit="100"><Number>+15557001000</Number></Dial></Response>');
    const caller = world.arrive();
    await later();
    callee().answers();
    await later(60_000);
    caller.emit('referReceived', new FakeRefer('tel:+15557002000'));
    await later();
    callee(1).answers();
    await later(38_000);
    expect(together(1, 2)).toBe(true);
    await later(2_500);
    expect([callee(0).said.at(-1), callee(1).said.at(-1), world.live.liveCount, world.clock.pending]).toEqual(['BYE', 'BYE', 0, 0]);
  });

  it('and hangs up before the target answers, as phones do', async () => {
    const caller = await talking();
    caller.emit('referReceived', new FakeRefer('tel:+15557002000'));
    await later();
    caller.remoteEnds('remote-bye');
    await later();
    expect(callee(0).state).toBe('confirmed');
    callee(1).answers();
    await later();
    expect(together(1, 2)).toBe(true);
    callee(0).emit('ended', { cause: 'remote-bye' });
    await later();
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('to nobody goes on as before, and when it left the called phone is let go', async () => {
    const caller = await talking();
    caller.emit('referReceived', new FakeRefer('tel:+15557002000'));
    await later();
    callee(1).refuses(404);
    await later();
    expect(together(0, 1)).toBe(true);
    caller.emit('referReceived', new FakeRefer('tel:+15557002000'));
    caller.remoteEnds('remote-bye');
    await later();
    callee(2).refuses(404);
    await later();
    expect(callee(0).said.at(-1)).toBe('BYE');
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('of a pair that a transfer made may be transferred again', async () => {
    const caller = await talking();
    caller.emit('referReceived', new FakeRefer('tel:+15557002000'));
    await later();
    callee(1).answers();
    await later();
    callee(0).emit('referReceived', new FakeRefer('tel:+15557003000'));
    await later();
    callee(2).answers();
    await later();
    expect(together(2, 3)).toBe(true);
    callee(2).emit('ended', { cause: 'remote-bye' });
    await later();
    expect(callee(1).said.at(-1)).toBe('BYE');
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });
});

describe('a transfer after asking', () => {
  const REPLACES = { callId: 'call-2', toTag: 'a', fromTag: 'b', earlyOnly: false };

  /** Two talks: phones 0 with 1, and 2 with 3; SIP calls have the Call-IDs that fakes have. */
  async function twoTalks(): Promise<[FakeIncomingCall, FakeIncomingCall]> {
    const first = await talking();
    const second = world.arrive();
    Object.assign(second, { callId: 'consulting' });
    await later();
    callee(1).answers();
    await later();
    expect([together(0, 1), together(2, 3), together(0, 2)]).toEqual([true, true, false]);
    return [first, second];
  }

  it('of a called phone that consulted by a call of its own joins the far sides', async () => {
    const [first, second] = await twoTalks();
    const refer = new FakeRefer('sip:x@192.0.2.1', { ...REPLACES, callId: 'consulting' });
    world.sip.replaced = second;
    callee(0).emit('referReceived', refer);
    await later();
    expect(refer.said).toEqual([202, 200]);
    expect(together(0, 3)).toBe(true);
    expect([callee(0).said.at(-1), second.said.at(-1)]).toEqual(['BYE', 'BYE']);
    first.remoteEnds('remote-bye');
    await later();
    expect(callee(1).said.at(-1)).toBe('BYE');
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('of a caller of both makes a pair of those it called', async () => {
    const [first, second] = await twoTalks();
    world.sip.replaced = second;
    first.emit('referReceived', new FakeRefer('sip:x@192.0.2.1', { ...REPLACES, callId: 'consulting' }));
    await later();
    expect(together(1, 3)).toBe(true);
    expect([first.said.at(-1), second.said.at(-1)]).toEqual(['BYE', 'BYE']);
    callee(1).emit('ended', { cause: 'remote-bye' });
    await later();
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('of a phone that was called by both joins their callers, each of which goes on with its document afterwards', async () => {
    const [first, second] = await twoTalks();
    Object.assign(callee(1), { callId: 'called twice' });
    world.sip.replaced = callee(1);
    callee(0).emit('referReceived', new FakeRefer('sip:x@192.0.2.1', { ...REPLACES, callId: 'called twice' }));
    await later();
    expect(together(0, 2)).toBe(true);
    expect([callee(0).said.at(-1), callee(1).said.at(-1)]).toEqual(['BYE', 'BYE']);
    first.remoteEnds('remote-bye');
    await later();
    expect(second.state).toBe('confirmed');
    expect(asked('/after')).toHaveLength(1);
    second.remoteEnds('remote-bye');
    await later();
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });
});

describe('a phone that comes with Replaces', () => {
  const HOST = 'office.sip.test';

  async function comes(replaced: FakeIncomingCall | FakeOutgoingCall, { host = HOST, source = '198.51.100.0' } = {}): Promise<FakeIncomingCall> {
    const stamps = { createdAtMs: 0, updatedAtMs: 0 };
    const { accountSid, sipDirectory } = world;
    const acl = { sid: newSid('AL'), accountSid, friendlyName: '', addresses: [{ sid: newSid('IP'), friendlyName: '', ipAddress: source, cidrPrefixLength: 24, ...stamps }], ...stamps };
    await sipDirectory.saveIpAcl(acl);
    await sipDirectory.saveDomain({
      ...{ sid: newSid('SD'), accountSid, domainName: HOST, friendlyName: '', sipRegistration: true, byocTrunkSid: null, ...stamps, callIpAcls: [{ sid: acl.sid, ...stamps }], callCredentialLists: [], registrationCredentialLists: [] },
      ...{ voiceUrl: 'http://app.test/domain', voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' },
    });
    const call = new FakeIncomingCall('', '192.0.2.1');
    Object.assign(call, { callId: 'replacing', replaces: replaced, from: { displayName: '', uri: `sip:carol@${host}`, user: 'carol', host } });
    world.arrive(call);
    await later();
    return call;
  }

  it('takes the place of a called phone, and talks with its caller', async () => {
    const caller = await talking();
    const carol = await comes(callee());
    expect(carol.said).toEqual(['180', '200']);
    expect(callee().said.at(-1)).toBe('BYE');
    expect(together(0, 2)).toBe(true);
    expect(asked('/domain')).toEqual([]);
    expect(records().at(-1)).toMatchObject({ direction: 'inbound', from: `sip:carol@${HOST}` });
    carol.remoteEnds('remote-bye');
    await later();
    expect(asked('/after')).toHaveLength(1);
    caller.remoteEnds('remote-bye');
    await later();
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('takes the place of the caller, whose document is over', async () => {
    const caller = await talking();
    const carol = await comes(caller);
    expect(caller.said.at(-1)).toBe('BYE');
    expect(together(1, 2)).toBe(true);
    callee().emit('ended', { cause: 'remote-bye' });
    await later();
    expect(carol.said.at(-1)).toBe('BYE');
    expect(asked('/after')).toEqual([]);
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it.each([
    ['of another domain', { host: 'else.example' }, '403'],
    ['from an address that its domain does not let in', { source: '203.0.113.0' }, '403'],
  ])('%s is refused', async (_, where, answer) => {
    await talking();
    expect((await comes(callee(), where)).said).toEqual([answer]);
    expect(together(0, 1)).toBe(true);
  });

  it('for a call that talks with nobody is refused', async () => {
    world.app.on('/voice', '<Response><Pause length="600"/></Response>');
    const caller = world.arrive();
    await later();
    expect((await comes(caller)).said).toEqual(['603']);
  });
});

it('without transfers nobody listens to a REFER, and Replaces is refused', async () => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', transfers: 'off' });
  world.app.on('/after', '<Response/>');
  await talking();
  expect(callee().listenerCount('referReceived')).toBe(1); // the leg's, which passes it on to nobody
  const refer = new FakeRefer('tel:+15557002000');
  callee().emit('referReceived', refer);
  await later();
  expect([refer.said, world.live.transfers]).toEqual([[], null]);
});

it('a phone that merely called in, or is called outside, has no number called unless the setting lets it', async () => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', transfers: 'users' });
  const caller = await talking();
  const [ofCaller, ofCallee] = [new FakeRefer('tel:+15557002000'), new FakeRefer('tel:+15557002000')];
  caller.emit('referReceived', ofCaller);
  callee().emit('referReceived', ofCallee);
  await later();
  expect([ofCaller.said, ofCallee.said]).toEqual([[403], [403]]);
  expect([world.sip.placed.length, together(0, 1)]).toEqual([1, true]);
});
