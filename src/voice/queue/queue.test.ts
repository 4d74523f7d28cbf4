import { beforeEach, describe, expect, it } from 'vitest';
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
    expect(told?.params).toMatchObject({ QueueResult: 'hangup', QueueTime: '4', CallStatus: 'completed' });
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
