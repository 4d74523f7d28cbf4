import { beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../model.ts';
import type { FakePhone } from '../../testing/fake-media.ts';
import { FakeIncomingCall, FakeRefer, sdpBody, type FakeOutgoingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070' });
  world.rooms.names.add('daily');
  world.app.on('/voice', '<Response><Connect action="/after"><Room participantIdentity="desk">daily</Room></Connect></Response>');
  world.app.on('/after', '<Response><Pause length="600"/></Response>');
});

async function later(ms = 0): Promise<void> {
  await settle();
  await world.clock.advanceAsync(ms + 1);
  await settle();
}

const target = (n = 0): FakeOutgoingCall => world.sip.placed[n] as FakeOutgoingCall;
const phone = (): FakePhone => world.media.phones[0] as FakePhone;
const records = (): CallRecord[] => [...world.calls.calls.values()];
const ANSWER = sdpBody(['v=0', 'o=- 1 1 IN IP4 198.51.100.8', 's=-', 'c=IN IP4 198.51.100.8', 't=0 0', 'm=audio 4100 RTP/AVP 8 101', 'a=rtpmap:101 telephone-event/8000', ''].join('\r\n'));

async function inRoom(): Promise<FakeIncomingCall> {
  const caller = world.arrive();
  await later();
  expect(caller.said).toEqual(['180', '200']);
  return caller;
}

async function refers(from: FakeIncomingCall | FakeOutgoingCall, to = 'tel:+15557002000'): Promise<FakeRefer> {
  const refer = new FakeRefer(to);
  (from as FakeIncomingCall).emit('referReceived', refer);
  await later();
  return refer;
}

describe('a phone in a room hands its call over', () => {
  it('the target has its media and its place, the phone is let go, the document goes on', async () => {
    const caller = await inRoom();
    const refer = await refers(caller);
    expect(refer.said).toEqual([202]);
    expect(target().options).toMatchObject({ to: 'sip:+15557002000@10.0.0.9:5070', from: 'sip:+15557001@192.0.2.1' });
    expect(target().options.headers).toContainEqual(['Referred-By', '<sip:boss@198.51.100.7>']);
    expect(Buffer.from(target().options.body).toString()).toContain(`m=audio ${phone().localPort} `);
    target().soundsEarly();
    await later();
    expect(phone().remotes.map(({ address }) => address)).toEqual(['198.51.100.7']);
    target().answers(ANSWER);
    await later();
    expect(refer.said.slice(0, 2)).toEqual([202, 200]);
    expect(caller.said.at(-1)).toBe('BYE');
    expect(phone().remotes.at(-1)).toMatchObject({ address: '198.51.100.8', port: 4100, codec: 'PCMA', anotherPhone: true });
    expect([records().length, records()[0]?.status, world.rooms.stays.length, phone().closed]).toEqual([1, 'in-progress', 1, false]);
    expect(world.app.asked.map(({ path }) => path)).toEqual(['/voice']);
    target().emit('ended', { cause: 'remote-bye' });
    await later();
    expect(records()[0]).toMatchObject({ status: 'completed', terminationReason: 'hung-up' });
    expect([phone().closed, world.live.liveCount, world.clock.pending]).toEqual([true, 0, 0]);
    expect(world.told.map(({ params }) => params['CallStatus'])).toEqual(['completed']);
  });

  it('hangs up at once: silence until the target answers', async () => {
    const caller = await inRoom();
    await refers(caller);
    caller.remoteEnds('remote-bye');
    await later();
    expect(phone().remotes.at(-1)).toMatchObject({ send: false, receive: false });
    expect(records()[0]?.status).toBe('in-progress');
    target().answers(ANSWER);
    await later();
    expect(phone().remotes.at(-1)).toMatchObject({ address: '198.51.100.8', send: true, receive: true });
    expect(records()[0]?.status).toBe('in-progress');
  });

  it('hangs up while the target is being connected: the target is heard', async () => {
    const caller = await inRoom();
    await refers(caller);
    let connected = (): void => undefined;
    const { connect } = phone();
    phone().connect = (remote) => connect.call(phone(), remote).then(() => (remote.anotherPhone ? new Promise((resolve) => (connected = resolve)) : undefined));
    target().answers(ANSWER);
    await later();
    caller.remoteEnds('remote-bye');
    connected();
    await later();
    expect(phone().remotes.at(-1)).toMatchObject({ address: '198.51.100.8', send: true, receive: true });
    expect(records()[0]?.status).toBe('in-progress');
  });

  it('to nobody: it is told so, and stays where it is; having hung up, the call is over', async () => {
    const caller = await inRoom();
    const first = await refers(caller);
    target().refuses(486);
    await later();
    expect([first.said, caller.state, phone().remotes.length]).toEqual([[202, 486], 'confirmed', 1]);
    await refers(caller);
    caller.remoteEnds('remote-bye');
    await later();
    target(1).fails('ring-timeout');
    await later();
    expect(records()[0]).toMatchObject({ status: 'completed', terminationReason: 'hung-up' });
    expect([world.live.liveCount, world.clock.pending]).toEqual([0, 0]);
  });

  it('to somebody whose answer cannot be used: both sides are told', async () => {
    const caller = await inRoom();
    const refer = await refers(caller);
    target().answers(sdpBody('v=0\r\no=- 1 1 IN IP4 198.51.100.8\r\ns=-\r\nc=IN IP4 198.51.100.8\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n'));
    await later();
    expect([target().said.at(-1), refer.said.at(-1), caller.state]).toEqual(['BYE', 480, 'confirmed']);
  });

  it('and is ended over REST meanwhile: nobody is called any more', async () => {
    const caller = await inRoom();
    await refers(caller);
    await world.live.update(world.accountSid, records()[0]?.sid as CallRecord['sid'], { status: 'completed' });
    await later();
    expect([target().said.at(-1), caller.said.at(-1), world.live.liveCount, world.clock.pending]).toEqual(['CANCEL', 'BYE', 0, 0]);
  });

  it('twice at once has to wait; one after the other it goes on, from phone to phone', async () => {
    const caller = await inRoom();
    await refers(caller);
    expect((await refers(caller)).said).toEqual([491]);
    target().answers(ANSWER);
    await later();
    const again = await refers(target(), 'tel:+15557003000');
    target(1).answers();
    await later();
    expect([again.said.slice(0, 2), target().said.at(-1), records()[0]?.status]).toEqual([[202, 200], 'BYE', 'in-progress']);
    expect(phone().remotes.at(-1)).toMatchObject({ address: '198.51.100.7', port: 4000 });
  });

  it('to an address of its own choice is refused', async () => {
    expect((await refers(await inRoom(), 'sip:bob@203.0.113.9')).said).toEqual([403]);
  });
});

it('a phone in <Gather> hands over: keys of the other one count', async () => {
  world.app.on('/voice', '<Response><Gather action="/pressed" numDigits="1"><Pause length="60"/></Gather></Response>');
  world.app.on('/pressed', '<Response><Pause length="600"/></Response>');
  const caller = await inRoom();
  await refers(caller);
  // Keys by INFO of who is called only are nobody's.
  target().emit('infoReceived', { contentType: 'application/dtmf-relay', bytes: Buffer.from('Signal=3\r\nDuration=100\r\n') });
  target().answers(ANSWER);
  await later();
  caller.emit('infoReceived', { contentType: 'application/dtmf-relay', bytes: Buffer.from('Signal=4\r\nDuration=100\r\n') });
  await later();
  expect(world.app.asked.filter(({ path }) => path === '/pressed')).toEqual([]);
  target().emit('infoReceived', { contentType: 'application/dtmf-relay', bytes: Buffer.from('Signal=5\r\nDuration=100\r\n') });
  await later();
  expect(world.app.asked.at(-1)).toMatchObject({ path: '/pressed', params: { Digits: '5' } });
});

it('the target of a transfer counts among the calls to numbers that stand', async () => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', outbound: { prefixes: 'all', maxCalls: 1, callsPerMinute: null } });
  world.app.on('/voice', '<Response><Say>Hello</Say><Pause length="600"/></Response>');
  const caller = await inRoom();
  expect((await refers(caller)).said).toEqual([202]);
  target().refuses(486);
  await later();
  await refers(caller);
  target(1).answers(ANSWER);
  await later();
  expect((await refers(target(1), 'tel:+15557003000')).said).toEqual([403]);
  target(1).emit('ended', { cause: 'remote-bye' });
  await later();
  expect(world.live.mayDial({ accountSid: world.accountSid, to: '+15557003000' })).toBeNull();
});

describe('a phone in a room that consulted by a second call', () => {
  const REPLACES = { callId: 'consulting', toTag: 'a', fromTag: 'b', earlyOnly: false };

  /** In the room, and talking with a number that its second call's `<Dial>` called. */
  async function consulting(): Promise<{ first: FakeIncomingCall; second: FakeIncomingCall }> {
    const first = await inRoom();
    world.app.on('/voice', '<Response><Dial action="/after"><Number>+15557001000</Number></Dial></Response>');
    const second = world.arrive(Object.assign(new FakeIncomingCall(), { callId: 'consulting' }));
    await later();
    target().answers();
    await later();
    world.sip.replaced = second;
    return { first, second };
  }

  async function attends(first: FakeIncomingCall): Promise<FakeRefer> {
    const refer = new FakeRefer('sip:x@192.0.2.1', REPLACES);
    first.emit('referReceived', refer);
    await later();
    return refer;
  }

  it('hands over to whom it talks with there: the same dialog, the media and the place of the room', async () => {
    const { first, second } = await consulting();
    const refer = await attends(first);
    expect([refer.said, second.said.at(-1), target().said.at(-1), first.state]).toEqual([[202], 'BYE', 're-INVITE', 'confirmed']);
    expect(Buffer.from(target().reoffered?.offer.bytes ?? []).toString()).toContain(`m=audio ${phone().localPort} `);
    target().reoffered?.answered(200, ANSWER);
    await later();
    expect([refer.said[1], first.said.at(-1), target().state]).toEqual([200, 'BYE', 'confirmed']);
    expect(phone().remotes.at(-1)).toMatchObject({ address: '198.51.100.8', port: 4100, anotherPhone: true });
    expect(records().map(({ status, terminationReason }) => [status, terminationReason])).toEqual([['in-progress', null], ['completed', 'transferred'], ['completed', 'transferred']]);
    expect(world.media.phones.map(({ closed }) => closed)).toEqual([false, true, true]);
    expect(world.rooms.stays).toHaveLength(1);
    target().emit('ended', { cause: 'remote-bye' });
    await later();
    expect([records()[0]?.status, world.live.liveCount, world.clock.pending]).toEqual(['completed', 0, 0]);
  });

  it('to a number that took the call over from a user: it has no numbers called there either', async () => {
    world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', transfers: 'users', outbound: { prefixes: 'all', maxCalls: 2, callsPerMinute: null } });
    world.registered.set('alice', [{ uri: 'sip:alice@198.51.100.9', outboundProxy: 'sip:198.51.100.9' }]);
    world.app.on('/voice', '<Response><Say>Hello</Say><Pause length="600"/></Response>');
    const first = await inRoom();
    world.app.on('/voice', '<Response><Dial><Client url="/whisper">alice</Client></Dial></Response>');
    world.app.on('/whisper', '<Response><Pause length="5"/></Response>');
    const second = world.arrive(Object.assign(new FakeIncomingCall(), { callId: 'consulting' }));
    await later();
    target().answers();
    await later();
    await refers(target());
    target(1).answers();
    await later(6000);
    world.sip.replaced = second;
    await attends(first);
    target(1).reoffered?.answered(200, ANSWER);
    await later();
    expect(phone().remotes.at(-1)).toMatchObject({ address: '198.51.100.8', anotherPhone: true });
    expect((await refers(target(1), 'tel:+15557003000')).said).toEqual([403]);
    expect(world.live.mayDial({ accountSid: world.accountSid, to: '+15557003000' })).toBeNull();
  });

  it('to somebody who refuses to move: it stays in the room, the other call is over', async () => {
    const { first } = await consulting();
    const refer = await attends(first);
    target().reoffered?.answered(488, null);
    await later();
    expect([refer.said, target().said.at(-1), first.state, phone().closed, world.live.liveCount]).toEqual([[202, 488], 'BYE', 'confirmed', false, 1]);
  });

  it('and hangs up meanwhile, or is hung up on by the target: nothing is left', async () => {
    const { first } = await consulting();
    await attends(first);
    first.remoteEnds('remote-bye');
    target().emit('ended', { cause: 'remote-bye' });
    await later();
    expect([records()[0]?.status, world.live.liveCount, world.clock.pending]).toEqual(['completed', 0, 0]);
  });

  it('is ended over REST meanwhile: the target is hung up on', async () => {
    const { first } = await consulting();
    await attends(first);
    await world.live.update(world.accountSid, records()[0]?.sid as CallRecord['sid'], { status: 'completed' });
    await later();
    expect([target().said.at(-1), world.live.liveCount, world.clock.pending]).toEqual(['BYE', 0, 0]);
  });

  it('with a room too: refused', async () => {
    const first = await inRoom();
    const second = world.arrive(Object.assign(new FakeIncomingCall(), { callId: 'consulting' }));
    await later();
    world.sip.replaced = second;
    expect([(await attends(first)).said, second.state]).toEqual([[603], 'confirmed']);
  });
});

/** A call to a user whose phone handed it over to a number. */
async function tookOverFromUser(): Promise<void> {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', transfers: 'users' });
  world.registered.set('alice', [{ uri: 'sip:alice@198.51.100.9', outboundProxy: 'sip:198.51.100.9' }]);
  world.app.on('/voice', '<Response><Say>Hello</Say><Pause length="600"/></Response>');
  await world.live.create(world.accountSid, { to: 'client:alice', from: '+15550100', url: 'http://app.test/voice', other: {} });
  await later();
  target().answers();
  await later();
  expect((await refers(target())).said).toEqual([202]);
  target(1).answers(ANSWER);
  await later();
}

describe('an outside number that took over a call of a user', () => {
  it('has no numbers called', async () => {
    await tookOverFromUser();
    expect((await refers(target(1), 'tel:+15557003000')).said).toEqual([403]);
  });

  it('nor when it talks in a <Dial>', async () => {
    await tookOverFromUser();
    await world.live.update(world.accountSid, records()[0]?.sid as CallRecord['sid'], { twiml: '<Response><Dial><Number>+15557004000</Number></Dial></Response>' });
    await later();
    target(2).answers();
    await later();
    expect(phone().room).not.toBeNull();
    expect((await refers(target(1), 'tel:+15557003000')).said).toEqual([403]);
  });

  it('is not asked by <Refer> to call anybody: that is for SIP calls', async () => {
    await tookOverFromUser();
    await world.live.update(world.accountSid, records()[0]?.sid as CallRecord['sid'], { twiml: '<Response><Refer><Sip>sip:+19005550100@203.0.113.9</Sip></Refer></Response>' });
    await later();
    expect(world.calls.notifications).toMatchObject([{ errorCode: 13801 }]);
  });
});

it('where phones may not transfer nobody takes the REFER', async () => {
  world = fakeWorld({ transfers: 'off' });
  world.app.on('/voice', '<Response><Say>Hello</Say><Pause length="600"/></Response>');
  const caller = await inRoom();
  expect((await refers(caller)).said).toEqual([]);
});
