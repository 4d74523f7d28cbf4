import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MediaError } from '../../media/protocol.ts';
import type { FakePhone } from '../../testing/fake-media.ts';
import type { FakeIncomingCall } from '../testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from '../testing/fake-world.ts';

let world: FakeWorld;
beforeEach(() => {
  world = fakeWorld();
  world.app.on('/next', '<Response><Pause length="600"/></Response>');
  world.app.on('/after', '<Response><Pause length="600"/></Response>');
});

async function call(verbs: string): Promise<FakeIncomingCall> {
  world.app.on('/voice', `<Response>${verbs}<Redirect>/next</Redirect></Response>`);
  const phone = world.arrive();
  await settle();
  return phone;
}

const asked = (path: string): Record<string, string>[] => world.app.asked.filter((request) => request.path === path).map((request) => request.params);
const media = (n: number): FakePhone => world.media.phones[n] as FakePhone;
const codes = (): number[] => world.calls.notifications.map((notification) => notification.errorCode);
const queueNames = (): string[] => world.gatherings.queues.of(world.accountSid).map(({ record }) => record.friendlyName);

describe('<Enqueue>', () => {
  it('waits with music in a queue made on demand', async () => {
    await call('<Enqueue>support</Enqueue>');
    expect(queueNames()).toEqual(['support']);
    expect(media(0).played).toEqual([{ source: { kind: 'file', path: '/hold-music.wav', contentType: 'audio/wav' }, loops: 0 }]);
    expect(asked('/next')).toEqual([]);
  });

  it('runs the waiting document again and again, and tells it where the call stands', async () => {
    world.app.on('/wait', '<Response><Pause length="10"/><Dial>123</Dial></Response>');
    await call('<Enqueue waitUrl="/wait">support</Enqueue>');
    world.clock.advance(10_000);
    await settle();
    const requests = asked('/wait');
    expect(requests).toHaveLength(2);
    expect(requests[0]).toMatchObject({ QueuePosition: '1', QueueTime: '0', CurrentQueueSize: '1', MaxQueueSize: '1000', AvgQueueTime: '0', CallStatus: 'in-progress' });
    expect(requests[1]).toMatchObject({ QueueTime: '10', AvgQueueTime: '10' });
    expect(codes()).toContain(12200);
  });

  it('leaves by <Leave>, and the action goes on', async () => {
    world.app.on('/wait', '<Response><Leave/></Response>');
    await call('<Enqueue waitUrl="/wait" action="/after">support</Enqueue>');
    expect(asked('/after')).toMatchObject([{ QueueResult: 'leave', QueueTime: '0' }]);
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toEqual([]);
  });

  it('without an action the next verb runs', async () => {
    world.app.on('/wait', '<Response><Leave/></Response>');
    await call('<Enqueue waitUrl="/wait">support</Enqueue>');
    expect(asked('/next')).toHaveLength(1);
  });

  it('a full queue says so', async () => {
    await call('<Enqueue maxQueueSize="1">support</Enqueue>');
    await call('<Enqueue maxQueueSize="1" action="/after">support</Enqueue>');
    expect(asked('/after')).toMatchObject([{ QueueResult: 'queue-full' }]);
    expect(codes()).toEqual([14207]);
  });

  it.each([['', 14204], ['x'.repeat(65), 14205]])('a name that is none is an error of its own', async (name, code) => {
    await call(`<Enqueue action="/after">${name}</Enqueue>`);
    expect(codes()).toEqual([code]);
    expect(asked('/after')).toMatchObject([{ QueueResult: 'error' }]);
  });

  it('a caller who hangs up leaves the queue, and the action is told', async () => {
    const phone = await call('<Enqueue action="/after">support</Enqueue>');
    world.clock.advance(4000);
    phone.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toEqual([]);
    const told = world.told.find(({ url }) => url === 'http://app.test/after');
    expect(told?.params).toMatchObject({ QueueResult: 'hangup', SipCallId: 'call-1', QueueTime: '4', CallStatus: 'completed' });
    expect(asked('/after')).toEqual([]);
  });

  it('a call that REST sends elsewhere was redirected', async () => {
    await call('<Enqueue action="/after">support</Enqueue>');
    await world.live.update(world.accountSid, world.record().sid, { url: 'http://app.test/next' });
    await settle();
    expect(world.told.find(({ url }) => url === 'http://app.test/after')?.params).toMatchObject({ QueueResult: 'redirected', CallStatus: 'in-progress' });
    expect(asked('/next')).toHaveLength(1);
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toEqual([]);
  });

  it('<Hangup> in the waiting document ends the call', async () => {
    world.app.on('/wait', '<Response><Hangup/></Response>');
    await call('<Enqueue waitUrl="/wait">support</Enqueue>');
    expect(world.record().status).toBe('completed');
  });
});

describe('<Dial><Queue>', () => {
  const dial = (attributes = '', dialAttributes = 'action="/after"'): Promise<FakeIncomingCall> => call(`<Dial ${dialAttributes}><Queue ${attributes}>support</Queue></Dial>`);

  it('connects with the head, and both actions are told how it was', async () => {
    await call('<Enqueue action="/queued">support</Enqueue>');
    world.app.on('/queued', '<Response><Pause length="600"/></Response>');
    const queued = world.record().sid;
    world.clock.advance(7000);
    const agent = await dial();
    expect(media(0).room).toBe(world.media.rooms[0]);
    expect(media(1).room).toBe(world.media.rooms[0]);
    world.clock.advance(3000);
    agent.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(asked('/queued')).toMatchObject([{ QueueResult: 'bridged', QueueTime: '7', CallSid: queued }]);
    expect(media(0).room).toBeNull();
    expect(world.media.rooms[0]?.closed).toBe(1);
  });

  it('goes on with its action when the caller hangs up', async () => {
    const caller = await call('<Enqueue>support</Enqueue>');
    const queued = world.record().sid;
    await dial();
    world.clock.advance(5000);
    caller.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'completed', DequeueResult: 'bridged', DequeuedCallSid: queued, DequeuedCallQueueTime: '0', DequeuedCallDuration: '5' }]);
  });

  it('whispers to the caller before', async () => {
    world.app.on('/whisper', '<Response><Say>You are next</Say><Dial>1</Dial></Response>');
    await call('<Enqueue>support</Enqueue>');
    const queued = world.record().sid;
    await dial('url="/whisper"');
    expect(asked('/whisper')).toMatchObject([{ CallSid: queued, QueueTime: '0', DequeingCallSid: world.record().sid }]);
    expect(world.spoken).toEqual(['You are next']);
    expect(media(0).room).toBe(world.media.rooms[0]);
  });

  it('rings until somebody comes', async () => {
    world.gatherings.queues.create(world.accountSid, { friendlyName: 'support' });
    await dial();
    expect(media(0).played).toEqual([{ source: { kind: 'ringback' }, loops: 0 }]);
    await call('<Enqueue>support</Enqueue>');
    expect(media(1).room).toBe(world.media.rooms[0]);
  });

  it('gives up after the time-out', async () => {
    world.gatherings.queues.create(world.accountSid, { friendlyName: 'support' });
    await dial();
    world.clock.advance(30_000);
    await settle();
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'no-answer', DequeueResult: 'queue-empty' }]);
    await call('<Enqueue>support</Enqueue>');
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toHaveLength(1);
  });

  it('without such a queue it fails', async () => {
    await dial();
    expect(codes()).toEqual([14214]);
    expect(asked('/after')).toMatchObject([{ DialCallStatus: 'failed', DequeueResult: 'queue-not-found' }]);
  });

  it('a caller who was taken by one that left waits on at the head', async () => {
    world.app.on('/whisper', '<Response><Pause length="20"/></Response>');
    await call('<Enqueue>support</Enqueue>');
    const agent = await dial('url="/whisper"');
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toHaveLength(0);
    agent.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toHaveLength(1);
    expect(media(0).played.filter(({ source }) => source.kind === 'file')).toHaveLength(2);
  });

  it('a queue that REST deleted meanwhile is an error to who comes back', async () => {
    world.app.on('/whisper', '<Response><Pause length="20"/></Response>');
    world.app.on('/queued', '<Response><Pause length="600"/></Response>');
    await call('<Enqueue action="/queued">support</Enqueue>');
    const agent = await dial('url="/whisper"');
    const [queue] = world.gatherings.queues.of(world.accountSid);
    if (queue) world.gatherings.queues.delete(queue);
    agent.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(asked('/queued')).toMatchObject([{ QueueResult: 'error' }]);
  });

  it('takes the next when the head hangs up meanwhile', async () => {
    world.app.on('/whisper', '<Response><Pause length="5"/></Response>');
    const first = await call('<Enqueue>support</Enqueue>');
    await call('<Enqueue>support</Enqueue>');
    await dial('url="/whisper"');
    first.emit('ended', { cause: 'remote-bye' });
    await settle();
    world.clock.advance(5000);
    await settle();
    expect(media(1).room).toBe(world.media.rooms[0]);
  });

  it('a caller who hangs up while it is whispered to was not bridged', async () => {
    world.app.on('/whisper', '<Response><Pause length="20"/></Response>');
    const caller = await call('<Enqueue action="/queued">support</Enqueue>');
    await dial('url="/whisper"');
    caller.emit('ended', { cause: 'remote-bye' });
    await settle();
    expect(world.told.filter(({ url }) => url === 'http://app.test/queued')).toMatchObject([{ params: { QueueResult: 'hangup' } }]);
  });

  it('counts timeLimit from the moment the two talk', async () => {
    world.app.on('/whisper', '<Response><Pause length="20"/></Response>');
    await call('<Enqueue>support</Enqueue>');
    await dial('url="/whisper"', 'action="/after" timeLimit="10"');
    await world.clock.advanceAsync(20_000);
    await settle();
    expect(media(0).room).not.toBeNull();
    await world.clock.advanceAsync(10_000);
    await settle();
    expect(asked('/after')).toMatchObject([{ DequeueResult: 'bridged', DequeuedCallDuration: '10' }]);
  });

  it('a caller who left while the dialler still heard ringing is not taken', async () => {
    world.app.on('/wait', '<Response><Pause length="600"/></Response>');
    world.gatherings.queues.create(world.accountSid, { friendlyName: 'support' });
    await dial();
    let silence: () => void = () => undefined;
    // What the dialler hears takes its time to stop.
    const agent = media(0);
    agent.playsOn = true;
    await world.clock.advanceAsync(31_000);
    await settle();
    vi.spyOn(agent, 'play').mockReturnValue(new Promise((resolve) => (silence = () => resolve('stopped'))));
    await world.live.update(world.accountSid, world.record().sid, { twiml: '<Response><Dial><Queue>support</Queue></Dial></Response>' });
    await settle();
    world.app.on('/wait', '<Response><Pause length="1"/><Leave/></Response>');
    await call('<Enqueue waitUrl="/wait">support</Enqueue>');
    await world.clock.advanceAsync(1000);
    await settle();
    expect(asked('/next').length).toBeGreaterThan(0);
    silence();
    await settle();
    expect(media(1).room).toBeNull();
    expect(world.media.rooms).toEqual([]);
  });

  it('whoever hung up as the two were brought together is the one who left', async () => {
    await call('<Enqueue>support</Enqueue>');
    await call('<Enqueue>support</Enqueue>');
    world.app.on('/voice', '<Response><Dial><Queue>support</Queue></Dial></Response>');
    const agent = world.arrive();
    const first = media(0);
    vi.spyOn(first, 'joinRoom').mockImplementation(() => {
      agent.remoteEnds('remote-bye');
      return Promise.reject(new MediaError('closed', 'gone'));
    });
    await settle();
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting.map(({ phone }) => phone)).toEqual([first, media(1)]);
  });

  it('is not overfilled by those who are answered at the same time', async () => {
    world.app.on('/voice', '<Response><Enqueue maxQueueSize="1" action="/after">support</Enqueue></Response>');
    world.arrive();
    world.arrive();
    await settle();
    expect(world.gatherings.queues.byName(world.accountSid, 'support')?.waiting).toHaveLength(1);
    expect(asked('/after')).toMatchObject([{ QueueResult: 'queue-full' }]);
  });
});
