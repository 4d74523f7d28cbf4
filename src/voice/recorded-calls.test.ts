import { beforeEach, describe, expect, it } from 'vitest';
import { MediaError } from '../media/protocol.ts';
import type { CreateCallOptions } from './contract.ts';
import type { FakeOutgoingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;

beforeEach(() => {
  world = fakeWorld();
});

/** Files are really made: that is more than promises. */
async function until(what: () => boolean): Promise<void> {
  for (let n = 0; n < 200 && !what(); n++) await settle();
}

/** A call that is placed with these parameters of recording, answered, and talked in. */
async function call(other: Record<string, string>): Promise<void> {
  const options: CreateCallOptions = { to: 'sip:bob@198.51.100.8', from: '+15550100', twiml: '<Response><Pause length="60"/></Response>', statusCallback: 'http://app.test/status', other };
  await world.live.create(world.accountSid, options);
  await world.clock.advanceAsync(10);
  await settle();
  const phone = world.sip.placed[0] as FakeOutgoingCall;
  phone.answers();
  await settle();

}

const told = (path: string): Record<string, string>[] => world.told.filter(({ url }) => url === `http://app.test${path}`).map(({ params }) => params);

describe('Record of a create', () => {
  it('records from the answer to the end, and the last callback of the call says where', async () => {
    await call({ Record: 'true', RecordingChannels: 'dual', RecordingStatusCallback: 'http://app.test/recorded', RecordingStatusCallbackEvent: 'in-progress completed' });
    await until(() => told('/recorded').length > 0);
    expect(world.media.phones[0]?.recordings[0]?.options).toMatchObject({ source: 'both', channels: 2, trimSilence: true, silenceTimeoutMs: 0 });
    await world.live.update(world.accountSid, world.record().sid, { status: 'completed' });
    await until(() => told('/status').length > 0);
    const [record] = world.recordingRepository.records.values();
    expect(record).toMatchObject({ source: 'OutboundAPI', status: 'completed', callSid: world.record().sid });
    expect(told('/recorded').map(({ RecordingStatus }) => RecordingStatus)).toEqual(['in-progress', 'completed']);
    expect(told('/status')).toMatchObject([{ CallStatus: 'completed', RecordingSid: record?.sid, RecordingDuration: '2', RecordingUrl: `http://server.test/2010-04-01/Accounts/${world.accountSid}/Recordings/${record?.sid}` }]);
  });

  it('is off unless it is asked for', async () => {
    await call({ Record: 'false' });
    await world.live.update(world.accountSid, world.record().sid, { status: 'completed' });
    await until(() => told('/status').length > 0);
    expect(world.media.phones[0]?.recordings).toEqual([]);
    expect(told('/status')[0]).not.toHaveProperty('RecordingUrl');
  });

  it('does not end a call that cannot be recorded', async () => {
    world.media.createPhone = ((make) => async (options) => Object.assign(await make(options), { record: () => Promise.reject(new MediaError('bad-request', 'no disk')) }))(world.media.createPhone.bind(world.media));
    await call({ Record: 'true' });
    await until(() => world.calls.notifications.length > 0);
    expect(world.calls.notifications).toMatchObject([{ errorCode: 12400, log: 0 }]);
    expect(world.record().status).toBe('in-progress');
    await world.live.update(world.accountSid, world.record().sid, { status: 'completed' });
    await until(() => told('/status').length > 0);
    expect(told('/status')[0]?.['CallStatus']).toBe('completed');
  });
});
