import { networkInterfaces } from 'node:os';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { IncomingSipCall, OutgoingSipCall, OutgoingSipCallOptions, SipEnding, SipUserAgent, SipUserAgentOptions } from './contract.ts';
import { makeCertificate, removeCertificates } from './testing/certificates.ts';
import { createSipUserAgent } from './user-agent.ts';

// Two user agents on loopback, real sockets, real time.

const certificate = makeCertificate(['127.0.0.1', 'localhost']);
const tls: Partial<SipUserAgentOptions> = { tls: { port: 0, certificates: [certificate], caFile: certificate.certFile } };
afterAll(() => removeCertificates());

const agents: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.stop()));
});

async function agent(options: Partial<SipUserAgentOptions> = {}): Promise<SipUserAgent> {
  const made = createSipUserAgent({ bindAddress: '127.0.0.1', port: 0, product: 'Test/1', ...options }, { clock: systemClock, log: silentLog });
  agents.push(made);
  await made.start();
  return made;
}

const sdp = (text: string) => ({ contentType: 'application/sdp', bytes: Buffer.from(text) });
const text = (body: { bytes: Uint8Array } | null): string | null => body && Buffer.from(body.bytes).toString();

function ended(call: OutgoingSipCall | IncomingSipCall): Promise<SipEnding> {
  return new Promise((resolve) => (call as IncomingSipCall).once('ended', resolve));
}

const incoming = (ua: SipUserAgent): Promise<IncomingSipCall> => new Promise((resolve) => ua.once('incomingCall', resolve));

function dial(from: SipUserAgent, to: SipUserAgent, options: Partial<OutgoingSipCallOptions> & { transport?: 'udp' | 'tcp' | 'tls' } = {}): OutgoingSipCall {
  const { transport = 'udp', ...rest } = options;
  return from.call({ to: `sip:+15550100@127.0.0.1:${to.ports[transport]};transport=${transport}`, from: 'sip:alice@127.0.0.1', ...sdp('offer'), body: Buffer.from('offer'), ...rest });
}

async function established(transport: 'udp' | 'tcp' | 'tls' = 'udp') {
  const [a, b] = [await agent(tls), await agent(tls)];
  const arrived = incoming(b);
  const out = dial(a, b, { transport });
  const call = await arrived;
  const confirmed = new Promise((resolve) => call.once('confirmed', resolve));
  call.accept({ body: sdp('answer') });
  await confirmed;
  return { a, b, out, call };
}

describe.each(['udp', 'tcp', 'tls'] as const)('a call over %s', (transport) => {
  it('rings, is answered, and is hung up by the called side', async () => {
    const [a, b] = [await agent(tls), await agent(tls)];
    const seen: string[] = [];
    const arrived = incoming(b);
    const out = dial(a, b, { transport, fromDisplayName: 'Alice "A" Ü', headers: [['X-Account', 'AC1']] });
    out.on('progressed', (code, body) => seen.push(`${code} ${text(body)}`));
    out.on('accepted', (body) => seen.push(`accepted ${text(body)}`));
    out.on('confirmed', () => seen.push('confirmed'));
    const call = await arrived;
    expect(call).toMatchObject({ requestUriUser: '+15550100', requestUriHost: '127.0.0.1', state: 'early', source: { transport, address: '127.0.0.1' } });
    expect(call.from).toMatchObject({ displayName: 'Alice "A" Ü', user: 'alice', host: '127.0.0.1' });
    expect(call.header('x-account')).toEqual(['AC1']);
    expect(text(call.body)).toBe('offer');
    const confirmed = new Promise((resolve) => call.once('confirmed', resolve));
    call.ring();
    call.ring({ statusCode: 183, body: sdp('early') });
    call.accept({ body: sdp('answer') });
    await confirmed;
    // Both know provisional answers that surely arrive: the first answer is the answer.
    expect(seen).toEqual(['180 null', '183 early', 'accepted early', 'confirmed']);
    expect([out.state, call.state]).toEqual(['confirmed', 'confirmed']);
    const over = ended(out);
    call.hangup({ reason: 'Q.850;cause=16' });
    expect(await over).toEqual({ cause: 'remote-bye', reason: 'Q.850;cause=16' });
    expect(call.state).toBe('ended');
  });

  it('is hung up by the calling side, and no dialog stays', async () => {
    const { a, b, out, call } = await established(transport);
    const over = ended(call);
    out.hangup();
    expect((await over).cause).toBe('remote-bye');
    await expect.poll(() => a.counts().dialogs + b.counts().dialogs).toBe(0);
  });

  it('is refused', async () => {
    const [a, b] = [await agent(tls), await agent(tls)];
    b.on('incomingCall', (call) => call.reject(486, 'Busy', [['X-Why', 'talking']]));
    expect(await ended(dial(a, b, { transport }))).toEqual({ cause: 'rejected', statusCode: 486, reasonPhrase: 'Busy' });
    await expect.poll(() => a.counts().dialogs + b.counts().dialogs).toBe(0);
  });

  it('is given up while it rings', async () => {
    const [a, b] = [await agent(tls), await agent(tls)];
    const arrived = incoming(b);
    const out = dial(a, b, { transport });
    const call = await arrived;
    const over = ended(call);
    out.on('progressed', () => out.hangup());
    call.ring();
    expect((await over).cause).toBe('remote-cancel');
    expect(out.state).toBe('ended');
    await expect.poll(() => a.counts().dialogs + b.counts().dialogs).toBe(0);
  });
});

describe('endings of outgoing calls', () => {
  it('hung up before anything was answered: CANCEL follows the first provisional answer', async () => {
    const [a, b] = [await agent(), await agent()];
    const arrived = incoming(b);
    const out = dial(a, b);
    queueMicrotask(() => queueMicrotask(() => out.hangup()));
    expect((await ended(await arrived)).cause).toBe('remote-cancel');
  });

  it('nobody answers in ringTimeoutMs', async () => {
    const [a, b] = [await agent(), await agent()];
    b.on('incomingCall', (call) => call.ring());
    expect((await ended(dial(a, b, { ringTimeoutMs: 60 }))).cause).toBe('ring-timeout');
    await expect.poll(() => b.counts().dialogs).toBe(0);
  });

  it('a name that does not resolve and a TCP port nobody listens on are unreachable', async () => {
    const a = await agent();
    const options = { from: 'sip:a@b', body: Buffer.from(''), contentType: 'application/sdp' };
    const nobody = await agent();
    const port = nobody.ports.tcp;
    await nobody.stop();
    const refused = ended(a.call({ ...options, to: `sip:x@127.0.0.1:${port};transport=tcp` }));
    const nameless = ended(a.call({ ...options, to: 'sip:x@no-such-host.invalid' }));
    expect((await refused).cause).toBe('unreachable');
    expect((await nameless).cause).toBe('unreachable');
    await expect.poll(() => a.counts().transactions).toBe(0);
  });

  it.each([
    ['a line break in a header', { headers: [['X-A', 'b\r\nX-Evil: 1']] as [string, string][] }],
    ['a line break in a display name', { fromDisplayName: 'a\r\nX-Evil: 1' }],
    ['a header of the machinery', { headers: [['Via', 'x']] as [string, string][] }],
    ['a URI that is none', { to: 'sip:' }],
  ])('%s is never sent', async (_what, options) => {
    const [a, b] = [await agent(), await agent()];
    let calls = 0;
    b.on('incomingCall', () => calls++);
    expect(await ended(dial(a, b, options))).toMatchObject({ cause: 'rejected', statusCode: 400 });
    expect(calls).toBe(0);
    expect(a.counts().transactions).toBe(0);
  });

  it('a URI header with a line break cannot become a header of its own', async () => {
    const [a, b] = [await agent(), await agent()];
    const to = `sip:x@127.0.0.1:${b.ports.udp}?X-A=b%0D%0AX-Evil:%201`;
    expect((await ended(dial(a, b, { to }))).cause).toBe('rejected');
  });
});

describe('what an INVITE may carry', () => {
  it('URI headers become headers, those of the machinery do not', async () => {
    const [a, b] = [await agent(), await agent()];
    const arrived = incoming(b);
    dial(a, b, { to: `sip:bob@127.0.0.1:${b.ports.udp};transport=udp?X-Foo=b%20ar&From=sip%3Aevil@x&X-Two=2` });
    const call = await arrived;
    expect(call.header('X-Foo')).toEqual(['b ar']);
    expect(call.header('X-Two')).toEqual(['2']);
    expect(call.from.uri).toBe('sip:alice@127.0.0.1');
    expect(call.requestUri).toBe(`sip:bob@127.0.0.1:${b.ports.udp};transport=udp`);
    expect(call.to.uri).toBe(`sip:bob@127.0.0.1:${b.ports.udp}`);
  });

  it('an outbound proxy is the next hop, by Route when it is a loose router', async () => {
    const [a, b] = [await agent(), await agent()];
    const calls: IncomingSipCall[] = [];
    b.on('incomingCall', (call) => calls.push(call));
    dial(a, b, { to: 'sip:bob@elsewhere.invalid', outboundProxy: `sip:127.0.0.1:${b.ports.udp};lr` });
    dial(a, b, { to: 'sip:bob@elsewhere.invalid', outboundProxy: `sip:127.0.0.1:${b.ports.tcp};transport=tcp` });
    await expect.poll(() => calls.length).toBe(2);
    expect(calls.map((call) => call.requestUriHost)).toEqual(['elsewhere.invalid', 'elsewhere.invalid']);
    expect(calls.find((call) => call.source.transport === 'udp')?.header('route')).toEqual([`<sip:127.0.0.1:${b.ports.udp};lr>`]);
    expect(calls.find((call) => call.source.transport === 'tcp')?.header('route')).toEqual([]);
  });

  it('the admission check refuses before a call exists', async () => {
    const [a, b] = [await agent(), await agent({ admit: () => ({ statusCode: 503, reasonPhrase: 'Full', headers: [['Retry-After', '3']] }) })];
    let calls = 0;
    b.on('incomingCall', () => calls++);
    expect(await ended(dial(a, b))).toMatchObject({ cause: 'rejected', statusCode: 503, reasonPhrase: 'Full' });
    expect(calls).toBe(0);
    expect(b.counts()).toMatchObject({ dialogs: 0, transactions: 0 });
  });
});

describe('addresses', () => {
  const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === '::1'));
  const ways = [['0.0.0.0', '127.0.0.1'], ['127.0.0.1', 'localhost'], ...(hasIPv6 ? [['::', '127.0.0.1'], ['::', '[::1]'], ['::1', '[::1]']] : [])] as [string, string][];

  it.each(ways)('bound to %s, called at %s: the whole call finds its way', async (bindAddress, host) => {
    const b = await agent({ bindAddress });
    const a = await agent({ bindAddress: host === '[::1]' ? '::1' : '127.0.0.1' });
    for (const transport of ['udp', 'tcp'] as const) {
      const arrived = incoming(b);
      const out = dial(a, b, { to: `sip:x@${host}:${b.ports[transport]};transport=${transport}` });
      const call = await arrived;
      expect(call.source.address).toBe(host === '[::1]' ? '::1' : '127.0.0.1');
      const confirmed = new Promise((resolve) => call.once('confirmed', resolve));
      call.accept({ body: sdp('answer') });
      await confirmed;
      const over = ended(out);
      call.hangup();
      expect((await over).cause).toBe('remote-bye');
    }
  });
});

describe('stopping', () => {
  it('ends live, ringing and dialled calls and says so on both sides', async () => {
    const { a, b, out, call } = await established();
    const second = incoming(b);
    const ringing = dial(a, b);
    (await second).ring();
    await new Promise<void>((resolve) => ringing.once('progressed', () => resolve()));
    const endings = Promise.all([ended(call), ended(out), ended(ringing)]);
    await b.stop();
    const [local, remote, refused] = await endings;
    expect(local.cause).toBe('server-stopped');
    expect(remote.cause).toBe('remote-bye');
    expect(refused).toMatchObject({ cause: 'rejected', statusCode: 503 });
    expect(b.counts()).toEqual({ dialogs: 0, transactions: 0, connections: 0 });
  });

  it('a taken port is a StartupError that names the address', async () => {
    const a = await agent();
    const b = createSipUserAgent({ bindAddress: '127.0.0.1', port: a.ports.udp, product: 'x' }, { clock: systemClock, log: silentLog });
    await expect(b.start()).rejects.toThrow(`127.0.0.1:${a.ports.udp}`);
  });

  it('UDP and TCP share one port number', async () => {
    const a = await agent();
    expect(a.ports.udp).toBe(a.ports.tcp);
  });
});
