import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import type { IncomingSipCall, SipServer, SipUserAgentOptions } from '../contract.ts';
import { createSipUserAgent } from '../user-agent.ts';

// Which addresses a user agent is reached at, and names itself by.

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function agent(bindAddress: string | string[], over: Partial<SipUserAgentOptions> = {}): Promise<SipServer> {
  const made = createSipUserAgent({ bindAddress, port: 0, product: 'Test/1', ...over }, { clock: systemClock, log: silentLog });
  await made.start();
  closing.push(() => made.stop());
  return made;
}

function options(host: string, from: { host: string; port: number; transport: string }): string {
  return [
    `OPTIONS sip:${host} SIP/2.0`,
    `Via: SIP/2.0/${from.transport} ${from.host}:${from.port};branch=z9hG4bK${Math.random()};rport`,
    'From: <sip:a@a.test>;tag=a',
    `To: <sip:${host}>`,
    'Call-ID: options',
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

async function udp(address: string): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  closing.push(() => void socket.close());
  return socket;
}

/** Asks over UDP from `address`: the answer, and the address it came from. */
async function ask(from: Socket, to: { address: string; port: number }): Promise<{ text: string; from: string }> {
  const answered = new Promise<{ text: string; from: string }>((resolve) => from.once('message', (bytes, source) => resolve({ text: bytes.toString(), from: source.address })));
  from.send(options('a.test', { host: '198.51.100.1', port: 5060, transport: 'UDP' }), to.port, to.address);
  return answered;
}

const sentBy = (ua: SipServer, peer: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = createSocket(peer.includes(':') ? 'udp6' : 'udp4');
    closing.push(() => void socket.close());
    socket.on('message', (bytes, from) => {
      const lines = bytes.toString().split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
      socket.send(['SIP/2.0 486 Busy Here', ...lines.map((line) => (line.startsWith('To:') ? `${line};tag=b` : line)), 'Content-Length: 0', '', ''].join('\r\n'), from.port, from.address);
      resolve(/^Via: SIP\/2\.0\/UDP ([^;]+)/m.exec(lines.join('\n'))?.[1] ?? '');
    });
    socket.bind(0, peer, () => {
      const host = peer.includes(':') ? `[${peer}]` : peer;
      ua.call({ to: `sip:x@${host}:${socket.address().port}`, from: 'sip:a@a.test', body: Buffer.from('offer'), contentType: 'application/sdp' });
    });
  });

describe('IPv6', () => {
  it.each(['udp', 'tcp'] as const)('calls over %s from ::1 to ::1, its addresses in brackets', async (transport) => {
    const [caller, called] = [await agent('::1'), await agent('::1')];
    const arrived = new Promise<IncomingSipCall>((resolve) => called.once('incomingCall', resolve));
    const call = caller.call({ to: `sip:x@[::1]:${called.ports.udp};transport=${transport}`, from: 'sip:a@[::1]', body: Buffer.from('offer'), contentType: 'application/sdp' });
    const incoming = await arrived;
    expect(incoming.requestUriHost).toBe('[::1]');
    expect(incoming.source).toMatchObject({ transport, address: '::1' });
    expect(incoming.header('Via')[0]).toMatch(new RegExp(`^SIP/2\\.0/${transport.toUpperCase()} \\[::1\\]:${caller.ports.udp};branch=[^;]+;rport=\\d+;received=::1$`));
    expect(incoming.header('Contact')[0]).toContain(`<sip:[::1]:${caller.ports.udp}`);
    incoming.accept({ body: { contentType: 'application/sdp', bytes: Buffer.from('answer') } });
    await expect.poll(() => [call.state, incoming.state]).toEqual(['confirmed', 'confirmed']);
    const ended = new Promise((resolve) => incoming.once('ended', ({ cause }) => resolve(cause)));
    call.hangup();
    expect(await ended).toBe('remote-bye');
  });

  it(':: takes both families, and names itself to each by its own', async () => {
    const ua = await agent('::');
    const four = await ask(await udp('127.0.0.1'), { address: '127.0.0.1', port: ua.ports.udp });
    const six = await ask(await udp('::1'), { address: '::1', port: ua.ports.udp });
    expect([four.from, six.from]).toEqual(['127.0.0.1', '::1']);
    expect(four.text).toMatch(/received=127\.0\.0\.1\r/);
    expect(six.text).toMatch(/received=::1\r/);
    expect([await sentBy(ua, '127.0.0.1'), await sentBy(ua, '::1')]).toEqual([`127.0.0.1:${ua.ports.udp}`, `[::1]:${ua.ports.udp}`]);
  });

  it('has a public address of each family', async () => {
    const ua = await agent('::', { addressFor: (peer) => (peer.includes(':') ? '2001:db8::5' : '203.0.113.5') });
    expect([await sentBy(ua, '127.0.0.1'), await sentBy(ua, '::1')]).toEqual([`203.0.113.5:${ua.ports.udp}`, `[2001:db8::5]:${ua.ports.udp}`]);
  });
});

describe('several addresses', () => {
  const all = ['127.0.0.2', '127.0.0.3', '::1'];

  it('have one port number, and answer from the address that was asked', async () => {
    const ua = await agent(all);
    expect(ua.ports.tcp).toBe(ua.ports.udp);
    const four = await udp('127.0.0.1');
    expect((await ask(four, { address: '127.0.0.3', port: ua.ports.udp })).from).toBe('127.0.0.3');
    expect((await ask(four, { address: '127.0.0.2', port: ua.ports.udp })).from).toBe('127.0.0.2');
    expect((await ask(await udp('::1'), { address: '::1', port: ua.ports.udp })).from).toBe('::1');
  });

  it('take TCP each', async () => {
    const ua = await agent(all);
    for (const address of all) {
      const socket = connect(ua.ports.tcp, address);
      closing.push(() => void socket.destroy());
      const answer = new Promise<string>((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())));
      socket.write(options('a.test', { host: '198.51.100.1', port: 5060, transport: 'TCP' }));
      expect(await answer).toMatch(/^SIP\/2\.0 200 /);
    }
  });

  it('are taken by another server whole or not at all', async () => {
    const ua = await agent(['127.0.0.2', '::1']);
    const other = createSipUserAgent({ bindAddress: ['127.0.0.3', '::1'], port: ua.ports.udp, product: 'Test/1' }, { clock: systemClock, log: silentLog });
    await expect(other.start()).rejects.toThrow(`::1:${ua.ports.udp}`);
    const again = createSipUserAgent({ bindAddress: '127.0.0.3', port: ua.ports.udp, product: 'Test/1' }, { clock: systemClock, log: silentLog });
    await again.start();
    closing.push(() => again.stop());
  });

  it('0.0.0.0 and :: stand side by side', async () => {
    const ua = await agent(['0.0.0.0', '::']);
    expect((await ask(await udp('127.0.0.1'), { address: '127.0.0.1', port: ua.ports.udp })).from).toBe('127.0.0.1');
    expect((await ask(await udp('::1'), { address: '::1', port: ua.ports.udp })).from).toBe('::1');
  });
});
