import { createServer, type Server } from 'node:http';
import { connect as connectTls } from 'node:tls';
import { copyFileSync, utimesSync } from 'node:fs';
import { connect as connectTcp, type AddressInfo } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { IncomingSipCall, SipServer, SipTlsOptions } from '../contract.ts';
import { makeCertificate, removeCertificates } from '../testing/certificates.ts';
import { createSipUserAgent } from '../user-agent.ts';

// What TLS and WebSockets have of their own; calls over them are in user-agent.test.ts.

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => removeCertificates());

async function agent(tls?: SipTlsOptions, clock = systemClock): Promise<SipServer> {
  const made = createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'Test/1', ...(tls && { tls }) }, { clock, log: silentLog });
  await made.start();
  closing.push(() => made.stop());
  return made;
}

/** The name on the certificate that is shown to somebody who asks for `servername`. */
function shownTo(port: number | null, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: port ?? 0, rejectUnauthorized: false, ...(servername !== '' && { servername }) }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const offer = { body: Buffer.from('offer'), contentType: 'application/sdp', from: 'sip:a@127.0.0.1' };

describe('SIP over TLS', () => {
  it('shows each name its own certificate, and the first to whoever names none or another', async () => {
    const certificates = [makeCertificate(['one.test', '127.0.0.1']), makeCertificate(['two.test'])];
    const { ports } = await agent({ port: 0, certificates });
    expect([await shownTo(ports.tls, ''), await shownTo(ports.tls, 'one.test'), await shownTo(ports.tls, 'two.test'), await shownTo(ports.tls, 'three.test')]).toEqual(['one.test', 'one.test', 'two.test', 'one.test']);
  });

  it('takes up a changed certificate while it runs, and keeps the old one when the new cannot be used', async () => {
    const clock = new FakeClock();
    const [live, next] = [makeCertificate(['old.test']), makeCertificate(['new.test'])];
    const made = createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'Test/1', tls: { port: 0, certificates: [live] } }, { clock, log: silentLog });
    await made.start();
    const change = (from: { certFile: string; keyFile: string }, minute: number): void => {
      copyFileSync(from.certFile, live.certFile);
      copyFileSync(from.keyFile, live.keyFile);
      utimesSync(live.certFile, minute * 60, minute * 60);
      clock.advance(31_000);
    };
    expect(await shownTo(made.ports.tls, '')).toBe('old.test');
    change(next, 1);
    expect([await shownTo(made.ports.tls, ''), await shownTo(made.ports.tls, 'new.test')]).toEqual(['new.test', 'new.test']);
    change({ certFile: next.keyFile, keyFile: next.keyFile }, 2);
    expect(await shownTo(made.ports.tls, '')).toBe('new.test');
    const stopped = made.stop();
    for (let i = 0; i < 10; i++) {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopped;
  });

  it('calls nobody whose certificate is for another name or from nobody known, unless told so', async () => {
    const certificate = makeCertificate(['somebody.else']);
    const called = await agent({ port: 0, certificates: [certificate] });
    called.on('incomingCall', (call) => call.reject(486));
    const outcome = async (tls: SipTlsOptions | undefined): Promise<string> => {
      const call = (await agent(tls)).call({ to: `sips:x@localhost:${called.ports.tls}`, ...offer });
      return new Promise((resolve) => call.once('ended', ({ cause, statusCode }) => resolve(`${cause} ${statusCode ?? ''}`)));
    };
    expect(await outcome(undefined)).toBe('unreachable ');
    expect(await outcome({ certificates: [], caFile: certificate.certFile })).toBe('unreachable ');
    expect(await outcome({ certificates: [], verifyServers: false })).toBe('rejected 486');
  });

  it('lets verified clients in alone when it is told so', async () => {
    const [server, client] = [makeCertificate(['127.0.0.1']), makeCertificate(['client.test'])];
    const called = await agent({ port: 0, certificates: [server], caFile: client.certFile, requireClientCertificate: true });
    let calls = 0;
    called.on('incomingCall', (call) => {
      calls++;
      call.reject(486);
    });
    const dial = async (certificates: SipTlsOptions['certificates']): Promise<{ caller: SipServer; ended: Promise<number | undefined> }> => {
      const caller = await agent({ certificates, caFile: server.certFile });
      const call = caller.call({ to: `sip:x@127.0.0.1:${called.ports.tls};transport=tls`, ...offer });
      return { caller, ended: new Promise((resolve) => call.once('ended', ({ statusCode }) => resolve(statusCode))) };
    };
    expect(await (await dial([client])).ended).toBe(486);
    const { caller } = await dial([]);
    await expect.poll(() => caller.counts().connections).toBe(1);
    await expect.poll(() => caller.counts().connections).toBe(0);
    expect(calls).toBe(1);
  });

  it('is not held up in stopping by somebody who connects and says nothing', async () => {
    const made = await agent({ port: 0, certificates: [makeCertificate(['a.test'])] });
    const socket = connectTcp(made.ports.tls ?? 0, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    const beganMs = Date.now();
    await made.stop();
    expect(Date.now() - beganMs).toBeLessThan(3000);
  });

  it('names the file that it cannot use', () => {
    const { certFile } = makeCertificate(['a.test']);
    const make = (keyFile: string) => (): unknown => createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'T', tls: { port: 0, certificates: [{ certFile, keyFile }] } }, { clock: systemClock, log: silentLog });
    expect(make('/nowhere/key.pem')).toThrow(/cannot read \/nowhere\/key\.pem/);
    expect(make(certFile)).toThrow(new RegExp(`cannot use ${certFile}`));
  });
});

describe('SIP over TCP', () => {
  it('leaves room for others: one address has 500 connections at most, and gets another when it closed one', async () => {
    const { ports } = await agent();
    const open = (): Promise<'kept' | 'cut'> =>
      new Promise((resolve) => {
        const socket = connectTcp(ports.tcp, '127.0.0.1', () => socket.write('\r\n\r\n'));
        closing.push(() => void socket.destroy());
        socket.on('error', () => resolve('cut'));
        socket.on('close', () => resolve('cut'));
        socket.on('data', () => resolve('kept'));
        opened.push(() => void socket.end());
      });
    const opened: (() => void)[] = [];
    const all = await Promise.all(Array.from({ length: 500 }, () => open()));
    expect(all.filter((fate) => fate === 'kept')).toHaveLength(500);
    expect(await open()).toBe('cut');
    opened[0]?.();
    await expect.poll(() => open()).toBe('kept');
  });
});

describe('SIP over WebSocket', () => {
  async function listening(): Promise<{ ua: SipServer; url: string; http: Server }> {
    const ua = await agent();
    const http = createServer().on('upgrade', (request, socket, head) => {
      if (!ua.handleUpgrade(request, socket, head)) socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    closing.push(() => void http.close());
    return { ua, http, url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/sip` };
  }

  async function open(url: string): Promise<{ socket: WebSocket; next: () => Promise<string> }> {
    const socket = new WebSocket(url, 'sip');
    const waiting: ((text: string) => void)[] = [];
    const come: string[] = [];
    socket.on('message', (data) => {
      const give = waiting.shift();
      if (give) give(String(data));
      else come.push(String(data));
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    closing.push(() => socket.terminate());
    return { socket, next: () => new Promise((resolve) => (come.length > 0 ? resolve(come.shift() as string) : waiting.push(resolve))) };
  }

  const invite = [
    'INVITE sip:+15550100@127.0.0.1 SIP/2.0', 'Via: SIP/2.0/WS abc.invalid;branch=z9hG4bK1', 'From: <sip:web@127.0.0.1>;tag=1', 'To: <sip:+15550100@127.0.0.1>', 'Call-ID: w1', 'CSeq: 1 INVITE',
    'Contact: <sip:web@abc.invalid;transport=ws;ob>', 'Max-Forwards: 70', 'Content-Type: application/sdp', 'Content-Length: 5', '', 'offer',
  ].join('\r\n');

  it('answers on the connection, and reaches the phone on it within the call though its Contact leads nowhere', async () => {
    const { ua, url } = await listening();
    const arrived = new Promise<IncomingSipCall>((resolve) => ua.once('incomingCall', resolve));
    const phone = await open(url);
    phone.socket.send(invite);
    const call = await arrived;
    expect(call.source).toMatchObject({ transport: 'ws', address: '127.0.0.1' });
    expect(await phone.next()).toMatch(/^SIP\/2\.0 100 Trying/);
    call.accept({ body: { contentType: 'application/sdp', bytes: Buffer.from('answer') } });
    const ok = await phone.next();
    expect(ok).toMatch(/^SIP\/2\.0 200 OK/);
    expect(ok).toMatch(/\r\nContact: <sip:127\.0\.0\.1;transport=ws>\r\n/);
    const tag = /\r\nTo: [^\r]*;tag=([^\r;]+)/.exec(ok)?.[1];
    phone.socket.send(['ACK sip:127.0.0.1 SIP/2.0', 'Via: SIP/2.0/WS abc.invalid;branch=z9hG4bK2', 'From: <sip:web@127.0.0.1>;tag=1', `To: <sip:+15550100@127.0.0.1>;tag=${tag}`, 'Call-ID: w1', 'CSeq: 1 ACK', 'Max-Forwards: 70', 'Content-Length: 0', '', ''].join('\r\n'));
    await new Promise((resolve) => call.once('confirmed', resolve));
    call.hangup();
    const bye = await phone.next();
    expect(bye).toMatch(/^BYE sip:web@abc\.invalid;transport=ws;ob SIP\/2\.0\r\nVia: SIP\/2\.0\/WS /);
    phone.socket.send(bye.replace(/^BYE .*\r\n/, 'SIP/2.0 200 OK\r\n'));
    await expect.poll(() => ua.counts().dialogs).toBe(0);
  });

  it('answers a sign of life, drops what is no SIP, and takes no other subprotocol', async () => {
    const { ua, url } = await listening();
    const phone = await open(url);
    phone.socket.send('what is this');
    phone.socket.send('\r\n\r\n');
    expect(await phone.next()).toBe('\r\n');
    await expect(new Promise((_resolve, reject) => new WebSocket(url, 'mqtt').once('error', reject))).rejects.toThrow('404');
    expect(ua.counts()).toMatchObject({ connections: 1, dialogs: 0, transactions: 0 });
    phone.socket.close();
    await expect.poll(() => ua.counts().connections).toBe(0);
  });

  it('a call to a phone whose connection is closed is unreachable at once', async () => {
    const ua = await agent();
    const call = ua.call({ to: 'sip:web@abc.invalid;transport=ws', ...offer });
    expect(await new Promise((resolve) => call.once('ended', ({ cause }) => resolve(cause)))).toBe('unreachable');
  });

  it('cuts a frame that is larger than any message', async () => {
    const { url } = await listening();
    const phone = await open(url);
    phone.socket.on('error', () => {});
    const closed = new Promise((resolve) => phone.socket.once('close', resolve));
    phone.socket.send('x'.repeat(200_000));
    expect(await closed).toBe(1009);
  });
});
