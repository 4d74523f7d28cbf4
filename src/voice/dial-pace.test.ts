import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import { DialPace } from './dial-pace.ts';
import { fakeWorld, type FakeWorld } from './testing/fake-world.ts';

describe('the pace of REST calls', () => {
  let world: FakeWorld;
  beforeEach(() => {
    world = fakeWorld({ callsPerSecond: 2 });
  });
  const create = (): Promise<unknown> => world.live.create(world.accountSid, { to: 'sip:bob@198.51.100.8', from: '+15550100', twiml: '<Response/>', other: {} });

  it('is kept: calls wait in the queue, and one that is canceled there is never dialled', async () => {
    for (let n = 0; n < 3; n++) await create();
    expect([...world.calls.calls.values()].map(({ status }) => status)).toEqual(['queued', 'queued', 'queued']);
    await world.clock.advanceAsync(1);
    expect(world.sip.placed).toHaveLength(1);
    await world.clock.advanceAsync(500);
    expect(world.sip.placed).toHaveLength(2);
    await world.live.update(world.accountSid, world.record().sid, { status: 'canceled' });
    await world.clock.advanceAsync(5000);
    expect(world.sip.placed).toHaveLength(2);
    expect(world.record().status).toBe('canceled');
  });

  it('is each account’s own, and has no queue of more than a day', () => {
    const pace = new DialPace(0.1);
    const [one, other] = [newSid('AC'), newSid('AC')];
    expect([pace.wait(one, 0), pace.wait(one, 0), pace.wait(other, 0), pace.wait(one, 25_000)]).toEqual([0, 10_000, 0, 0]);
    for (let n = 0; n < 8640; n++) pace.wait(other, 0);
    expect(() => pace.wait(other, 0)).toThrow(expect.objectContaining({ code: 22005 }) as Error);
    expect(new DialPace(null).wait(one, 0)).toBe(0);
  });
});
