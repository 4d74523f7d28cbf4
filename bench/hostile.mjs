/**
 * A million broken SIP messages against a running server, half of them datagrams, half on TCP connections.
 *
 *   npm run build && node bench/hostile.mjs [--messages 1000000] [--rate 8000] [--stranger-rate 0]
 *
 * INVITE, ACK, BYE, CANCEL, REGISTER, OPTIONS and SDP in them, mutated as in test/fuzz, one in ten left as it is so that calls stand
 * while the rest comes in. `--rate`: messages a second in all. `--stranger-rate`: PARTYLINE_SIP_STRANGER_RATE (0: no limit, everything is
 * parsed). Told at the end: answers by status, memory before and after, whether a call still works, and what SIP still holds 75 s later.
 * Exit code 1 when the server died, a call failed or something stayed. The senders are 127.0.0.2 and up, so that the caller of
 * the last call (127.0.0.1) is not held to their rate. Needs sipp (Debian: sip-tester).
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { ACCOUNT, SECRET, sleep, startServer } from './server.mjs';

const NUMBER = '+15550100';
const TCP_CONNECTIONS = 20;
const SENDERS = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
const BATCH_MS = 10;
/** Longer than any transaction, or a call that is hung up, takes to be forgotten. */
const SETTLE_S = 75;

const { values } = parseArgs({ options: { messages: { type: 'string', default: '1000000' }, rate: { type: 'string', default: '8000' }, 'stranger-rate': { type: 'string', default: '0' } } });
const messages = Number(values.messages);
const perBatch = Math.max(2, Math.round((Number(values.rate) * BATCH_MS) / 1000));
const folder = mkdtempSync(join(tmpdir(), 'partyline-bench-'));

const { mutate, randomFrom } = await loadMutations();
const random = randomFrom(5);

async function loadMutations() {
  const source = readFileSync(new URL('../test/fuzz/mutate.ts', import.meta.url), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
  return import(`data:text/javascript;base64,${Buffer.from(outputText).toString('base64')}`);
}

const SDP = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=audio 40000 RTP/AVP 0 8 101', 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15', 'a=sendrecv', ''].join('\r\n');

/** Live dialogs, so that BYE, ACK and re-INVITE reach behind the front door. */
const dialogs = [];
let serial = 0;

function request(method, { transport, sipPort, dialog }) {
  const id = dialog?.id ?? `${serial++}`;
  const body = method === 'INVITE' ? SDP : '';
  const cseq = method === 'CANCEL' || method === 'ACK' ? 1 : dialog ? 2 + random(5) : 1;
  const branch = method === 'CANCEL' ? id : `${id}-${method}-${random(1e9)}`;
  return Buffer.from(
    [
      `${method} sip:${method === 'REGISTER' ? '' : `${NUMBER}@`}127.0.0.1:${sipPort} SIP/2.0`,
      `Via: SIP/2.0/${transport} 127.0.0.2:5999;branch=z9hG4bK${method === 'INVITE' && !dialog ? id : branch};rport`,
      `From: "A, B" <sip:a@127.0.0.2>;tag=f${id}`,
      `To: <sip:${NUMBER}@127.0.0.1>${dialog ? `;tag=${dialog.tag}` : ''}`,
      `Call-ID: hostile-${id}`,
      `CSeq: ${cseq} ${method}`,
      'Contact: <sip:a@127.0.0.2:5999>',
      'Max-Forwards: 70',
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  );
}

const METHODS = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'REGISTER', 'OPTIONS', 'INFO', 'UPDATE'];

function seed(options) {
  const method = METHODS[random(METHODS.length)];
  const dialog = dialogs.length > 0 && !['REGISTER', 'OPTIONS'].includes(method) && random(3) > 0 ? dialogs[random(dialogs.length)] : undefined;
  return request(method, { ...options, dialog });
}

/** INVITEs that are sound are few, or calls would be all there is. */
function hostile(options) {
  const one = seed(options);
  if (random(10) === 0 && (!one.subarray(0, 6).equals(Buffer.from('INVITE')) || random(20) === 0)) return one;
  return mutate(one, seed(options), random);
}

const answers = new Map();

function heard(text) {
  for (const [, status] of text.matchAll(/SIP\/2\.0 (\d{3}) /g)) answers.set(status, (answers.get(status) ?? 0) + 1);
  const id = /^Call-ID: hostile-(\d+)\r$/im.exec(text)?.[1];
  const tag = /^To:.*;tag=([^;\r]+)/im.exec(text)?.[1];
  if (!text.startsWith('SIP/2.0 200') || !/^CSeq: 1 INVITE\r$/im.test(text) || id === undefined || tag === undefined) return;
  dialogs.push({ id, tag });
  if (dialogs.length > 200) dialogs.shift();
}

async function openSockets() {
  return Promise.all(
    SENDERS.map(async (address) => {
      const socket = createSocket('udp4').on('message', (bytes) => heard(bytes.toString('latin1')));
      await new Promise((resolve) => socket.bind(0, address, resolve));
      return socket;
    }),
  );
}

/** One slot of the TCP side: opened again whenever the server has closed it. */
class Connection {
  opened = 0;
  #socket = null;

  constructor(port, localAddress) {
    this.port = port;
    this.localAddress = localAddress;
  }

  /** Resolves with false when it had to wait for the server to read. */
  send(bytes) {
    this.#socket ??= this.#open();
    if (this.#socket.writableLength > 1 << 18) return false;
    this.#socket.write(bytes);
    return true;
  }

  #open() {
    this.opened++;
    const socket = connect({ host: '127.0.0.1', port: this.port, localAddress: this.localAddress });
    socket.on('data', (bytes) => heard(bytes.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => (this.#socket = null));
    return socket;
  }

  close() {
    this.#socket?.destroy();
  }
}

async function storm(server) {
  const sockets = await openSockets();
  const connections = Array.from({ length: TCP_CONNECTIONS }, (_, i) => new Connection(server.sipPort, SENDERS[i % SENDERS.length]));
  const sent = { udp: 0, tcp: 0 };
  const startMs = Date.now();
  while (sent.udp + sent.tcp < messages && server.alive()) {
    const batchMs = Date.now();
    for (let n = 0; n < perBatch; n += 2) {
      sockets[random(sockets.length)].send(hostile({ transport: 'UDP', sipPort: server.sipPort }), server.sipPort, '127.0.0.1');
      sent.udp++;
      if (connections[random(connections.length)].send(hostile({ transport: 'TCP', sipPort: server.sipPort }))) sent.tcp++;
    }
    await sleep(Math.max(0, batchMs + BATCH_MS - Date.now()));
  }
  const tookS = (Date.now() - startMs) / 1000;
  const opened = connections.reduce((sum, connection) => sum + connection.opened, 0);
  await sleep(1000);
  for (const connection of connections) connection.close();
  for (const socket of sockets) socket.close();
  return { sent, tookS, opened };
}

async function startApplication() {
  const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/xml' }).end('<Response><Pause length="1"/><Hangup/></Response>'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

async function declareNumber(server, application) {
  const answer = await fetch(`${server.url}/2010-04-01/Accounts/${ACCOUNT}/IncomingPhoneNumbers.json`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT}:${SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ PhoneNumber: NUMBER, VoiceUrl: `${application.url}/voice` }),
  });
  if (answer.status !== 201) throw new Error(`the number could not be declared: ${await answer.text()}`);
}

/** True when a caller is answered and hung up as it should be. */
function callWorks(server) {
  const scenario = fileURLToPath(new URL('call-setup.xml', import.meta.url));
  const child = spawn('sipp', [`127.0.0.1:${server.sipPort}`, '-sf', scenario, '-s', NUMBER, '-i', '127.0.0.1', '-m', '3', '-r', '1', '-nostdin', '-timeout', '30s', '-timeout_error'], { cwd: folder, stdio: 'ignore', env: { ...process.env, TERM: 'dumb' } });
  return new Promise((resolve, reject) => {
    child.on('error', () => reject(new Error('sipp is not there: apt-get install sip-tester')));
    child.on('exit', (code) => resolve(code === 0));
  });
}

const rssMb = (pid) => Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);

async function metrics(server) {
  const text = await (await fetch(`${server.metricsUrl}/metrics`)).text();
  const pick = (prefix) => Object.fromEntries([...text.matchAll(new RegExp(`^${prefix}(?:\\{\\w+="([^"]+)"\\})? (\\d+)$`, 'gm'))].map(([, label, value]) => [label ?? 'calls', Number(value)]));
  return { open: { ...pick('partyline_sip_open'), ...pick('partyline_calls') }, refused: pick('partyline_sip_refused_total') };
}

/** What stands once nothing comes any more; waits for it to be nothing. */
async function leftOver(server) {
  for (let s = 0; ; s++) {
    const { open } = await metrics(server);
    if (Object.values(open).every((count) => count === 0) || s >= SETTLE_S) return { open, afterS: s };
    await sleep(1000);
  }
}

const application = await startApplication();
const server = await startServer({ dataDir: folder, rtpPorts: '30000-32999', metrics: true, env: { PARTYLINE_SIP_STRANGER_RATE: values['stranger-rate'], PARTYLINE_LOG_LEVEL: 'error' } });
let good = false;
try {
  await declareNumber(server, application);
  const before = await callWorks(server);
  const rssBefore = rssMb(server.pid);
  const { sent, tookS, opened } = await storm(server);
  if (!server.alive()) throw new Error('the server died');
  const rssAfter = rssMb(server.pid);
  const { open, afterS } = await leftOver(server);
  const { refused } = await metrics(server);
  const after = await callWorks(server);
  console.log(`sent               ${sent.udp} datagrams, ${sent.tcp} on ${opened} TCP connections, in ${tookS.toFixed(0)} s`);
  console.log(`not read           ${JSON.stringify(refused)}`);
  console.log(`answers            ${[...answers].sort().map(([status, count]) => `${status}: ${count}`).join(', ')}`);
  console.log(`memory             ${rssBefore} MB before, ${rssAfter} MB at the end, ${rssMb(server.pid)} MB later`);
  console.log(`still open         ${JSON.stringify(open)} ${afterS} s later`);
  console.log(`calls              ${before ? 'worked' : 'FAILED'} before, ${after ? 'work' : 'FAIL'} after`);
  good = before && after && Object.values(open).every((count) => count === 0);
} finally {
  await server.stop();
  application.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(good ? 0 : 1);
