import { createSocket, type Socket } from 'node:dgram';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { IncomingSipCall, SipServer } from '../contract.ts';
import { makeCertificate, removeCertificates } from '../testing/certificates.ts';
import { createSipUserAgent } from '../user-agent.ts';

// By which way registered phones are called, and how long it is believed in.

let clock: FakeClock;
let ua: SipServer;
let phone: Socket;
let inbox: string[];
const closing: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  clock = new FakeClock();
  ua = createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'Test/1' }, { clock, log: silentLog });
  ua.on('registering', (register) => register.accept('alice'));
  phone = createSocket('udp4');
  inbox = [];
  phone.on('message', (bytes) => inbox.push(bytes.toString()));
  await Promise.all([ua.start(), new Promise<void>((resolve) => phone.bind(0, '127.0.0.1', resolve))]);
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  phone.close();
  const stopped = ua.stop();
  await clock.advanceAsync(2000, 50);
  await stopped;
});
afterAll(() => removeCertificates());

let registers = 0;

function register(contact: string, extra: string[] = [], transport = 'UDP'): string {
  const cseq = ++registers;
  return [
    'REGISTER sip:acme.test SIP/2.0',
    `Via: SIP/2.0/${transport} 10.0.0.5:5060;branch=z9hG4bK-reg-${cseq};rport`,
    'From: <sip:alice@acme.test>;tag=a',
    'To: <sip:alice@acme.test>',
    'Call-ID: reg',
    `CSeq: ${cseq} REGISTER`,
    `Contact: ${contact}`,
    ...extra,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

const header = (message: string, name: string): string[] => message.split('\r\n').flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []));

/** The next message that begins so; those before it are dropped. */
async function next(what: string): Promise<string> {
  let found: string | undefined;
  await expect.poll(() => (found ??= inbox.shift())?.startsWith(what) ?? ((found = undefined), false)).toBe(true);
  return found ?? '';
}

async function registerByUdp(contact: string, extra: string[] = []): Promise<string> {
  phone.send(register(contact, extra), ua.ports.udp, '127.0.0.1');
  return next('SIP/2.0 200');
}

function answer(request: string, status: string): void {
  const copied = request.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
  phone.send([`SIP/2.0 ${status}`, ...copied.map((line) => (line.startsWith('To:') ? `${line};tag=b` : line)), 'Content-Length: 0', '', ''].join('\r\n'), ua.ports.udp, '127.0.0.1');
}

/** Calls the first contact of alice. */
function call(): Promise<unknown> {
  const [contact] = ua.contactsOf('alice');
  const placed = ua.call({ to: contact?.uri ?? '', outboundProxy: contact?.outboundProxy ?? '', from: 'sip:us@a.test', body: Buffer.from('offer'), contentType: 'application/sdp' });
  return new Promise((resolve) => placed.once('ended', resolve));
}

describe('a phone behind NAT', () => {
  it('gets an OPTIONS every 30 s while it is registered, where its REGISTER came from', async () => {
    await registerByUdp('<sip:alice@10.0.0.5>', ['Expires: 70']);
    for (const second of [30, 60]) {
      await clock.advanceAsync(29_000, 500);
      expect(inbox, `before second ${second}`).toEqual([]);
      await clock.advanceAsync(1000, 500);
      const options = await next('OPTIONS sip:alice@10.0.0.5 SIP/2.0');
      expect(header(options, 'Via')[0]).toContain(`127.0.0.1:${ua.ports.udp}`);
    }
    await clock.advanceAsync(60_000, 500);
    expect(inbox).toEqual([]);
    expect([clock.pending, ua.counts().transactions]).toEqual([0, 0]);
  });

  it('costs nothing when it is not behind one', async () => {
    await registerByUdp(`<sip:alice@127.0.0.1:${phone.address().port}>`);
    await clock.advanceAsync(64_000, 1000);
    expect([inbox, clock.pending]).toEqual([[], 0]);
  });
});

describe('a phone behind an edge proxy', () => {
  it('is called over the path that its REGISTER took (RFC 3327)', async () => {
    const path = [`<sip:127.0.0.1:${phone.address().port};lr>`, '<sip:192.0.2.8;transport=tcp;lr>'];
    const told = await registerByUdp('<sip:alice@10.0.0.5>', ['Supported: path', ...path.map((hop) => `Path: ${hop}`)]);
    expect(header(told, 'Path')).toEqual(path);
    const ended = call();
    const invite = await next('INVITE sip:alice@10.0.0.5 SIP/2.0');
    expect(header(invite, 'Route')).toEqual(path);
    answer(invite, '486 Busy Here');
    await ended;
    expect(header(await next('ACK'), 'Route')).toEqual(path);
  });
});

describe('a contact behind which a call finds nobody', () => {
  const left = (): number => ua.contactsOf('alice').length;

  it.each([['430 Flow Failed', 0], ['408 Request Timeout', 0], ['486 Busy Here', 1], ['480 Temporarily Unavailable', 1]])('%s: %d contacts are left', async (status, expected) => {
    await registerByUdp(`<sip:alice@127.0.0.1:${phone.address().port}>`);
    const ended = call();
    answer(await next('INVITE'), status);
    await ended;
    expect(left()).toBe(expected);
  });

  it('stays when it rang', async () => {
    await registerByUdp(`<sip:alice@127.0.0.1:${phone.address().port}>`);
    const ended = call();
    const invite = await next('INVITE');
    answer(invite, '180 Ringing');
    answer(invite, '408 Request Timeout');
    await ended;
    expect(left()).toBe(1);
  });

  it('is forgotten after 32 s without a sound', async () => {
    await registerByUdp(`<sip:alice@127.0.0.1:${phone.address().port}>`);
    const ended = call();
    await next('INVITE');
    await clock.advanceAsync(33_000, 500);
    expect(await ended).toMatchObject({ cause: 'unreachable' });
    expect(left()).toBe(0);
  });
});

describe('the connection of a phone', () => {
  const OUTBOUND = '<sip:alice@abc.invalid;transport=tcp>;+sip.instance="<urn:uuid:0>";reg-id=1';
  let socket: TcpSocket;
  let got = '';
  beforeEach(async () => {
    got = '';
    socket = connect(ua.ports.tcp, '127.0.0.1');
    socket.on('data', (bytes: Buffer) => (got += bytes.toString()));
    socket.on('error', () => {});
    closing.push(() => void socket.destroy());
    await new Promise<void>((resolve) => socket.once('connect', resolve));
  });

  it('carries its calls while it is open, and takes its contact along when it closes', async () => {
    socket.write(register(OUTBOUND, ['Supported: outbound'], 'TCP'));
    await expect.poll(() => got).toMatch(/^SIP\/2\.0 200 /);
    expect(header(got, 'Require')).toEqual(['outbound']);
    expect(header(got, 'Contact')).toEqual([`${OUTBOUND};expires=3600`]);
    const [contact] = ua.contactsOf('alice');
    expect(contact?.outboundProxy).toBe(`sip:127.0.0.1:${socket.localPort};transport=tcp`);
    void call();
    await expect.poll(() => got).toContain('INVITE sip:alice@abc.invalid;transport=tcp SIP/2.0');
    socket.destroy();
    await expect.poll(() => ua.contactsOf('alice')).toEqual([]);
  });

  it.each([
    ['without Content-Length', (text: string) => text.replace('Content-Length: 0\r\n', ''), '400'],
    ['that is too large', (text: string) => text.replace('Content-Length: 0', 'Content-Length: 99999'), '513'],
  ])('gets its answer to a request %s and is closed', async (_what, change, status) => {
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(change(register(OUTBOUND, [], 'TCP')));
    await closed;
    expect(got).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
    expect(ua.contactsOf('alice')).toEqual([]);
  });
});

describe('a TLS connection (RFC 5923)', () => {
  /** One that calls another, is called back at the port it listens on, and how many connections it took. */
  async function callBack(names: string[]): Promise<number> {
    const [ours, theirs] = [makeCertificate(['127.0.0.1', 'localhost']), makeCertificate(names)];
    const agent = async (own: typeof ours, other: typeof ours): Promise<SipServer> => {
      const made = createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'T', tls: { port: 0, certificates: [own], caFile: other.certFile, verifyServers: false } }, { clock: systemClock, log: silentLog });
      made.on('incomingCall', (incoming: IncomingSipCall) => incoming.reject(486));
      await made.start();
      closing.push(() => made.stop());
      return made;
    };
    const [us, them] = [await agent(ours, theirs), await agent(theirs, ours)];
    const dial = (from: SipServer, to: SipServer): Promise<unknown> => {
      const placed = from.call({ to: `sip:x@127.0.0.1:${to.ports.tls};transport=tls`, from: 'sip:a@a.test', body: Buffer.from('offer'), contentType: 'application/sdp' });
      return new Promise((resolve) => placed.once('ended', ({ statusCode }) => resolve(statusCode)));
    };
    expect([await dial(them, us), await dial(us, them)]).toEqual([486, 486]);
    return us.counts().connections;
  }

  it('carries calls back to a peer that showed its name', async () => expect(await callBack(['127.0.0.1'])).toBe(1));
  it('does not for one that showed another', async () => expect(await callBack(['somebody.else'])).toBe(2));
});
