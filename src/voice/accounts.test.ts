import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld();
  world.app.on('/voice', '<Response><Pause length="60"/></Response>');
});

describe('an account that is closed', () => {
  it('loses its live calls, each with its last callback', async () => {
    const phone = world.arrive();
    await settle();
    world.live.accountClosed(newSid('AC'));
    expect(phone.said).toEqual(['180']);
    world.live.accountClosed(world.accountSid);
    await settle();
    expect(phone.said).toEqual(['180', '603']);
    expect(world.record()).toMatchObject({ status: 'completed', terminationReason: 'completed-by-api' });
    expect(world.told.map(({ params }) => params['CallStatus'])).toEqual(['completed']);
    expect(world.live.liveCount).toBe(0);
  });
});

describe('an account that is suspended', () => {
  it('takes and makes no calls, those that are there go on', async () => {
    world.arrive();
    await settle();
    Object.assign(world.account, { status: 'suspended' });
    expect(world.arrive().said).toEqual(['403']);
    await expect(world.live.create(world.accountSid, { to: 'sip:bob@198.51.100.8', from: '+15550100', twiml: '<Response/>', other: {} })).rejects.toMatchObject({ status: 403, code: 20005 });
    expect(world.live.liveCount).toBe(1);
  });
});
