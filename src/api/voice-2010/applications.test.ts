import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { newSid } from '../../base/sid.ts';

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const base = (): string => `/2010-04-01/Accounts/${world.account.sid}`;
const post = (path: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(base() + path, { body: new URLSearchParams(form) });

describe('an application', () => {
  it('is made, changed, found and deleted', async () => {
    const created = await post('/Applications.json', { FriendlyName: 'Desk', VoiceUrl: 'https://app.example/voice', VoiceMethod: 'GET', SmsUrl: 'https://app.example/sms', ApiVersion: '2010-04-01', MessageStatusCallback: 'https://app.example/m', StatusCallback: 'https://app.example/s' });
    expect(created.status, created.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.application', created.body)).toEqual([]);
    expect(created.body).toMatchObject({ friendly_name: 'Desk', voice_url: 'https://app.example/voice', voice_method: 'GET', sms_url: 'https://app.example/sms', message_status_callback: 'https://app.example/m', uri: `${base()}/Applications/${created.body.sid}.json` });
    const { sid } = created.body as { sid: string };
    const application = world.client.applications(sid);
    expect(await application.update({ voiceUrl: '', voiceCallerIdLookup: true, friendlyName: 'Front' })).toMatchObject({ voiceUrl: null, voiceCallerIdLookup: true, friendlyName: 'Front' });
    expect((await world.client.applications.list({ friendlyName: 'Front' })).map((found) => found.sid)).toEqual([sid]);
    expect(await world.client.applications.list({ friendlyName: 'Back' })).toEqual([]);
    expect(await application.remove()).toBe(true);
    await expect(application.fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it.each([
    [{ VoiceUrl: 'x' }, 21402],
    [{ VoiceUrl: 'https://a.example', VoiceMethod: 'PUT' }, 21403],
    [{ VoiceFallbackUrl: 'https://a.example' }, 21405],
    [{ SmsFallbackUrl: 'https://a.example' }, 21406],
    [{ FriendlyName: 'x'.repeat(65) }, 20002],
    [{ ApiVersion: '2008-08-01' }, 20001],
    [{ VoiceCallerIdLookup: 'maybe' }, 20001],
  ])('of %j is refused with %i', async (form, code) => {
    expect((await post('/Applications.json', form as Record<string, string>)).body).toMatchObject({ status: 400, code });
    expect(await world.client.applications.list()).toEqual([]);
  });

  it('answers for a number until it is deleted; a trunk takes its place', async () => {
    const { sid } = await world.client.applications.create({ voiceUrl: 'https://app.example/voice' });
    const trunkSid = `TK${'a'.repeat(32)}`;
    const created = await world.client.incomingPhoneNumbers.create({ phoneNumber: '+15550440', voiceApplicationSid: sid, voiceUrl: 'https://app.example/own' });
    expect(created).toMatchObject({ voiceApplicationSid: sid, trunkSid: null, voiceUrl: 'https://app.example/own' });
    const number = world.client.incomingPhoneNumbers(created.sid);
    expect(await number.update({ trunkSid })).toMatchObject({ voiceApplicationSid: null, trunkSid });
    expect(await number.update({ voiceApplicationSid: sid })).toMatchObject({ voiceApplicationSid: sid, trunkSid: null });
    await world.client.applications(sid).remove();
    expect(await number.fetch()).toMatchObject({ voiceApplicationSid: null, trunkSid: null, voiceUrl: 'https://app.example/own' });
    await number.remove();
  });

  it('of another account is out of reach', async () => {
    const other = await world.newAccount();
    const theirs = await world.clientAs(other.sid, other.authToken).api.v2010.accounts(other.sid).applications.create({ voiceUrl: 'https://app.example/voice' });
    for (const method of ['GET', 'DELETE', 'POST']) expect((await world.raw(`${base()}/Applications/${theirs.sid}.json`, { method, ...(method === 'POST' ? { body: 'FriendlyName=x' } : {}) })).body, method).toMatchObject({ status: 404, code: 20404 });
    await expect(world.client.incomingPhoneNumbers.create({ phoneNumber: '+15550441', voiceApplicationSid: theirs.sid })).rejects.toMatchObject({ status: 400, code: 21420 });
    await expect(world.client.applications(newSid('AP')).fetch()).rejects.toMatchObject({ status: 404 });
  });
});

describe('a number', () => {
  it('keeps what it is told of messaging and regulation', async () => {
    const bundleSid = `BU${'1'.repeat(32)}`;
    const created = await post('/IncomingPhoneNumbers.json', { PhoneNumber: '+15550450', SmsUrl: 'https://app.example/sms', SmsMethod: 'GET', BundleSid: bundleSid, EmergencyStatus: 'Inactive' });
    expect(problemsOf('api', 'api.v2010.account.incoming_phone_number', created.body)).toEqual([]);
    expect(created.body).toMatchObject({ sms_url: 'https://app.example/sms', sms_method: 'GET', bundle_sid: bundleSid, emergency_status: 'Inactive' });
    await world.client.incomingPhoneNumbers(created.body.sid).remove();
  });

  it.each([
    [{ EmergencyStatus: 'Active' }, 20001],
    [{ EmergencyAddressSid: `AD${'1'.repeat(32)}` }, 20001],
    [{ TrunkSid: 'TK1' }, 20001],
    [{ VoiceApplicationSid: 'AP1' }, 21420],
    [{ BundleSid: 'x' }, 20001],
    [{ SmsFallbackUrl: 'https://a.example' }, 21406],
    [{ ApiVersion: '2008-08-01' }, 20001],
  ])('with %j is refused with %i', async (form, code) => {
    expect((await post('/IncomingPhoneNumbers.json', { PhoneNumber: '+15550451', ...(form as Record<string, string>) })).body).toMatchObject({ status: 400, code });
    expect(world.store.directory.numberByDigits('+15550451')).toBeNull();
  });

  it.each([
    ['Local', '+15550453', 'incoming_phone_number_local'],
    ['TollFree', '+18005550453', 'incoming_phone_number_toll_free'],
    ['Mobile', '+15550454', 'incoming_phone_number_mobile'],
  ])('of kind %s is as documented', async (kind, phoneNumber, schema) => {
    const created = await post(`/IncomingPhoneNumbers/${kind}.json`, { PhoneNumber: phoneNumber });
    expect(created.status, created.text).toBe(201);
    expect(problemsOf('api', `api.v2010.account.incoming_phone_number.${schema}`, created.body)).toEqual([]);
    expect((await post(`/IncomingPhoneNumbers/${kind}.json`, { FriendlyName: 'x' })).body).toMatchObject({ status: 400, code: 21421 });
    await world.client.incomingPhoneNumbers(created.body.sid).remove();
  });

  it('moves inside a family of accounts, by its owner only', async () => {
    const family = await world.newAccount({ ownerAccountSid: world.account.sid });
    const stranger = await world.newAccount();
    const closed = await world.newAccount({ ownerAccountSid: world.account.sid, status: 'closed' });
    const { sid } = await world.client.incomingPhoneNumbers.create({ phoneNumber: '+15550452', voiceUrl: 'https://app.example/' });
    const number = world.client.incomingPhoneNumbers(sid);
    for (const [accountSid, code] of [['AC1', 21470], [newSid('AC'), 21471], [stranger.sid, 21473], [closed.sid, 21472]] as const) {
      await expect(number.update({ accountSid }), accountSid).rejects.toMatchObject({ status: 400, code });
    }
    expect(await number.update({ accountSid: family.sid })).toMatchObject({ accountSid: family.sid, voiceUrl: 'https://app.example/' });
    await expect(number.fetch()).rejects.toMatchObject({ status: 404 });
    const byFamily = world.clientAs(family.sid, family.authToken).api.v2010.accounts(family.sid).incomingPhoneNumbers(sid);
    await expect(byFamily.update({ accountSid: world.account.sid })).rejects.toMatchObject({ status: 400, code: 21474 });
    expect(await byFamily.remove()).toBe(true);
  });
});
