import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import type { CreateCallOptions } from './contract.ts';
import type { ApplicationRecord } from './model.ts';
import type { FakeOutgoingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

// Who is asked when an application stands between a call and its URLs (cases F4, D2).

let world: FakeWorld;
let application: ApplicationRecord;

beforeEach(() => {
  world = fakeWorld();
  application = {
    sid: newSid('AP'), accountSid: world.accountSid, friendlyName: 'Desk', voiceUrl: 'http://app.test/application', voiceMethod: 'GET', voiceFallbackUrl: 'http://app.test/application-fallback', voiceFallbackMethod: 'POST',
    statusCallback: 'http://app.test/application-status', statusCallbackMethod: 'POST', voiceCallerIdLookup: false, publicApplicationConnectEnabled: false, createdAtMs: 0, updatedAtMs: 0,
  };
  world.applications.push(application);
  for (const path of ['/voice', '/application', '/application-fallback']) world.app.on(path, '<Response><Hangup/></Response>');
});

const asked = (): string[] => world.app.asked.map(({ method, path }) => `${method} ${path}`);
const told = (): string[] => world.told.map(({ url, params }) => `${new URL(url).pathname} ${params['CallStatus']}`);

describe('a number with an application', () => {
  beforeEach(() => {
    world.number.voiceApplicationSid = application.sid;
    world.number.voiceFallbackUrl = 'http://app.test/voice';
  });

  it('takes nothing from its own URLs', async () => {
    world.arrive();
    await settle();
    expect(asked()).toEqual(['GET /application']);
    expect(world.app.asked[0]?.params).toMatchObject({ ApplicationSid: application.sid, CallStatus: 'ringing', SipCallId: 'call-1' });
    expect(told()).toEqual(['/application-status completed']);
    expect(world.told[0]?.params['ApplicationSid']).toBe(application.sid);
  });

  it('falls back to the application’s URL', async () => {
    world.app.pages.delete('/application');
    world.arrive();
    await settle();
    expect(asked()).toEqual(['GET /application', 'POST /application-fallback']);
  });

  it('tells its own StatusCallback where the application has none', async () => {
    application.statusCallback = null;
    world.arrive();
    await settle();
    expect(told()).toEqual(['/number-status completed']);
  });

  it('that is gone asks nobody', async () => {
    world.applications.length = 0;
    world.arrive();
    await settle();
    expect(asked()).toEqual([]);
  });
});

describe('a call with ApplicationSid', () => {
  const create = (more: Partial<CreateCallOptions> = {}): ReturnType<FakeWorld['live']['create']> =>
    world.live.create(world.accountSid, { to: 'sip:bob@198.51.100.8', from: '+15550100', applicationSid: application.sid, other: {}, ...more });

  it('takes its URLs from there, those of the request are ignored', async () => {
    await create({ url: 'http://app.test/voice', method: 'PUT', fallbackUrl: 'nonsense', statusCallback: 'http://app.test/status', statusCallbackEvents: ['initiated'] });
    await world.clock.advanceAsync(10);
    (world.sip.placed[0] as FakeOutgoingCall).answers();
    await settle();
    expect(asked()).toEqual(['GET /application']);
    expect(world.app.asked[0]?.params).toMatchObject({ ApplicationSid: application.sid, CallStatus: 'in-progress', Direction: 'outbound-api' });
    expect(told()).toEqual(['/application-status completed']);
  });

  it.each(['AP0', `AP${'0'.repeat(32)}`])('%s is refused', async (applicationSid) => {
    await expect(create({ applicationSid })).rejects.toMatchObject({ code: 21218 });
  });

  it('of another account, or without a VoiceUrl, is refused', async () => {
    application.voiceUrl = null;
    await expect(create()).rejects.toMatchObject({ code: 21218 });
    Object.assign(application, { voiceUrl: 'http://app.test/application', accountSid: newSid('AC') });
    await expect(create()).rejects.toMatchObject({ code: 21218 });
    expect(world.live.liveCount).toBe(0);
  });
});

describe('From', () => {
  it('may be a verified caller id, of the same account', async () => {
    const options = { to: 'sip:bob@198.51.100.8', from: '+15557700', twiml: '<Response/>', other: {} };
    const callerId = { sid: newSid('PN'), accountSid: newSid('AC'), phoneNumber: '+15557700', friendlyName: '', createdAtMs: 0, updatedAtMs: 0 };
    world.callerIds.push(callerId);
    await expect(world.live.create(world.accountSid, options)).rejects.toMatchObject({ code: 21210 });
    callerId.accountSid = world.accountSid;
    expect(await world.live.create(world.accountSid, options)).toMatchObject({ from: '+15557700', phoneNumberSid: null });
    await world.clock.advanceAsync(10);
    expect(world.sip.placed[0]?.options.from).toBe('sip:+15557700@192.0.2.1');
  });
});
