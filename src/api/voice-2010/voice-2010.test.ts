import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { basic, callRecord, openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { TwilioError } from '../../base/errors.ts';
import { newSid } from '../../base/sid.ts';
import type { CallRecord, NotificationRecord } from '../../voice/model.ts';

// Calls, numbers, keys, accounts and debugger entries as the official client and raw requests see them.

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const base = (): string => `/2010-04-01/Accounts/${world.account.sid}`;
const post = (path: string, form: Record<string, string> | URLSearchParams): ReturnType<RestWorld['raw']> => world.raw(base() + path, { body: new URLSearchParams(form) });
const keepCall = (over: Partial<CallRecord> = {}): CallRecord => world.calls.keep(callRecord(world.account.sid, over));
const ended = (over: Partial<CallRecord> = {}): CallRecord => keepCall({ status: 'completed', startedAtMs: 1_700_000_000_000, answeredAtMs: 1_700_000_002_000, endedAtMs: 1_700_000_009_400, ...over });

describe('a call', () => {
  it('is made with every parameter handed on, and is as documented', async () => {
    const form = new URLSearchParams({ To: '+15550100', From: '+15550111', Url: 'https://app.example/voice', Method: 'GET', Timeout: 'abc', MachineDetection: 'Enable' });
    form.append('StatusCallbackEvent', 'ringing');
    form.append('StatusCallbackEvent', 'completed');
    const answer = await post('/Calls.json', form);
    expect(answer.status, answer.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.call', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({ status: 'queued', direction: 'outbound-api', to: '+15550100', to_formatted: '+15550100', duration: null, start_time: null, uri: `${base()}/Calls/${answer.body.sid}.json` });
    expect(world.calls.created.at(-1)).toEqual({ to: '+15550100', from: '+15550111', url: 'https://app.example/voice', method: 'GET', timeout: 'abc', machineDetection: 'Enable', statusCallbackEvents: ['ringing', 'completed'], other: {} });
  });

  it('refused by voice is the client’s RestException', async () => {
    world.calls.refusal = new TwilioError(21210, "'From' +1 is not a number of this account.");
    const refused = world.client.calls.create({ to: 'sip:a@b.example', from: '+1', twiml: '<Response/>' });
    await expect(refused).rejects.toMatchObject({ name: 'Error', status: 400, code: 21210, message: "'From' +1 is not a number of this account.", moreInfo: 'https://www.twilio.com/docs/errors/21210' });
  });

  it('that is over has its times and its duration', async () => {
    const { sid } = ended();
    const answer = await world.raw(`${base()}/Calls/${sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.call', answer.body)).toEqual([]);
    expect(answer.body).toMatchObject({ start_time: 'Tue, 14 Nov 2023 22:13:20 +0000', end_time: 'Tue, 14 Nov 2023 22:13:29 +0000', duration: '7' });
    expect((await world.client.calls(sid).fetch()).endTime.getTime()).toBe(1_700_000_009_000);
    expect((await world.raw(`${base()}/Calls/${ended({ status: 'busy', answeredAtMs: null }).sid}.json`)).body.duration).toBeNull();
    expect((await world.raw(`${base()}/Calls/${sid}`)).body.sid).toBe(sid);
  });

  it('is changed by an update', async () => {
    const { sid } = keepCall({ status: 'in-progress' });
    await world.client.calls(sid).update({ twiml: '<Response/>', timeLimit: 60 });
    expect(world.calls.updated.at(-1)).toEqual({ twiml: '<Response/>', timeLimit: '60' });
    expect((await world.client.calls(sid).update({ status: 'completed' })).status).toBe('completed');
    await expect(world.client.calls(sid).update({ url: 'https://app.example/' })).rejects.toMatchObject({ status: 400, code: 21220 });
  });

  it('can be deleted once it is over', async () => {
    const live = keepCall({ status: 'in-progress' });
    await expect(world.client.calls(live.sid).remove()).rejects.toMatchObject({ status: 409, code: 20009 });
    const { sid } = ended();
    const removed = await world.raw(`${base()}/Calls/${sid}.json`, { method: 'DELETE' });
    expect([removed.status, removed.text]).toEqual([204, '']);
    await expect(world.client.calls(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('of another account, unknown or badly written is not there', async () => {
    const other = await world.newAccount();
    const theirs = world.calls.keep(callRecord(other.sid, { status: 'in-progress' }));
    for (const path of [`/Calls/${theirs.sid}.json`, `/Calls/${newSid('CA')}.json`, '/Calls/nonsense.json', `/Calls/ca${'0'.repeat(32)}.json`, '/calls.json', `/Calls/${theirs.sid}/Events.json`]) {
      const answer = await world.raw(base() + path);
      expect(answer.body, path).toEqual({ code: 20404, status: 404, message: `The requested resource ${base()}${path} was not found`, more_info: 'https://www.twilio.com/docs/errors/20404' });
    }
    expect((await world.raw(`${base()}/Calls/${theirs.sid}.json`, { method: 'DELETE' })).status).toBe(404);
    await post(`/Calls/${theirs.sid}.json`, { Status: 'completed' });
    expect(world.calls.live(theirs.sid)?.status).toBe('in-progress');
  });
});

describe('lists of calls', () => {
  const sids = (calls: { sid: string }[]): string[] => calls.map(({ sid }) => sid);

  it('keep to their filters', async () => {
    const old = ended({ to: '+15557001', from: '+15557000' });
    const fresh = keepCall({ to: '+15557002', from: '+15557000', status: 'in-progress', startedAtMs: Date.UTC(2026, 0, 5, 12), parentCallSid: old.sid });
    const from = '+15557000';
    const list = async (options: Record<string, unknown>): Promise<string[]> => sids(await world.client.calls.list({ from, ...options }));
    expect(await list({})).toEqual([fresh.sid, old.sid]);
    expect(await list({ status: 'completed' })).toEqual([old.sid]);
    expect(await list({ to: '+15557002' })).toEqual([fresh.sid]);
    expect(await list({ parentCallSid: old.sid })).toEqual([fresh.sid]);
    expect(await list({ startTimeAfter: new Date(Date.UTC(2026, 0, 1)) })).toEqual([fresh.sid]);
    expect(await list({ startTimeBefore: new Date(Date.UTC(2026, 0, 1)) })).toEqual([old.sid]);
    expect(await list({ endTimeAfter: new Date(Date.UTC(2023, 0, 1)) })).toEqual([old.sid]);
    for (const [query, found] of [['StartTime=2026-01-05', [fresh.sid]], ['StartTime=2026-01-06', []], ['StartTime%3E=2026-01-05', [fresh.sid]], ['StartTime>=2026-01-06', []], ['StartTime<=2026-01-05T11:59:59Z', [old.sid]]] as const) {
      expect(sids((await world.raw(`${base()}/Calls.json?From=%2B15557000&${query}`)).body.calls), query).toEqual(found);
    }
    expect(sids((await world.raw(`${base()}/Calls.json?From=+15557000`)).body.calls)).toHaveLength(2);
  });

  it.each([['StartTime=yesterday', 20001], ['Status=ended', 20001], ['PageSize=1001', 20007], ['PageSize=0', 20007], ['PageSize=x', 20007], ['PageToken=junk', 21481]])('with %s are refused with %i', async (query, code) => {
    expect((await world.raw(`${base()}/Calls.json?${query}`)).body).toMatchObject({ status: 400, code });
  });

  it('of 51 are two pages by relative URIs, filters kept', async () => {
    for (let i = 0; i < 51; i++) keepCall({ to: '+15558000' });
    const first = (await world.raw(`${base()}/Calls.json?To=%2B15558000`)).body;
    expect(first).toMatchObject({ page: 0, page_size: 50, start: 0, end: 49, previous_page_uri: null, first_page_uri: `${base()}/Calls.json?To=%2B15558000&PageSize=50&Page=0` });
    expect(first.next_page_uri).toMatch(/^\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\/Calls\.json\?To=%2B15558000&PageSize=50&Page=1&PageToken=/);
    const second = (await world.raw(first.next_page_uri)).body;
    expect(second).toMatchObject({ page: 1, start: 50, end: 50, next_page_uri: null });
    expect(second.calls).toHaveLength(1);
    expect((await world.raw(second.previous_page_uri)).body.calls).toEqual(first.calls);
    expect(new Set((await world.client.calls.list({ to: '+15558000' })).map(({ sid }) => sid)).size).toBe(51);
  });
});

describe('the debugger', () => {
  const entry = (call: CallRecord, over: Partial<NotificationRecord> = {}): NotificationRecord => {
    const record: NotificationRecord = {
      sid: newSid('NO'), accountSid: call.accountSid, callSid: call.sid, log: 0, errorCode: 11200, messageText: 'HTTP 500', messageAtMs: 1_700_000_000_000, requestMethod: 'POST',
      requestUrl: 'https://app.example/voice', requestVariables: 'CallSid=x', responseBody: 'oops', responseHeaders: 'a: b', ...over,
    };
    world.store.calls.saveNotification(record);
    return record;
  };

  it('has the entries of a call, warnings and errors apart', async () => {
    const call = ended();
    const error = entry(call);
    const warning = entry(call, { log: 1, errorCode: 12200 });
    entry(ended());
    const listed = await world.raw(`${base()}/Calls/${call.sid}/Notifications.json`);
    expect(listed.body.notifications.map((item: { sid: string }) => item.sid)).toEqual([warning.sid, error.sid]);
    for (const item of listed.body.notifications) expect(problemsOf('api', 'api.v2010.account.call.call_notification', item)).toEqual([]);
    expect((await world.client.calls(call.sid).notifications.list({ log: 1 })).map(({ errorCode }) => errorCode)).toEqual(['12200']);
    expect((await world.client.notifications.list({ log: 0 })).length).toBeGreaterThanOrEqual(2);
    for (const [query, found] of [['MessageDate=2023-11-14', 2], ['MessageDate%3E=2023-11-15', 0], ['MessageDate%3C=2023-11-15', 2], ['MessageDate<=2023-11-14T22:00:00Z', 0]] as const) {
      expect((await world.raw(`${base()}/Calls/${call.sid}/Notifications.json?${query}`)).body.notifications, query).toHaveLength(found);
    }
    expect((await world.raw(`${base()}/Notifications.json?MessageDate=never`)).body).toMatchObject({ status: 400, code: 20001 });
    expect((await world.raw(`${base()}/Notifications/${error.sid}.json`, { method: 'DELETE' })).body).toMatchObject({ status: 405, code: 20004 });
    const one = await world.raw(`${base()}/Calls/${call.sid}/Notifications/${error.sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.call.call_notification-instance', one.body)).toEqual([]);
    expect(one.body).toMatchObject({ error_code: '11200', log: '0', response_body: 'oops', message_date: 'Tue, 14 Nov 2023 22:13:20 +0000' });
    const direct = await world.raw(`${base()}/Notifications/${error.sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.notification-instance', direct.body)).toEqual([]);
    expect((await world.raw(`${base()}/Calls/${ended().sid}/Notifications/${error.sid}.json`)).status).toBe(404);
  });

  it('has the webhook exchanges of a call', async () => {
    const { sid } = ended();
    world.store.calls.saveEvent({ callSid: sid, atMs: 1000, request: { method: 'POST', url: 'https://app.example/', parameters: { CallSid: sid } }, response: { responseCode: 200, contentType: 'text/xml', responseBody: '<Response/>', requestDurationMs: 12, validTwiml: true } });
    const [event] = await world.client.calls(sid).events.list();
    expect(event?.request).toEqual({ method: 'POST', url: 'https://app.example/', parameters: { CallSid: sid } });
    expect(event?.response).toMatchObject({ response_code: 200, request_duration: 12 });
  });
});

describe('numbers', () => {
  const numbers = (): RestWorld['client']['incomingPhoneNumbers'] => world.client.incomingPhoneNumbers;

  it('are declared, changed, found and released', async () => {
    const created = await post('/IncomingPhoneNumbers.json', { PhoneNumber: '+1 (555) 555-0410', VoiceUrl: 'https://app.example/a', SmsUrl: 'https://app.example/sms' });
    expect(created.status, created.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.incoming_phone_number', created.body)).toEqual([]);
    expect(created.body).toMatchObject({ phone_number: '+15555550410', friendly_name: '(555) 555-0410', voice_url: 'https://app.example/a', voice_method: 'POST', capabilities: { voice: true } });
    const { sid } = created.body as { sid: string };
    const updated = await numbers()(sid).update({ voiceUrl: 'https://app.example/b#rc=2', voiceMethod: 'get', friendlyName: 'Front desk', voiceFallbackUrl: 'https://app.example/f' });
    expect(updated).toMatchObject({ voiceUrl: 'https://app.example/b#rc=2', voiceMethod: 'GET', friendlyName: 'Front desk' });
    expect(world.store.directory.numberByDigits('+15555550410')?.voiceUrl).toBe('https://app.example/b#rc=2');
    const found = async (options: Record<string, string>): Promise<number> => (await numbers().list(options)).length;
    expect(await found({ phoneNumber: '+15555550410' })).toBe(1);
    expect(await found({ phoneNumber: '5550***' })).toBe(1);
    expect(await found({ phoneNumber: '99' })).toBe(0);
    expect(await found({ friendlyName: 'Front desk' })).toBe(1);
    expect((await numbers().local.list()).map((number) => number.sid)).toContain(sid);
    expect(await numbers().tollFree.list()).toEqual([]);
    expect((await numbers()(sid).update({ voiceUrl: '', voiceFallbackUrl: '' })).voiceUrl).toBeNull();
    expect(await numbers()(sid).remove()).toBe(true);
    await expect(numbers()(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
    expect(world.store.directory.numberByDigits('+15555550410')).toBeNull();
  });

  it.each([
    [{}, 21421],
    [{ PhoneNumber: '5550100' }, 21421],
    [{ AreaCode: '415' }, 21422],
    [{ PhoneNumber: '+15550420', VoiceUrl: 'ftp://x' }, 21402],
    [{ PhoneNumber: '+15550420', StatusCallback: 'x' }, 21402],
    [{ PhoneNumber: '+15550420', VoiceUrl: 'https://a.example', VoiceMethod: 'PUT' }, 21403],
    [{ PhoneNumber: '+15550420', VoiceFallbackUrl: 'https://a.example' }, 21405],
    [{ PhoneNumber: '+15550420', FriendlyName: 'x'.repeat(65) }, 20002],
    [{ PhoneNumber: '+15550420', VoiceApplicationSid: `AP${'0'.repeat(32)}` }, 21420],
  ])('made from %j are refused with %i', async (form, code) => {
    expect((await post('/IncomingPhoneNumbers.json', form as Record<string, string>)).body).toMatchObject({ status: 400, code });
    expect(world.store.directory.numberByDigits('+15550420')).toBeNull();
  });

  it('are there once, whoever has them', async () => {
    const other = await world.newAccount();
    await world.clientAs(other.sid, other.authToken).api.v2010.accounts(other.sid).incomingPhoneNumbers.create({ phoneNumber: '+15550430' });
    await expect(numbers().create({ phoneNumber: '+15550430' })).rejects.toMatchObject({ status: 400, code: 21422 });
    expect(await numbers().list({ phoneNumber: '+15550430' })).toEqual([]);
  });
});

describe('keys and accounts', () => {
  it('a key tells its secret once, signs in, and is out when deleted', async () => {
    const created = await post('/Keys.json', { FriendlyName: 'Laptop' });
    expect(created.status).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.new_key', created.body)).toEqual([]);
    const { sid, secret } = created.body as { sid: string; secret: string };
    const fetched = await world.raw(`${base()}/Keys/${sid}.json`);
    expect(problemsOf('api', 'api.v2010.account.key', fetched.body)).toEqual([]);
    expect(fetched.text).not.toContain(secret);
    const byKey = world.clientAs(sid, secret);
    expect(Array.isArray(await byKey.calls.list({ limit: 1 }))).toBe(true);
    expect(Array.isArray(await byKey.video.v1.rooms.list({ limit: 1 }))).toBe(true);
    await expect(byKey.newKeys.create()).rejects.toMatchObject({ status: 401, code: 20003 });
    expect((await world.client.keys(sid).update({ friendlyName: 'Desk' })).friendlyName).toBe('Desk');
    expect((await world.client.keys.list()).map((key) => key.sid)).toContain(sid);
    expect(await world.client.keys(sid).remove()).toBe(true);
    await expect(byKey.calls.list({ limit: 1 })).rejects.toMatchObject({ status: 401, code: 20003 });
  });

  it('an account sees itself and those it owns', async () => {
    const own = await world.newAccount({ ownerAccountSid: world.account.sid });
    await world.newAccount();
    const fetched = await world.raw(`${base()}.json`);
    expect(problemsOf('api', 'api.v2010.account', fetched.body)).toEqual([]);
    expect((await world.client.api.v2010.accounts.list()).map(({ sid }) => sid).sort()).toEqual([own.sid, world.account.sid].sort());
    expect((await world.raw(`/2010-04-01/Accounts/${own.sid}/Calls.json`)).status).toBe(200);
    expect((await world.raw(`${base()}/Calls.json`, { authorization: basic(own.sid, own.authToken) })).status).toBe(401);
  });
});
