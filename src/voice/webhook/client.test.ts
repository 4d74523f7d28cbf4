import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import twilio from 'twilio';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import { createCallbackQueue } from './callbacks.ts';
import { createCookieJar, createWebhookClient, resolveUrl, type WebhookClient, type WebhookRequest } from './client.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

const authToken = '0123456789abcdef0123456789abcdef';
let server: Server;
let base: string;
let seen: Seen[];
let answer: (request: Seen, response: ServerResponse) => void;
let client: WebhookClient;

beforeEach(async () => {
  seen = [];
  answer = (_request, response) => response.end();
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
      seen.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = createWebhookClient({ clock: systemClock, log: silentLog, product: 'Partyline' });
});

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const post = (path: string, more: Partial<WebhookRequest> = {}) => client.request({ url: base + path, method: 'POST', parameters: [['CallSid', 'CA1'], ['From', '+1555 & co']], authToken, ...more });
const status = (code: number) => (_request: Seen, response: ServerResponse) => response.writeHead(code).end();

function signatureHolds({ url, headers, body }: Seen): boolean {
  return twilio.validateRequest(authToken, String(headers['x-twilio-signature']), base + url, Object.fromEntries(new URLSearchParams(body)));
}

describe('a webhook request', () => {
  it('is a signed form, its fragment kept back', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'text/xml' }).end('<Response/>');
    const got = await post("/voice?tenant=7&q='x'#rt=5000");
    expect(got).toMatchObject({ ok: true, statusCode: 200, contentType: 'text/xml' });
    expect(Buffer.from(got.body).toString()).toBe('<Response/>');
    expect(seen[0]).toMatchObject({ method: 'POST', url: "/voice?tenant=7&q='x'", body: 'CallSid=CA1&From=%2B1555+%26+co' });
    expect(seen.map(signatureHolds)).toEqual([true]);
  });

  it('by GET has its parameters in the query, and the signature covers them', async () => {
    await post('/voice?x=1', { method: 'GET' });
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/voice?x=1&CallSid=CA1&From=%2B1555+%26+co', body: '' });
    expect(seen.map(signatureHolds)).toEqual([true]);
  });

  it('sends user information of the URL as Basic credentials', async () => {
    await client.request({ url: base.replace('://', '://user:p%40ss@') + '/v', method: 'POST', parameters: [], authToken });
    expect(Buffer.from(String(seen[0]?.headers.authorization).slice(6), 'base64').toString()).toBe('user:p@ss');
  });

  it('asked to retry 5xx: three tries with one idempotency token', async () => {
    answer = (request, response) => response.writeHead(seen.length < 3 ? 503 : 200).end(request.url);
    expect(await post('/voice?x=1#rc=2&rp=5xx')).toMatchObject({ ok: true });
    expect(seen).toHaveLength(3);
    expect(new Set(seen.map((one) => one.headers['i-twilio-idempotency-token'])).size).toBe(1);
    expect(seen.every(signatureHolds)).toBe(true);
  });

  it('is sent once when nobody asked for retries', async () => {
    answer = status(503);
    expect(await post('/voice')).toMatchObject({ ok: false, errorCode: 11200, statusCode: 503 });
    expect(seen).toHaveLength(1);
  });

  it('returns the cookies of its call, not those of another', async () => {
    answer = (_request, response) => response.setHeader('set-cookie', ['session=abc; Path=/', 'other=1']).end();
    const cookies = createCookieJar();
    await post('/first', { cookies });
    await post('/second', { cookies });
    await post('/third', { cookies: createCookieJar() });
    expect(seen.map((one) => one.headers.cookie)).toEqual([undefined, 'session=abc; other=1', undefined]);
  });

  it('follows redirects, ten at most, and tells where it ended', async () => {
    answer = ({ url }, response) => (url === '/a' ? response.writeHead(302, { location: '/b?x=1' }).end() : url === '/loop' ? response.writeHead(307, { location: '/loop' }).end() : response.end());
    expect(await post('/a')).toMatchObject({ ok: true, url: `${base}/b?x=1` });
    expect(seen[1]).toMatchObject({ method: 'GET', url: '/b?x=1&CallSid=CA1&From=%2B1555+%26+co' });
    expect(await post('/loop')).toMatchObject({ ok: false, errorCode: 11215 });
    expect(seen).toHaveLength(2 + 11);
  });

  it('keeps cookies to their host, those of a redirect too, and keeps the token over redirects', async () => {
    answer = ({ url }, response) => (url === '/login' ? response.writeHead(302, { location: '/home', 'set-cookie': 'session=1; Path=/' }).end() : response.end());
    const cookies = createCookieJar();
    await post('/login', { cookies });
    await client.request({ url: base.replace('127.0.0.1', 'localhost') + '/elsewhere', method: 'POST', parameters: [], authToken, cookies });
    expect(seen.map((one) => [one.url?.split('?')[0], one.headers.cookie])).toEqual([['/login', undefined], ['/home', 'session=1'], ['/elsewhere', undefined]]);
    expect(seen[1]?.headers['i-twilio-idempotency-token']).toBe(seen[0]?.headers['i-twilio-idempotency-token']);
    expect(seen[2]?.headers['i-twilio-idempotency-token']).not.toBe(seen[0]?.headers['i-twilio-idempotency-token']);
  });

  it('goes through exactly ten redirects; 307 keeps the form, its signature is for the new URL', async () => {
    answer = ({ url }, response) => {
      const step = Number(url.slice(1));
      if (step < 10) response.writeHead(307, { location: `/${step + 1}` }).end();
      else response.end('there');
    };
    expect(await post('/0')).toMatchObject({ ok: true, url: `${base}/10` });
    expect(seen).toHaveLength(11);
    expect(seen.every((one) => one.method === 'POST' && one.body.startsWith('CallSid=CA1') && signatureHolds(one))).toBe(true);
  });

  it('fails with the number of what happened', async () => {
    expect(await client.request({ url: 'ftp://x/', method: 'GET', parameters: [], authToken })).toMatchObject({ ok: false, errorCode: 11100 });
    expect(await client.request({ url: 'http://127.0.0.1:1/', method: 'GET', parameters: [], authToken })).toMatchObject({ ok: false, errorCode: 11205 });
    expect(await client.request({ url: 'http://nobody.invalid/', method: 'GET', parameters: [], authToken })).toMatchObject({ ok: false, errorCode: 11210 });
    expect(await client.request({ url: base.replace('http:', 'https:'), method: 'GET', parameters: [], authToken })).toMatchObject({ ok: false, errorCode: 11220 });
    answer = (_request, response) => response.socket?.end('this is not HTTP\r\n\r\n');
    expect(await post('/')).toMatchObject({ ok: false, errorCode: 11206 });
    answer = (_request, response) => response.end(Buffer.alloc(70_000));
    expect(await post('/')).toMatchObject({ ok: false, errorCode: 11750 });
  });

  it('takes more of audio than of anything else when told so', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'audio/wav' }).end(Buffer.alloc(300_000));
    expect(await post('/', { maxAudioBytes: 300_001 })).toMatchObject({ ok: true, contentType: 'audio/wav', body: { length: 300_000 } });
    expect(await post('/', { maxAudioBytes: 299_999 })).toMatchObject({ ok: false, errorCode: 11750 });
    expect(await post('/')).toMatchObject({ ok: false, errorCode: 11750 });
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'text/xml' }).end(Buffer.alloc(300_000, ' '));
    expect(await post('/', { maxAudioBytes: 300_001 })).toMatchObject({ ok: false, errorCode: 11750 });
  });

  it('gives up in time, and at once when the call leaves', async () => {
    answer = () => undefined;
    expect(await post('/#tt=200')).toMatchObject({ ok: false, errorCode: 11205, aborted: false });
    const call = new AbortController();
    const waiting = post('/', { signal: call.signal });
    call.abort();
    expect(await waiting).toMatchObject({ ok: false, aborted: true });
  });
});

describe('URLs in documents', () => {
  it.each([
    ['https://a.example/x/voice?y=1', '../next', 'https://a.example/next'],
    ['https://a.example/x/voice#rc=1', 'next?a=b', 'https://a.example/x/next?a=b'],
    [null, 'https://a.example/abs#rc=2', 'https://a.example/abs#rc=2'],
    [null, '/relative', null],
    ['https://a.example/', 'javascript:alert(1)', null],
    ['https://a.example/', 'file:///etc/passwd', null],
  ])('%s + %s', (document, reference, resolved) => {
    expect(resolveUrl(document, reference)).toBe(resolved);
  });
});

it('large answers do not fill the memory: one too many is refused, documents still come', async () => {
  await client.close();
  client = createWebhookClient({ clock: systemClock, log: silentLog, product: 'Partyline', maxHeldBytes: 1_500_000 });
  let finish = (): void => undefined;
  answer = ({ url }, response) => {
    response.writeHead(200);
    if (url === '/small') return void response.end('<Response/>');
    response.write(Buffer.alloc(1_000_000));
    if (url === '/slow') finish = () => response.end();
    else response.end();
  };
  const large = { maxBodyBytes: 10_000_000 };
  const slow = post('/slow', large);
  await expect.poll(async () => (await post('/large', large)).ok, { timeout: 5000 }).toBe(false);
  expect(await post('/large', large)).toMatchObject({ ok: false, errorCode: 11200, message: expect.stringMatching(/too many large answers/) as string });
  expect(await post('/small')).toMatchObject({ ok: true });
  finish();
  expect((await slow).body).toHaveLength(1_000_000);
  expect((await post('/large', large)).body).toHaveLength(1_000_000);
});

describe('callbacks', () => {
  const account = newSid('AC');
  const queue = () => createCallbackQueue({ client, clock: systemClock, log: silentLog, authTokenOf: (sid) => (sid === account ? authToken : null) });
  const callback = (path: string, sid: string, n: number) => ({ accountSid: account, url: base + path, method: 'POST' as const, parameters: [['CallSid', sid], ['N', String(n)]] as [string, string][] });

  it('of one call arrive in order though each takes its time; another call does not wait', async () => {
    const holding: ServerResponse[] = [];
    answer = ({ body }, response) => (body.startsWith('CallSid=CAslow') ? void holding.push(response) : response.end());
    const callbacks = queue();
    for (let n = 0; n < 3; n++) callbacks.send(callback('/slow', 'CAslow', n));
    for (let n = 0; n < 3; n++) callbacks.send(callback('/fast', 'CAfast', n));
    await expect.poll(() => seen.map((one) => one.body).filter((body) => body.includes('CAfast'))).toEqual([0, 1, 2].map((n) => `CallSid=CAfast&N=${n}`));
    for (let n = 1; n <= 3; n++) {
      await expect.poll(() => holding.length).toBe(n);
      holding[n - 1]?.end();
    }
    await callbacks.settled(5000);
    expect(seen.filter((one) => one.url === '/slow').map((one) => one.body)).toEqual([0, 1, 2].map((n) => `CallSid=CAslow&N=${n}`));
    expect(seen.every(signatureHolds)).toBe(true);
  });

  it('that nobody takes are told back as 15003', async () => {
    answer = status(500);
    const problems: number[] = [];
    const callbacks = queue();
    callbacks.send({ ...callback('/x', 'CA1', 0), refused: ({ errorCode }) => problems.push(errorCode) });
    await callbacks.settled(5000);
    expect(problems).toEqual([15003]);
  });

  it('of an account that is gone are dropped with a line in the log, and those behind them go on', async () => {
    const lines: Record<string, unknown>[] = [];
    const callbacks = createCallbackQueue({ client, clock: systemClock, log: { ...silentLog, warn: (fields) => void lines.push(fields) }, authTokenOf: (sid) => (sid === account ? authToken : null) });
    const stranger = newSid('AC');
    callbacks.send({ ...callback('/x', 'CA1', 0), accountSid: stranger });
    callbacks.send(callback('/x', 'CA1', 1));
    await callbacks.settled(5000);
    expect(lines).toMatchObject([{ subject: 'CA1', accountSid: stranger }]);
    expect(seen.map((one) => one.body)).toEqual(['CallSid=CA1&N=1']);
  });
});
