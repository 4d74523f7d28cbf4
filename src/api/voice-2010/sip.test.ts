import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { problemsOf } from '../../../test/openapi.ts';
import { openRestWorld, type RestWorld } from '../../../test/rest-world.ts';
import { newSid } from '../../base/sid.ts';
import { makeDigestSecret } from '../../sip/digest/secret.ts';

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const base = (): string => `/2010-04-01/Accounts/${world.account.sid}/SIP`;
const post = (path: string, form: Record<string, string>): ReturnType<RestWorld['raw']> => world.raw(base() + path, { body: new URLSearchParams(form) });
const PASSWORD = 'Wonderland2026';
let nth = 0;
let name: string;
beforeEach(() => void (name = `acme${++nth}.sip.example.com`));

describe('a SIP domain', () => {
  it('is made, changed, found and deleted', async () => {
    const created = await post('/Domains.json', { DomainName: name.toUpperCase(), FriendlyName: 'Desks', VoiceUrl: 'https://app.example/voice', VoiceStatusCallbackUrl: 'https://app.example/s', SipRegistration: 'true' });
    expect(created.status, created.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.sip.sip_domain', created.body)).toEqual([]);
    expect(created.body).toMatchObject({ domain_name: name, friendly_name: 'Desks', voice_url: 'https://app.example/voice', voice_status_callback_url: 'https://app.example/s', sip_registration: true, auth_type: '' });
    const domain = world.client.sip.domains(created.body.sid as string);
    expect(await domain.update({ friendlyName: 'Phones', voiceMethod: 'GET', sipRegistration: false })).toMatchObject({ friendlyName: 'Phones', voiceMethod: 'GET', sipRegistration: false, domainName: name });
    expect((await world.client.sip.domains.list()).map(({ sid }) => sid)).toContain(created.body.sid);
    expect(world.store.sip.domainByName(name)?.friendlyName).toBe('Phones');
    await domain.update({ domainName: `new-${name}` });
    expect(world.store.sip.domainByName(name)).toBeNull();
    expect(await domain.remove()).toBe(true);
    expect(world.store.sip.domainByName(`new-${name}`)).toBeNull();
    await expect(domain.fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it.each([
    [{}, 21231],
    [{ DomainName: 'acme.sip.elsewhere.com' }, 21231],
    [{ DomainName: 'sip.example.com' }, 21231],
    [{ DomainName: 'a_b.sip.example.com' }, 21231],
    [{ DomainName: '-a.sip.example.com' }, 21231],
    [{ DomainName: 'below.nothing.sip.example.com' }, 21232],
    [{ DomainName: 'x.sip.example.com', VoiceUrl: 'ftp://a' }, 21402],
    [{ DomainName: 'x.sip.example.com', VoiceMethod: 'PUT' }, 21403],
    [{ DomainName: 'x.sip.example.com', VoiceFallbackUrl: 'https://a.example' }, 21405],
    [{ DomainName: 'x.sip.example.com', Secure: 'true' }, 20001],
    [{ DomainName: 'x.sip.example.com', ByocTrunkSid: `BY${'a'.repeat(32)}` }, 20001],
  ])('of %j is refused with %i', async (form, code) => {
    expect((await post('/Domains.json', form as Record<string, string>)).body).toMatchObject({ status: 400, code });
  });

  it('has a name of its own, also among accounts', async () => {
    await world.client.sip.domains.create({ domainName: name });
    const other = await world.newAccount();
    const stranger = world.clientAs(other.sid, other.authToken);
    stranger.accountSid = other.sid;
    await expect(stranger.api.v2010.accounts(other.sid).sip.domains.create({ domainName: name })).rejects.toMatchObject({ code: 21231 });
    expect(await stranger.api.v2010.accounts(other.sid).sip.domains.list()).toEqual([]);
    expect(await world.client.sip.domains.create({ domainName: `sub.${name}` })).toMatchObject({ domainName: `sub.${name}` });
  });
});

describe('a credential list', () => {
  it('keeps users and never tells their passwords', async () => {
    const list = await post('/CredentialLists.json', { FriendlyName: 'Phones' });
    expect(problemsOf('api', 'api.v2010.account.sip.sip_credential_list', list.body)).toEqual([]);
    const sid = list.body.sid as string;
    const made = await post(`/CredentialLists/${sid}/Credentials.json`, { Username: 'alice', Password: PASSWORD });
    expect(made.status).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.sip.sip_credential_list.sip_credential', made.body)).toEqual([]);
    const secret = makeDigestSecret({ username: 'alice', password: PASSWORD });
    expect(made.text).not.toContain(secret.md5);
    const kept = () => world.store.sip.credentialLists(world.account.sid).find((found) => found.sid === sid)?.credentials;
    expect(kept()).toMatchObject([{ username: 'alice', secret }]);
    expect(JSON.stringify(kept())).not.toContain(PASSWORD);
    const credentials = world.client.sip.credentialLists(sid).credentials;
    await credentials(made.body.sid as string).update({ password: `${PASSWORD}x` });
    expect(kept()).toMatchObject([{ secret: makeDigestSecret({ username: 'alice', password: `${PASSWORD}x` }) }]);
    expect(await credentials.list()).toMatchObject([{ username: 'alice', credentialListSid: sid }]);
    expect(await credentials(made.body.sid as string).remove()).toBe(true);
    expect(await credentials.list()).toEqual([]);
    expect(await world.client.sip.credentialLists(sid).update({ friendlyName: 'Desks' })).toMatchObject({ friendlyName: 'Desks' });
    expect(await world.client.sip.credentialLists(sid).remove()).toBe(true);
  });

  it.each([
    [{ Password: PASSWORD }],
    [{ Username: 'alice' }],
    [{ Username: 'a:b', Password: PASSWORD }],
    [{ Username: 'x'.repeat(33), Password: PASSWORD }],
    [{ Username: 'alice', Password: 'Short1' }],
    [{ Username: 'alice', Password: 'alllowercase1234' }],
    [{ Username: 'alice', Password: 'NoDigitsInThisOne' }],
    [{ Username: 'taken', Password: PASSWORD }],
  ])('refuses %j', async (form) => {
    const { sid } = await world.client.sip.credentialLists.create({ friendlyName: 'Phones' });
    await world.client.sip.credentialLists(sid).credentials.create({ username: 'taken', password: PASSWORD });
    expect((await post(`/CredentialLists/${sid}/Credentials.json`, form as Record<string, string>)).body).toMatchObject({ status: 400, code: 20001 });
  });

  it('needs a name', async () => {
    expect((await post('/CredentialLists.json', {})).body).toMatchObject({ status: 400, code: 20002 });
  });

  it('is walked page by page', async () => {
    const { sid } = await world.client.sip.credentialLists.create({ friendlyName: 'Many' });
    const { credentials } = world.client.sip.credentialLists(sid);
    for (let n = 0; n < 5; n++) await credentials.create({ username: `u${n}`, password: PASSWORD });
    expect((await credentials.list({ pageSize: 2 })).map(({ username }) => username).sort()).toEqual(['u0', 'u1', 'u2', 'u3', 'u4']);
  });
});

describe('an access list', () => {
  it('keeps address ranges', async () => {
    const list = await post('/IpAccessControlLists.json', { FriendlyName: 'Office' });
    expect(problemsOf('api', 'api.v2010.account.sip.sip_ip_access_control_list', list.body)).toEqual([]);
    const sid = list.body.sid as string;
    const made = await post(`/IpAccessControlLists/${sid}/IpAddresses.json`, { FriendlyName: 'Router', IpAddress: '192.0.2.7' });
    expect(problemsOf('api', 'api.v2010.account.sip.sip_ip_access_control_list.sip_ip_address', made.body)).toEqual([]);
    expect(made.body).toMatchObject({ ip_address: '192.0.2.7', cidr_prefix_length: 32 });
    const { ipAddresses } = world.client.sip.ipAccessControlLists(sid);
    expect(await ipAddresses(made.body.sid as string).update({ ipAddress: '192.0.2.0', cidrPrefixLength: 24 })).toMatchObject({ ipAddress: '192.0.2.0', cidrPrefixLength: 24, friendlyName: 'Router' });
    expect(await ipAddresses.list()).toHaveLength(1);
    expect(await ipAddresses(made.body.sid as string).remove()).toBe(true);
    expect(await world.client.sip.ipAccessControlLists(sid).remove()).toBe(true);
  });

  it.each([[{ FriendlyName: 'x', IpAddress: '1.2.3' }], [{ FriendlyName: 'x' }], [{ FriendlyName: 'x', IpAddress: '1.2.3.4', CidrPrefixLength: '33' }], [{ FriendlyName: 'x', IpAddress: '1.2.3.4', CidrPrefixLength: 'a' }]])('refuses %j', async (form) => {
    const { sid } = await world.client.sip.ipAccessControlLists.create({ friendlyName: 'Office' });
    expect((await post(`/IpAccessControlLists/${sid}/IpAddresses.json`, form as Record<string, string>)).body).toMatchObject({ status: 400, code: 20001 });
  });
});

describe('a mapping', () => {
  async function parts() {
    const [domain, credentials, access] = [await world.client.sip.domains.create({ domainName: name }), await world.client.sip.credentialLists.create({ friendlyName: 'Phones' }), await world.client.sip.ipAccessControlLists.create({ friendlyName: 'Office' })];
    return { domain, credentials, access, at: world.client.sip.domains(domain.sid) };
  }

  it('guards calls by the older resources and the newer alike', async () => {
    const { domain, credentials, access, at } = await parts();
    const old = await post(`/Domains/${domain.sid}/CredentialListMappings.json`, { CredentialListSid: credentials.sid });
    expect(old.status, old.text).toBe(201);
    expect(problemsOf('api', 'api.v2010.account.sip.sip_domain.sip_credential_list_mapping', old.body)).toEqual([]);
    expect(old.body).toMatchObject({ sid: credentials.sid, friendly_name: 'Phones' });
    const modern = await post(`/Domains/${domain.sid}/Auth/Calls/IpAccessControlListMappings.json`, { IpAccessControlListSid: access.sid });
    expect(problemsOf('api', 'api.v2010.account.sip.sip_domain.sip_auth.sip_auth_calls.sip_auth_calls_ip_access_control_list_mapping', modern.body)).toEqual([]);
    expect(await at.fetch()).toMatchObject({ authType: 'IP_ACL,CREDENTIAL_LIST' });
    expect(await at.auth.calls.credentialListMappings.list()).toMatchObject([{ sid: credentials.sid }]);
    expect(await at.ipAccessControlListMappings.list()).toMatchObject([{ sid: access.sid, domainSid: domain.sid }]);
    expect(await at.auth.registrations.credentialListMappings.list()).toEqual([]);
    expect((await post(`/Domains/${domain.sid}/Auth/Calls/CredentialListMappings.json`, { CredentialListSid: credentials.sid })).body).toMatchObject({ code: 20001 });
    expect(await at.auth.calls.credentialListMappings(credentials.sid).remove()).toBe(true);
    expect(await at.credentialListMappings.list()).toEqual([]);
    expect(await at.ipAccessControlListMappings(access.sid).fetch()).toMatchObject({ friendlyName: 'Office' });
  });

  it('lets phones register', async () => {
    const { domain, credentials, at } = await parts();
    const made = await at.auth.registrations.credentialListMappings.create({ credentialListSid: credentials.sid });
    expect(made).toMatchObject({ sid: credentials.sid, friendlyName: 'Phones' });
    expect(world.store.sip.domainByName(name)).toMatchObject({ registrationCredentialLists: [{ sid: credentials.sid }], callCredentialLists: [], sid: domain.sid });
    expect(await at.auth.registrations.credentialListMappings(credentials.sid).remove()).toBe(true);
  });

  it('keeps its list from being deleted', async () => {
    const { credentials, access, at } = await parts();
    await at.auth.registrations.credentialListMappings.create({ credentialListSid: credentials.sid });
    await at.ipAccessControlListMappings.create({ ipAccessControlListSid: access.sid });
    await expect(world.client.sip.credentialLists(credentials.sid).remove()).rejects.toMatchObject({ status: 400 });
    await expect(world.client.sip.ipAccessControlLists(access.sid).remove()).rejects.toMatchObject({ status: 400 });
    await at.remove();
    expect(await world.client.sip.credentialLists(credentials.sid).remove()).toBe(true);
  });

  it('is only to a list of the account', async () => {
    const { at } = await parts();
    await expect(at.auth.calls.credentialListMappings.create({ credentialListSid: newSid('CL') })).rejects.toMatchObject({ status: 404 });
    await expect(at.auth.calls.credentialListMappings.create({ credentialListSid: 'nonsense' })).rejects.toMatchObject({ status: 400 });
  });
});
