import { beforeEach, describe, expect, it } from 'vitest';
import { CallerIdValidations, type ValidationOptions, type ValidationRequest } from './caller-id-validation.ts';
import type { FakeOutgoingCall } from './testing/fake-sip.ts';
import { fakeWorld, settle, type FakeWorld } from './testing/fake-world.ts';

let world: FakeWorld;
let validations: CallerIdValidations;

beforeEach(() => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070' });
  validations = new CallerIdValidations(world);
});

const validate = (more: Partial<ValidationOptions> = {}): Promise<ValidationRequest> => validations.validate(world.accountSid, { phoneNumber: '+15557700', friendlyName: 'Mobile', statusCallback: 'http://app.test/verified', ...more });

async function ring(more: Partial<ValidationOptions> = {}): Promise<{ code: string; phone: FakeOutgoingCall }> {
  const { validationCode: code } = await validate(more);
  await world.clock.advanceAsync(10);
  const phone = world.sip.placed[0] as FakeOutgoingCall;
  phone.answers();
  await settle();
  return { code, phone };
}

async function press(keys: string): Promise<void> {
  for (const key of keys) world.media.phones[0]?.emit('digitReceived', key);
  await settle();
}

const outcome = (): (string | undefined)[] => world.told.flatMap(({ params }) => [params['VerificationStatus'], params['OutgoingCallerIdSid']]);

describe('a caller id is verified', () => {
  it('by the code that the called phone types in', async () => {
    const { code, phone } = await ring();
    expect(code).toMatch(/^\d{6}$/);
    expect(phone.options).toMatchObject({ to: 'sip:+15557700@10.0.0.9:5070', from: 'sip:+15550100@192.0.2.1' });
    expect(world.spoken[0]).toContain('six digit code');
    expect(world.callerIds).toEqual([]);
    await press(code);
    expect(world.callerIds).toMatchObject([{ accountSid: world.accountSid, phoneNumber: '+15557700', friendlyName: 'Mobile' }]);
    expect(phone.said).toEqual(['INVITE', 'BYE']);
    expect(outcome()).toEqual(['success', world.callerIds[0]?.sid]);
    expect(world.told[0]?.params).toMatchObject({ CallSid: world.record().sid, To: '+15557700', CallStatus: 'completed' });
    // It may call now.
    expect(await world.live.create(world.accountSid, { to: 'sip:bob@198.51.100.8', from: '+15557700', twiml: '<Response/>', other: {} })).toMatchObject({ from: '+15557700' });
  });

  it('within three tries', async () => {
    const { code, phone } = await ring();
    const wrong = code === '111111' ? '222222' : '111111';
    await press(wrong);
    await press(wrong);
    expect(phone.said).toEqual(['INVITE']);
    await press(code);
    expect(world.callerIds).toHaveLength(1);
  });

  it('not by a wrong code, nor by silence', async () => {
    const { code, phone } = await ring();
    await press(code === '111111' ? '222222' : '111111');
    for (let n = 0; n < 3; n++) {
      await world.clock.advanceAsync(10_100);
      await settle();
    }
    expect(phone.said).toEqual(['INVITE', 'BYE']);
    expect(world.callerIds).toEqual([]);
    expect(outcome()).toEqual(['failed', undefined]);
  });

  it('not by a phone that nobody answers', async () => {
    await validate();
    await world.clock.advanceAsync(10);
    world.sip.placed[0]?.refuses(486);
    await settle();
    expect(outcome()).toEqual(['failed', undefined]);
    expect(world.told[0]?.params['CallStatus']).toBe('busy');
  });

  it('after a delay, behind an extension', async () => {
    await validate({ callDelay: '60', extension: '12' });
    await world.clock.advanceAsync(59_000);
    expect(world.sip.placed).toEqual([]);
    await world.clock.advanceAsync(1100);
    world.sip.placed[0]?.answers();
    await settle();
    expect(world.media.phones[0]?.digits).toEqual(['12']);
  });

  it.each<[Partial<ValidationOptions>, number]>([
    [{ phoneNumber: '15557700' }, 21401],
    [{ phoneNumber: 'bob' }, 21401],
    [{ phoneNumber: '+15550100' }, 21449],
    [{ callDelay: '61' }, 21454],
    [{ callDelay: 'soon' }, 21454],
    [{ extension: 'x' }, 21206],
    [{ statusCallback: 'nowhere' }, 21456],
    [{ statusCallbackMethod: 'PUT' }, 21403],
  ])('never with %j: %i', async (more, code) => {
    await expect(validate(more)).rejects.toMatchObject({ code });
    expect(world.live.liveCount).toBe(0);
  });

  it('once', async () => {
    const { code } = await ring();
    await press(code);
    await expect(validate()).rejects.toMatchObject({ code: 21450 });
  });

  it('only where numbers can be called', async () => {
    world = fakeWorld();
    validations = new CallerIdValidations(world);
    await expect(validate()).rejects.toMatchObject({ code: 21214 });
  });
});

it('calls go out no faster than the other calls of the account', async () => {
  world = fakeWorld({ carrier: 'sip:10.0.0.9:5070', callsPerSecond: 1 });
  validations = new CallerIdValidations(world);
  for (let n = 0; n < 3; n++) await validate({ phoneNumber: `+1555770${n}` });
  await world.clock.advanceAsync(500);
  expect(world.sip.placed).toHaveLength(1);
  await world.clock.advanceAsync(2000);
  expect(world.sip.placed).toHaveLength(3);
});
