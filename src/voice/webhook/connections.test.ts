import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { createWebhookClient, type WebhookClient, type WebhookClientDeps } from './client.ts';
import { createNetworkPolicy } from './network-policy.ts';

// What happens below HTTP: time-outs and retries, broken answers, certificates, private networks.

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function clientOf(more: Partial<WebhookClientDeps> = {}): WebhookClient {
  const client = createWebhookClient({ clock: systemClock, log: silentLog, product: 'Partyline', ...more });
  closing.push(() => client.close());
  return client;
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const get = (client: WebhookClient, url: string) => client.request({ url, method: 'GET', parameters: [], authToken: 'x' });

describe('retries', () => {
  /** Takes connections and never says a word: TLS to it is never established. */
  async function mute(): Promise<{ port: number; connections: () => number }> {
    let connections = 0;
    const port = await listen(createTcpServer((socket) => void (connections++, socket.on('error', () => undefined))));
    return { port, connections: () => connections };
  }

  it('a connection that is not established in time is tried once more, then it is 11205', async () => {
    const { port, connections } = await mute();
    const startedMs = performance.now();
    expect(await get(clientOf(), `https://127.0.0.1:${port}/#ct=300`)).toMatchObject({ ok: false, errorCode: 11205, message: 'the connection was not established in time' });
    expect(connections()).toBe(2);
    expect(performance.now() - startedMs).toBeGreaterThan(550);
  });

  it.each([['rc=0', 1], ['rc=3', 4], ['rp=5xx', 1], ['rp=all', 2]])('with %s it is tried %i times', async (override, times) => {
    const { port, connections } = await mute();
    expect(await get(clientOf(), `https://127.0.0.1:${port}/#ct=100&${override}`)).toMatchObject({ errorCode: 11205 });
    expect(connections()).toBe(times);
  });

  it('the total time ends retries too', async () => {
    const { port, connections } = await mute();
    expect(await get(clientOf(), `https://127.0.0.1:${port}/#ct=400&rc=5&tt=600`)).toMatchObject({ errorCode: 11205, message: 'no answer within 600 ms' });
    expect(connections()).toBe(2);
  });

  async function http(answer: RequestListener): Promise<string> {
    return `http://127.0.0.1:${await listen(createHttpServer(answer))}/`;
  }

  it('no answer in time is tried again when rp names rt, an answer that broke off is not', async () => {
    let asked = 0;
    const silent = await http(() => void asked++);
    expect(await get(clientOf(), `${silent}#rt=200&rp=rt&rc=2`)).toMatchObject({ errorCode: 11205 });
    expect(asked).toBe(3);
    asked = 0;
    const breaking = await http((_request, response) => {
      asked++;
      response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy());
    });
    expect(await get(clientOf(), `${breaking}#rp=rt,all&rc=3`)).toMatchObject({ ok: false, errorCode: 11205 });
    expect(asked).toBe(1);
    asked = 0;
    const stalling = await http((_request, response) => {
      asked++;
      response.writeHead(200, { 'content-length': '100' }).write('half');
    });
    expect(await get(clientOf(), `${stalling}#rt=200&rp=rt&rc=3`)).toMatchObject({ ok: false, errorCode: 11205 });
    expect(asked).toBe(1);
  });

  it('4xx is tried again only when asked for', async () => {
    let asked = 0;
    const url = await http((_request, response) => response.writeHead(++asked % 2 === 1 ? 429 : 200).end());
    expect(await get(clientOf(), `${url}#rp=4xx`)).toMatchObject({ ok: true });
    expect(asked).toBe(2);
    expect(await get(clientOf(), `${url}#rp=5xx`)).toMatchObject({ ok: false, statusCode: 429 });
    expect(asked).toBe(3);
  });
});

describe('certificates', () => {
  let folder: string;
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'partyline-certificates-'));
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '10', '-subj', '/CN=Test authority');
    issue('good', { name: 'DNS:localhost,IP:127.0.0.1' });
    issue('other', { name: 'DNS:elsewhere.example' });
    issue('expired', { name: 'DNS:localhost', from: '20200101000000Z', until: '20200201000000Z' });
    issue('future', { name: 'DNS:localhost', from: '20990101000000Z', until: '20990201000000Z' });
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function issue(file: string, { name, from, until }: { name: string; from?: string; until?: string }): void {
    writeFileSync(join(folder, 'index.txt'), '');
    writeFileSync(join(folder, 'ca.cnf'), `[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nrand_serial=yes\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=${name}\n`);
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${file}`);
    openssl('ca', '-batch', '-config', 'ca.cnf', '-in', `${file}.csr`, '-out', `${file}.pem`, '-notext', ...(from && until ? ['-startdate', from, '-enddate', until] : ['-days', '5']));
  }

  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

  async function serve(certificate: string): Promise<{ url: string; names: (string | false | null)[] }> {
    const names: (string | false | null)[] = [];
    const server = createTlsServer({ key: read(`${certificate}.key`), cert: read(`${certificate}.pem`) }, (_request, response) => response.end('<Response/>'));
    server.on('secureConnection', (socket: TLSSocket & { servername: string | false | null }) => void names.push(socket.servername));
    server.on('tlsClientError', () => undefined);
    return { url: `https://localhost:${await listen(server)}/`, names };
  }

  it('one of a known authority for the right name is fine; sni=n names no host', async () => {
    const { url, names } = await serve('good');
    const client = clientOf({ authorities: [read('ca.pem')] });
    expect(await get(client, url)).toMatchObject({ ok: true });
    expect(await get(client, `${url}#sni=n`)).toMatchObject({ ok: true });
    expect(await get(client, `${url}#sni=y&e=ashburn,dublin`)).toMatchObject({ ok: true });
    expect(names).toEqual(['localhost', false]);
  });

  it.each([['other', 11235], ['expired', 11236], ['future', 11236]])('%s is %i', async (certificate, errorCode) => {
    const { url } = await serve(certificate);
    expect(await get(clientOf({ authorities: [read('ca.pem')] }), `${url}#rp=all&rc=0`)).toMatchObject({ ok: false, errorCode });
  });

  it('one of an unknown authority is 11237', async () => {
    const { url } = await serve('good');
    expect(await get(clientOf(), url)).toMatchObject({ ok: false, errorCode: 11237 });
  });
});

describe('private networks', () => {
  async function app(): Promise<{ port: number; asked: string[] }> {
    const asked: string[] = [];
    const port: number = await listen(
      createHttpServer((request, response) => {
        asked.push(request.url ?? '');
        if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.2:${port}/inside` }).end();
        else response.end();
      }),
    );
    return { port, asked };
  }

  it('are not connected to when denied: by address, by name, in any spelling', async () => {
    const { port, asked } = await app();
    const client = clientOf({ policy: createNetworkPolicy('deny') });
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      const answer = await get(client, `http://${host}:${port}/#rp=all&rc=5`);
      expect(answer, host).toMatchObject({ ok: false, errorCode: 11205 });
      expect(answer.ok ? '' : answer.message).toContain('private network');
    }
    expect(asked).toEqual([]);
  });

  it('are not reached by a redirect either', async () => {
    const { port, asked } = await app();
    const client = clientOf({ policy: createNetworkPolicy(['127.0.0.1/32']) });
    expect(await get(client, `http://127.0.0.1:${port}/away`)).toMatchObject({ ok: false, errorCode: 11205 });
    expect(asked).toEqual(['/away']);
  });

  it('a page of this server is open all the same, its neighbours are not', async () => {
    const { port, asked } = await app();
    const client = clientOf({ policy: createNetworkPolicy('deny'), ownUrls: () => [`http://127.0.0.1:${port}/demo/voice`] });
    expect(await get(client, `http://127.0.0.1:${port}/demo/voice`)).toMatchObject({ ok: true });
    // The connection that is open now serves nobody else.
    expect(await get(client, `http://127.0.0.1:${port}/other`)).toMatchObject({ ok: false, errorCode: 11205 });
    expect(asked).toEqual(['/demo/voice']);
  });
});
