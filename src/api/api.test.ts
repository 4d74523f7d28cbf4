import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, openRestWorld, type RestWorld } from '../../test/rest-world.ts';

// What every resource shares: sign-in, refusals, limits.

let world: RestWorld;
beforeAll(async () => {
  world = await openRestWorld();
}, 60_000);
afterAll(() => world.close());

const calls = (): string => `/2010-04-01/Accounts/${world.account.sid}/Calls.json`;

/** The answer to a request line, signed in, as it came. */
async function asked(requestLine: string): Promise<string> {
  const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
  const heard: Buffer[] = [];
  socket.on('data', (data) => heard.push(data));
  socket.write(`${requestLine}\r\nHost: server.example\r\nConnection: close\r\nAuthorization: ${basic(world.account.sid, world.account.authToken)}\r\n\r\n`);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(heard).toString();
}

describe('sign-in', () => {
  it('takes the account’s token and an API key, SIDs in any case of their digits', async () => {
    const upper = (sid: string): string => sid.slice(0, 2) + sid.slice(2).toUpperCase();
    const { account, key } = world;
    for (const [user, password] of [[account.sid, account.authToken], [upper(account.sid), account.authToken], [key.sid, key.secret]] as const) {
      const authorization = basic(user, password);
      expect((await world.raw(calls(), { authorization })).status, user).toBe(200);
      expect((await world.raw('/v1/Rooms', { authorization })).status, user).toBe(200);
    }
  });

  it('refuses everybody else', async () => {
    const { account, key } = world;
    const tokenless = await world.newAccount({ authToken: '' });
    const headers = [null, 'Basic', 'Basic !!!', 'Bearer abc', basic(account.sid, 'wrong'), basic(account.sid, ''), basic('', ''), basic(tokenless.sid, ''), basic(key.sid, account.authToken), basic(account.sid, key.secret), basic(`SK${'0'.repeat(32)}`, '')];
    for (const authorization of headers) {
      for (const path of [calls(), '/v1/Rooms', `/2010-04-01/Accounts/${world.account.sid}.json`]) {
        const answer = await world.raw(path, { authorization });
        expect(answer.body, `${authorization} ${path}`).toMatchObject({ status: 401, code: 20003 });
        expect(answer.headers.get('www-authenticate')).toBe('Basic realm="Twilio API"');
      }
    }
  });

  it('keeps to its own account', async () => {
    const other = await world.newAccount();
    expect((await world.raw(`/2010-04-01/Accounts/${other.sid}/Calls.json`)).body).toMatchObject({ status: 401, code: 20003 });
    expect((await world.raw('/2010-04-01/Accounts/nonsense/Calls.json')).status).toBe(401);
  });

  it('tells accounts that are not active', async () => {
    const suspended = await world.newAccount({ status: 'suspended' });
    expect((await world.raw('/v1/Rooms', { authorization: basic(suspended.sid, suspended.authToken) })).body).toMatchObject({ status: 403, code: 20005 });
    expect((await world.raw('/v1/Rooms', { authorization: basic(suspended.sid, 'wrong') })).status).toBe(401);
  });
});

describe('refusals', () => {
  it('have the four members and nothing that makes another class of them', async () => {
    const answer = await world.raw('/v1/Nothing');
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.body).toEqual({ code: 20404, message: 'The requested resource /v1/Nothing was not found', more_info: 'https://www.twilio.com/docs/errors/20404', status: 404 });
  });

  it('name the methods that are there', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const answer = await world.raw(calls(), { method });
      expect(answer.body, method).toMatchObject({ status: 405, code: 20004 });
      expect(answer.headers.get('allow')).toBe('GET, POST');
    }
    const options = await world.raw(calls(), { method: 'OPTIONS', authorization: null });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, POST']);
    expect((await world.raw(calls(), { method: 'HEAD' })).status).toBe(200);
  });

  it('say what is wrong with a body', async () => {
    const json = await world.raw('/v1/Rooms', { body: '{"UniqueName":', headers: { 'content-type': 'application/json' } });
    expect(json.body).toMatchObject({ status: 400, code: 20001 });
    const wellFormed = await world.raw('/v1/Rooms', { body: '{"UniqueName":"a"}', headers: { 'content-type': 'application/json' } });
    expect(wellFormed.body).toMatchObject({ status: 415, code: 20001 });
    const xml = await world.raw('/v1/Rooms', { body: '<a/>', headers: { 'content-type': 'text/xml' } });
    expect(xml.body).toMatchObject({ status: 415, code: 20001 });
    const big = await world.raw('/v1/Rooms', { body: `UniqueName=${'x'.repeat(1024 * 1024)}` });
    expect(big.body).toMatchObject({ status: 413, code: 20001 });
    const packed = await world.raw('/v1/Rooms', { body: 'UniqueName=packed', headers: { 'content-encoding': 'gzip' } });
    expect(packed.body).toMatchObject({ status: 415, code: 20001 });
    // ISO 8859-1 where UTF-8 was due (contract §7.1).
    const latin = await world.raw('/v1/Rooms', { body: 'UniqueName=caf%E9' });
    expect(latin.body).toMatchObject({ status: 400, code: 53102 });
  });

  it('answer whatever a path holds', async () => {
    for (const path of ['/v1/Rooms/%', '/v1/Rooms/%FF%FE', '/v1/Rooms/%00', `/v1/Rooms/${'x'.repeat(5000)}`, '/v1/Rooms/__proto__', '/v1//Rooms', '/v1/Rooms/a/Participants/%2e%2e', '/2010-04-01/Accounts/%E0%A4/Calls.json']) {
      const answer = await world.raw(path);
      expect(answer.status, path).toBeGreaterThanOrEqual(400);
      expect(answer.status, path).toBeLessThan(500);
      expect(answer.body, path).toMatchObject({ status: answer.status, code: expect.any(Number), message: expect.any(String) });
    }
  });

  it('take a whole URL for its path, and refuse methods that no resource has', async () => {
    const whole = await asked(`GET http://proxied.example/v1/Rooms?PageSize=1 HTTP/1.1`);
    expect(whole).toMatch(/^HTTP\/1\.1 200/);
    expect(whole).toContain('"first_page_url":"http://server.example/v1/Rooms?PageSize=1&Page=0"');
    for (const method of ['TRACE', 'PROPFIND']) expect(await asked(`${method} ${calls()} HTTP/1.1`), method).toMatch(/^HTTP\/1\.1 405[^]*"code":20004/);
  });

  it('look the same where HTTP itself cannot read the request', async () => {
    const long = await world.raw(`/v1/Rooms/${'x'.repeat(20_000)}`);
    expect(long.body).toEqual({ code: 20001, message: expect.any(String), more_info: 'https://www.twilio.com/docs/errors/20001', status: 431 });
  });

  it('refuse a day that no month has', async () => {
    for (const filter of ['StartTime=2026-02-30', 'EndTime%3E=2026-04-31T10:00:00Z']) expect((await world.raw(`${calls()}?${filter}`)).body, filter).toMatchObject({ status: 400, code: 20001 });
    expect((await world.raw(`${calls()}?StartTime=2028-02-29T23:30:00-08:00`)).status).toBe(200);
  });

  it('hide what broke and write it to the log', async () => {
    world.calls.refusal = new RangeError('a secret of the house');
    const answer = await world.raw(calls(), { body: new URLSearchParams({ To: 'x' }) });
    expect(answer.body).toEqual({ code: 20500, message: 'An internal server error has occurred', more_info: 'https://www.twilio.com/docs/errors/20500', status: 500 });
    expect(world.logged.join()).toContain('a secret of the house');
    expect(world.logged.join()).not.toContain(world.account.authToken);
  });

  it('end connections that speak no HTTP', async () => {
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
    const heard: Buffer[] = [];
    socket.on('data', (data) => heard.push(data));
    socket.write('\x16\x03\x01 hello\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(heard).toString()).toMatch(/^HTTP\/1\.1 400/);
    expect((await world.raw('/healthz')).status).toBe(200);
  });
});

describe('a request that changes something', () => {
  it('changes nothing when it was refused', async () => {
    const before = world.rooms.all().length;
    await world.raw('/v1/Rooms', { body: 'UniqueName=a', authorization: null });
    await world.raw('/v1/Rooms', { body: '{}', headers: { 'content-type': 'application/json' } });
    expect(world.rooms.all()).toHaveLength(before);
  });
});

describe('health', () => {
  it('follows the server', async () => {
    expect((await world.raw('/healthz', { authorization: null })).body).toEqual({ status: 'ok' });
    world.setReady(false);
    const answer = await world.raw('/healthz', { authorization: null });
    world.setReady(true);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('x-powered-by')).toBeNull();
  });
});
