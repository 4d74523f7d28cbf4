import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { basic, callRecord, openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { DEFAULT_TRUNK_SETTINGS } from '../../voice/carrier/model.ts';
import { derivedSid } from '../../voice/carrier/trunks.ts';

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const post = (path: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(path, { body: new URLSearchParams(form) });

describe('a trunk', () => {
  it('is made with its policy and targets, changed, listed and deleted', async () => {
    const { byocTrunks, connectionPolicies } = world.client.voice.v1;
    const policy = await connectionPolicies.create({ friendlyName: 'Two gateways' });
    await connectionPolicies(policy.sid).targets.create({ target: 'sip:a.carrier.test' });
    await connectionPolicies(policy.sid).targets.create({ target: 'sip:203.0.113.9:5070;transport=tcp', priority: 0, weight: 65_535, enabled: false, friendlyName: 'Spare' });
    const domain = await world.client.sip.domains.create({ domainName: 'from.sip.example.com' });
    const created = await post('/v1/ByocTrunks', { FriendlyName: 'Carrier', VoiceUrl: 'https://app.example/voice', StatusCallbackUrl: 'https://app.example/s', ConnectionPolicySid: policy.sid, FromDomainSid: domain.sid, CnamLookupEnabled: 'true' });
    expect(created.status, created.text).toBe(201);
    expect(problemsOf('voice', 'voice.v1.byoc_trunk', created.body)).toEqual([]);
    const trunk = byocTrunks(created.body.sid as string);
    expect(await trunk.update({ friendlyName: 'Other', voiceMethod: 'GET' })).toMatchObject({ friendlyName: 'Other', voiceMethod: 'GET', voiceUrl: 'https://app.example/voice', cnamLookupEnabled: true, connectionPolicySid: policy.sid });
    expect((await byocTrunks.list()).map(({ sid }) => sid)).toEqual([created.body.sid]);
    expect(world.trunks.findTrunk(world.account.sid, created.body.sid as string)).toMatchObject({ name: 'Other', fromDomain: 'from.sip.example.com', targets: [{ target: 'sip:a.carrier.test', priority: 10, weight: 10, enabled: true }, { target: 'sip:203.0.113.9:5070;transport=tcp', priority: 0, weight: 65_535, enabled: false }] });
    await expect(connectionPolicies(policy.sid).remove()).rejects.toMatchObject({ status: 400, code: 20001 });
    expect(await trunk.remove()).toBe(true);
    expect(await connectionPolicies(policy.sid).remove()).toBe(true);
    await expect(trunk.fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('answers as documented, as its policy and its targets do', async () => {
    const policy = await post('/v1/ConnectionPolicies', { FriendlyName: 'Policy' });
    expect(policy.status).toBe(201);
    expect(problemsOf('voice', 'voice.v1.connection_policy', policy.body)).toEqual([]);
    const target = await post(`/v1/ConnectionPolicies/${policy.body.sid}/Targets`, { Target: 'sip:carrier.test' });
    expect(target.status).toBe(201);
    expect(problemsOf('voice', 'voice.v1.connection_policy.connection_policy_target', target.body)).toEqual([]);
    const list = await world.raw(`/v1/ConnectionPolicies/${policy.body.sid}/Targets`);
    expect(list.body).toMatchObject({ targets: [target.body], meta: { key: 'targets', page_size: 50 } });
    const { targets } = world.client.voice.v1.connectionPolicies(policy.body.sid as string);
    expect(await targets(target.body.sid as string).update({ enabled: false, weight: 1 })).toMatchObject({ enabled: false, weight: 1, priority: 10, target: 'sip:carrier.test' });
    expect(await targets(target.body.sid as string).remove()).toBe(true);
    expect(await targets.list()).toEqual([]);
  });

  it.each([
    ['/v1/ByocTrunks', { FriendlyName: 'x'.repeat(256) }, 20002],
    ['/v1/ByocTrunks', { VoiceUrl: 'ftp://a' }, 21402],
    ['/v1/ByocTrunks', { StatusCallbackMethod: 'PUT' }, 21403],
    ['/v1/ByocTrunks', { VoiceFallbackUrl: 'https://a.example' }, 21405],
    ['/v1/ByocTrunks', { CnamLookupEnabled: 'perhaps' }, 20001],
    ['/v1/ByocTrunks', { ConnectionPolicySid: `NY${'a'.repeat(32)}` }, 20001],
    ['/v1/ByocTrunks', { FromDomainSid: 'acme' }, 20001],
    ['/v1/ConnectionPolicies', { FriendlyName: 'x'.repeat(256) }, 20002],
  ])('POST %s %j is refused with %i', async (path, form, code) => {
    expect((await post(path, form as Record<string, string>)).body).toMatchObject({ status: 400, code });
  });

  it('of another account is not there, nor is its policy', async () => {
    const mine = await world.client.voice.v1.byocTrunks.create();
    const policy = await world.client.voice.v1.connectionPolicies.create();
    const other = await world.newAccount();
    const stranger = world.clientAs(other.sid, other.authToken);
    await expect(stranger.voice.v1.byocTrunks(mine.sid).fetch()).rejects.toMatchObject({ code: 20404 });
    await expect(stranger.voice.v1.byocTrunks.create({ connectionPolicySid: policy.sid })).rejects.toMatchObject({ code: 20001 });
    expect(await stranger.voice.v1.connectionPolicies.list()).toEqual([]);
  });

  it('may bring the calls of a SIP domain, and stays as long as it does', async () => {
    const trunk = await world.client.voice.v1.byocTrunks.create();
    const domain = await world.client.sip.domains.create({ domainName: 'byoc.sip.example.com', byocTrunkSid: trunk.sid });
    expect(domain.byocTrunkSid).toBe(trunk.sid);
    await expect(world.client.voice.v1.byocTrunks(trunk.sid).remove()).rejects.toMatchObject({ code: 20001 });
    expect(await world.client.sip.domains(domain.sid).update({ byocTrunkSid: '' })).toMatchObject({ byocTrunkSid: null });
    expect(await world.client.voice.v1.byocTrunks(trunk.sid).remove()).toBe(true);
  });

  it('of the trunks file is shown and cannot be changed', async () => {
    const accountSid = world.account.sid;
    const common = { accountSid, friendlyName: 'from-file', createdAtMs: 1000, updatedAtMs: 1000 };
    const policy = { ...common, sid: derivedSid('NY', 'x'), targets: [{ ...common, sid: derivedSid('NE', 'x'), target: 'sip:carrier.test', priority: 10, weight: 10, enabled: true }] };
    const urls = { voiceUrl: null, voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' } as const;
    const trunk = { ...common, ...urls, sid: derivedSid('BY', 'x'), cnamLookupEnabled: false, connectionPolicySid: policy.sid, fromDomainSid: null, settings: DEFAULT_TRUNK_SETTINGS };
    world.trunks.describe([{ trunk, policy }]);
    const { byocTrunks, connectionPolicies } = world.client.voice.v1;
    expect((await byocTrunks.list()).map(({ friendlyName }) => friendlyName)).toContain('from-file');
    expect((await connectionPolicies(policy.sid).targets.list()).map(({ target }) => target)).toEqual(['sip:carrier.test']);
    await expect(byocTrunks(trunk.sid).update({ friendlyName: 'mine' })).rejects.toMatchObject({ code: 20001 });
    await expect(byocTrunks(trunk.sid).remove()).rejects.toMatchObject({ code: 20001 });
    await expect(connectionPolicies(policy.sid).targets.create({ target: 'sip:b.test' })).rejects.toMatchObject({ code: 20001 });
    await expect(connectionPolicies(policy.sid).remove()).rejects.toMatchObject({ code: 20001 });
    world.trunks.describe([]);
  });
});

describe('a target', () => {
  it.each([
    [{}, 20001],
    [{ Target: 'sips:carrier.test' }, 20001],
    [{ Target: 'http://carrier.test' }, 20001],
    [{ Target: 'sip:a b' }, 20001],
    [{ Target: 'sip:carrier.test:0' }, 20001],
    [{ Target: 'sip:carrier.test;transport=ws' }, 20001],
    [{ Target: 'sip:carrier.test\r\nX: y' }, 20001],
    [{ Target: 'sip:carrier.test', Priority: '-1' }, 20001],
    [{ Target: 'sip:carrier.test', Priority: '65536' }, 20001],
    [{ Target: 'sip:carrier.test', Weight: '0' }, 20001],
    [{ Target: 'sip:carrier.test', Weight: '1.5' }, 20001],
  ])('of %j is refused with %i', async (form, code) => {
    const policy = await world.client.voice.v1.connectionPolicies.create();
    expect((await post(`/v1/ConnectionPolicies/${policy.sid}/Targets`, form as Record<string, string>)).body).toMatchObject({ status: 400, code });
  });
});

it('what becomes of a call is explained to the owner of the server, not to subaccounts', async () => {
  const ask = (query: string, authorization?: string): ReturnType<RestWorld['raw']> => world.raw(`/partyline/v1/Explain?${query}`, authorization === undefined ? {} : { authorization });
  expect((await ask('From=%2B15550100&To=%2B15550199')).body).toMatchObject({ accepted: false, outcome: expect.stringContaining('404') as string, steps: [{ rule: 'domain', verdict: 'no' }, { rule: 'host', verdict: 'yes' }, {}, {}, {}, { rule: 'number', verdict: 'refused' }] });
  expect((await ask('From=%2B15550100')).body).toMatchObject({ status: 400, code: 20001 });
  expect((await ask('From=1&To=2&Direction=up')).body).toMatchObject({ status: 400, code: 20001 });
  const sub = await world.newAccount({ ownerAccountSid: world.account.sid });
  expect((await ask('From=1&To=2', basic(sub.sid, sub.authToken))).body).toMatchObject({ status: 403, code: 20006 });
});

it('how a call was is told to its account, and not with Twilio\'s resource', async () => {
  const record = callRecord(world.account.sid, { status: 'completed', terminationReason: 'remote-hangup', endedAtMs: 1_700_000_060_000 });
  world.store.calls.saveCall(record);
  expect((await world.raw(`/partyline/v1/Calls/${record.sid}`)).body).toMatchObject({ sid: record.sid, status: 'completed', terminationReason: 'remote-hangup', endedAt: '2023-11-14T22:14:20.000Z', quality: null });
  const quality = { codec: 'G722', scale: 'wide-band', rating: 110.1, mos: 4.2, packetsReceived: 990, packetsSent: 1000, packetsLost: 10, packetsDiscarded: 0, jitterMs: 1.3, roundTripMs: 42.4, remoteLost: 0, remoteJitterMs: 2 } as const;
  world.store.calls.saveQuality(record.sid, quality);
  expect((await world.raw(`/partyline/v1/Calls/${record.sid}`)).body).toMatchObject({ quality });
  expect((await world.raw(`/2010-04-01/Accounts/${world.account.sid}/Calls/${record.sid}.json`)).text).not.toContain('quality');
  const sub = await world.newAccount();
  expect((await world.raw(`/partyline/v1/Calls/${record.sid}`, { authorization: basic(sub.sid, sub.authToken) })).body).toMatchObject({ status: 404, code: 20404 });
  await world.store.calls.deleteCall(world.account.sid, record.sid);
  world.store.calls.saveQuality(record.sid, quality);
  expect((await world.raw(`/partyline/v1/Calls/${record.sid}`)).status).toBe(404);
});

describe('the settings of a trunk', () => {
  const set = (sid: string, settings: unknown): ReturnType<RestWorld['raw']> => post(`/partyline/v1/ByocTrunks/${sid}/Settings`, { Settings: typeof settings === 'string' ? settings : JSON.stringify(settings) });

  it('are what the trunks file says of one; passwords are taken and never told', async () => {
    const { sid } = await world.client.voice.v1.byocTrunks.create({ friendlyName: 'own' });
    expect((await world.raw(`/partyline/v1/ByocTrunks/${sid}/Settings`)).body).toMatchObject({ sid, settings: { default: false, inbound: { networks: [] }, register: null } });
    const answer = await set(sid, { default: true, inbound: { networks: ['203.0.113.0/24'], credentials: [{ username: 'pbx', password: 'hush-in' }] }, outbound: { username: 'us', password: 'hush-out', identity: 'pai' }, register: { registrar: 'sip:r.test', username: 'us', password: 'hush-reg' } });
    expect(answer).toMatchObject({ status: 200, body: { sid, settings: { default: true, inbound: { networks: ['203.0.113.0/24'], credentials: [{ username: 'pbx' }] }, outbound: { username: 'us', identity: 'pai' }, register: { registrar: 'sip:r.test', username: 'us', expiresS: 300 } } } });
    expect(answer.text).not.toContain('hush');
    expect((await world.raw(`/v1/ByocTrunks/${sid}`)).text).not.toContain('hush');
    expect(world.trunks.defaultTrunk(world.account.sid)).toMatchObject({ sid, settings: { outbound: { credentials: { username: 'us', password: 'hush-out' } } } });
    const second = await world.client.voice.v1.byocTrunks.create();
    expect((await set(second.sid, { default: true })).body).toMatchObject({ status: 400, code: 20001 });
    expect((await set(second.sid, { inbound: { credentials: [{ username: 'pbx', password: 'other' }] } })).body).toMatchObject({ status: 400, code: 20001, message: expect.stringContaining('is taken') as string });
    expect((await set(sid, {})).body).toMatchObject({ settings: { default: false, inbound: { networks: [] }, register: null } });
    expect(world.trunks.defaultTrunk(world.account.sid)).toBeNull();
  });

  it('of a subaccount hold no network wider than one carrier has; of the main account neither everybody', async () => {
    const { sid } = await world.client.voice.v1.byocTrunks.create();
    const networks = (text: string): object => ({ inbound: { networks: [text] } });
    expect([(await set(sid, networks('10.0.0.0/8'))).status, (await set(sid, networks('0.0.0.0/0'))).status]).toEqual([200, 400]);
    const sub = await world.newAccount({ ownerAccountSid: world.account.sid });
    const authorization = basic(sub.sid, sub.authToken);
    const asSub = (path: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(path, { method: 'POST', authorization, body: new URLSearchParams(form) });
    const theirs = ((await asSub('/v1/ByocTrunks', {})).body as { sid: string }).sid;
    const ofSub = (text: string): ReturnType<RestWorld['raw']> => asSub(`/partyline/v1/ByocTrunks/${theirs}/Settings`, { Settings: JSON.stringify(networks(text)) });
    expect((await ofSub('10.0.0.0/8')).body).toMatchObject({ status: 400, code: 20001, message: expect.stringContaining('too wide for a subaccount') as string });
    expect((await ofSub('2001:db8::/29')).body).toMatchObject({ status: 400, code: 20001 });
    expect((await ofSub('203.0.0.0/16')).status).toBe(200);
  });

  it.each(['', 'no JSON', '[]', '{"inbund":{}}', '{"inbound":{"networks":["10.0.0.0/33"]}}', '{"name":"x"}'])('of %j are refused with 20001', async (settings) => {
    const { sid } = await world.client.voice.v1.byocTrunks.create();
    expect((await set(sid, settings)).body).toMatchObject({ status: 400, code: 20001 });
  });
});
