import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import twilio from 'twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { Cast } from '../peers/cast.ts';
import { startChild, temporaryFolder } from '../peers/child.ts';
import { freePort } from '../peers/ports.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// Browser phones behind a proxy that is trusted: access lists, limits and the application see the address that the proxy forwards.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const DOMAIN = 'web.sip.localhost';
const LISTED = '192.0.2.7';
const UNLISTED = '198.51.100.9';
/** Connections of one address (docs/reference/sip.md). */
const MAX_PER_ADDRESS = 100;
const NGINX = '/usr/sbin/nginx';
const nginxMissing = existsSync(NGINX) ? '' : ' (nginx is not installed)';
const sockets: WebSocket[] = [];
let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(cast, { env: { PARTYLINE_TRUSTED_PROXIES: '127.0.0.1' } });
  const { sip } = stage.server.client;
  stage.app.on('/domain', () => {
    const response = new VoiceResponse();
    response.reject({ reason: 'busy' });
    return response;
  });
  const list = await sip.ipAccessControlLists.create({ friendlyName: 'listed' });
  for (const ipAddress of [LISTED, '127.0.0.5']) await sip.ipAccessControlLists(list.sid).ipAddresses.create({ friendlyName: ipAddress, ipAddress });
  const domain = await sip.domains.create({ domainName: DOMAIN, voiceUrl: `${stage.app.url}/domain` });
  await sip.domains(domain.sid).auth.calls.ipAccessControlListMappings.create({ ipAccessControlListSid: list.sid });
}, 60_000);

afterAll(() => {
  for (const socket of sockets) socket.terminate();
});

interface Client {
  /** Default: that of the server. */
  port?: number;
  forwardedFor?: string;
  localAddress?: string;
}

function connect({ port = stage.server.httpPort, forwardedFor, localAddress = '127.0.0.1' }: Client): Promise<WebSocket | number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/sip`, ['sip'], { localAddress, headers: forwardedFor === undefined ? {} : { 'X-Forwarded-For': forwardedFor } });
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
    socket.once('error', reject);
  });
}

let calls = 0;

/** Calls the domain; resolves with the final answer. */
async function call(client: Client): Promise<number> {
  const socket = await connect(client);
  if (typeof socket === 'number') return socket;
  const name = `forwarded-${++calls}`;
  const lines = [
    `INVITE sip:desk@${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/WS ${name}.invalid;branch=z9hG4bK${name}`,
    'Max-Forwards: 70',
    `From: <sip:web@${DOMAIN}>;tag=${name}`,
    `To: <sip:desk@${DOMAIN}>`,
    `Call-ID: ${name}`,
    'CSeq: 1 INVITE',
    `Contact: <sip:web@${name}.invalid;transport=ws>`,
    'Content-Length: 0',
  ];
  const answers: number[] = [];
  socket.on('message', (answer: Buffer) => answers.push(Number(/^SIP\/2\.0 (\d{3})/.exec(answer.toString())?.[1])));
  socket.send(`${lines.join('\r\n')}\r\n\r\n`);
  return waitUntil(() => answers.find((statusCode) => statusCode >= 200), { what: () => `a final answer; there were ${answers.join(', ')}` });
}

const sourcesTold = (): (string | undefined)[] => stage.app.matching({ path: '/domain' }).map(({ params }) => params['SipSourceIp']);

describe('a phone behind a trusted proxy', () => {
  it('is let in and told of by the address that the proxy forwards, whatever the client wrote before it', async () => {
    expect(await call({ forwardedFor: LISTED })).toBe(486);
    expect(await call({ forwardedFor: UNLISTED })).toBe(403);
    expect(await call({ forwardedFor: `${LISTED}, ${UNLISTED}` })).toBe(403);
    expect(await call({})).toBe(403);
    expect(sourcesTold()).toEqual([LISTED]);
  });

  it('shares the limit of connections with nobody but its own address', async () => {
    const mine = await Promise.all(Array.from({ length: MAX_PER_ADDRESS }, () => connect({ forwardedFor: '192.0.2.8' })));
    expect(mine.filter((socket) => typeof socket === 'number')).toEqual([]);
    expect(await connect({ forwardedFor: '192.0.2.8' })).not.toBeInstanceOf(WebSocket);
    expect(await connect({ forwardedFor: '192.0.2.99, 192.0.2.8' })).not.toBeInstanceOf(WebSocket);
    expect(await connect({ forwardedFor: '192.0.2.9' })).toBeInstanceOf(WebSocket);
  });

  it('that comes from elsewhere than the proxy has the address of its connection', async () => {
    expect(await call({ forwardedFor: LISTED, localAddress: '127.0.0.6' })).toBe(403);
    expect(await call({ forwardedFor: UNLISTED, localAddress: '127.0.0.5' })).toBe(486);
  });
});

describe.skipIf(nginxMissing !== '').each(['nat-and-firewall', 'run-on-a-network'])(`nginx with the configuration of %s${nginxMissing}`, (guide) => {
  let port: number;
  beforeAll(async () => {
    port = await freePort();
    const folder = temporaryFolder('nginx');
    writeFileSync(`${folder}/nginx.conf`, nginxConfig(guide, { folder, port }));
    const nginx = await cast.add('nginx', startChild({ name: 'nginx', command: NGINX, args: ['-c', `${folder}/nginx.conf`, '-e', 'stderr', '-p', folder] }));
    await waitUntil(async () => nginx.exitCode !== undefined || (await fetch(`http://127.0.0.1:${port}/healthz`)).status > 0, { what: () => `nginx\n${nginx.log()}` });
  }, 20_000);

  it('passes SIP over WebSocket, with the address of the client and not with what the client claims', async () => {
    const before = sourcesTold().length;
    expect(await call({ port, localAddress: '127.0.0.5' })).toBe(486);
    expect(await call({ port, localAddress: '127.0.0.6', forwardedFor: LISTED })).toBe(403);
    expect(sourcesTold().slice(before)).toEqual(['127.0.0.5']);
  });

  it.runIf(guide === 'run-on-a-network')('passes REST, whose links have the host that the client called', async () => {
    const { body } = await stage.server.rest(`http://127.0.0.1:${port}/v1/Rooms`);
    expect(body.meta.url).toMatch(/^http:\/\/127\.0\.0\.1\/v1\/Rooms/);
  });
});

/** What the guide prints, in the smallest server there is. */
function nginxConfig(guide: string, { folder, port }: { folder: string; port: number }): string {
  const page = readFileSync(new URL(`../../docs/guides/${guide}.md`, import.meta.url), 'utf8');
  const location = /```nginx\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  if (!location.includes('http://127.0.0.1:8080;')) throw new Error(`${guide} has another configuration now`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  return `daemon off; pid ${folder}/pid; error_log stderr;
    events {}
    http { access_log off; ${temporary}
    map $http_upgrade $connection_upgrade { '' close; default upgrade; }
    server { listen 127.0.0.1:${port};
    ${location.replace(':8080', `:${stage.server.httpPort}`)} } }`;
}
