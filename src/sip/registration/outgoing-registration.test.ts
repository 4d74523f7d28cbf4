import { beforeEach, describe, expect, it } from 'vitest';
import type { SipRegistration, SipRegistrationOptions } from '../contract.ts';
import { digestHash } from '../digest/answer.ts';
import { PlayedWire } from '../testing/played-wire.ts';

// A registration of ours at a registrar whose answers are written by hand.

let wire: PlayedWire;
let states: string[];

beforeEach(() => {
  wire = new PlayedWire();
  states = [];
});

async function register(options: Partial<SipRegistrationOptions> = {}): Promise<SipRegistration> {
  const registration = wire.ua.register({ registrar: 'sip:192.0.2.1', credentials: { username: 'trunk', password: 's3cret' }, ...options });
  registration.on('changed', (state, reason) => states.push(reason === null ? state : `${state}: ${reason}`));
  await wire.settle();
  return registration;
}

const header = (name: string): string | undefined => wire.last.request.headers.get(name);
const challenge = (more = '', algorithm = 'MD5'): string[] => [`WWW-Authenticate: Digest realm="carrier", nonce="n1", qop="auth", algorithm=${algorithm}${more}`];
const kept = (expiresS: number): void => wire.answer(wire.last, '200 OK', [`Contact: <sip:other@192.0.2.5>;expires=9, <sip:trunk@192.0.2.99:5060>;expires=${expiresS}`]);

describe('a registration at a carrier', () => {
  it('says who we are and where we are called', async () => {
    await register();
    expect(wire.lines()).toEqual(['REGISTER udp 192.0.2.1 5060']);
    expect(wire.last.request.uri).toBe('sip:192.0.2.1');
    expect(header('to')).toBe('<sip:trunk@192.0.2.1>');
    expect(header('contact')).toBe('<sip:trunk@192.0.2.99:5060>');
    expect(header('expires')).toBe('600');
  });

  it.each(['MD5', 'SHA-256'] as const)('proves itself by %s', async (algorithm) => {
    const registration = await register();
    wire.answer(wire.last, '401 Unauthorized', challenge('', algorithm));
    const proof = header('authorization') ?? '';
    const [, cnonce = ''] = /cnonce="(\w+)"/.exec(proof) ?? [];
    const hash = (text: string): string => digestHash(algorithm, text);
    expect(proof).toContain(`response="${hash(`${hash('trunk:carrier:s3cret')}:n1:00000001:${cnonce}:auth:${hash('REGISTER:sip:192.0.2.1')}`)}"`);
    expect(header('cseq')).toBe('2 REGISTER');
    kept(600);
    expect(registration.state).toBe('registered');
    expect(states).toEqual(['registering', 'registered']);
  });

  it('takes another nonce when its own is stale, and gives up with a wrong password', async () => {
    const registration = await register();
    wire.answer(wire.last, '407 Proxy Authentication Required', [challenge()[0]!.replace('WWW', 'Proxy')]);
    expect(header('proxy-authorization')).toContain('nc=00000001');
    wire.answer(wire.last, '401 Unauthorized', challenge(', stale=true'));
    expect(header('cseq')).toBe('3 REGISTER');
    wire.answer(wire.last, '401 Unauthorized', challenge());
    expect(registration.state).toBe('failed');
    expect(registration.reason).toBe('401 Unauthorized');
    const before = wire.sent.length;
    wire.clock.advance(29_000);
    expect(wire.sent.length).toBe(before);
    wire.clock.advance(31_000);
    expect(wire.sent.length).toBeGreaterThan(before);
  });

  it('does not answer a challenge that asks for auth-int alone', async () => {
    const registration = await register();
    wire.answer(wire.last, '401 Unauthorized', ['WWW-Authenticate: Digest realm="carrier", nonce="n1", qop="auth-int"']);
    expect(registration.reason).toBe('401 Unauthorized (it wants qop=auth-int, which is not spoken here)');
  });

  it('tells the way that the registrar wants calls to take, as long as it is registered', async () => {
    const registration = await register();
    wire.answer(wire.last, '200 OK', ['Expires: 100', 'Service-Route: <sip:edge.carrier.test;lr>, <sip:in.carrier.test;lr>;x=1']);
    expect(registration.serviceRoute).toBe('<sip:edge.carrier.test;lr>,<sip:in.carrier.test;lr>');
    wire.clock.advance(85_000);
    // Strict routers are not for us.
    wire.answer(wire.last, '200 OK', ['Expires: 100', 'Service-Route: <sip:edge.carrier.test>']);
    expect(registration.serviceRoute).toBeNull();
    wire.clock.advance(85_000);
    wire.answer(wire.last, '200 OK', ['Expires: 100', 'Service-Route: <sip:edge.carrier.test;lr>']);
    expect(registration.serviceRoute).toBe('<sip:edge.carrier.test;lr>');
    wire.clock.advance(85_000);
    wire.answer(wire.last, '403 Forbidden');
    expect(registration.serviceRoute).toBeNull();
  });

  it('is renewed when 85 % of its time are over, with the same Call-ID', async () => {
    await register();
    const callId = header('call-id');
    kept(100);
    wire.clock.advance(84_999);
    expect(wire.sent).toHaveLength(1);
    wire.clock.advance(1);
    expect(wire.sent).toHaveLength(2);
    expect([header('call-id'), header('cseq')]).toEqual([callId, '2 REGISTER']);
    kept(100);
    expect(states).toEqual(['registering', 'registered']);
  });

  it('asks for a longer time when the registrar wants that, once', async () => {
    const registration = await register({ expiresS: 60 });
    wire.answer(wire.last, '423 Interval Too Brief', ['Min-Expires: 1800']);
    expect(header('expires')).toBe('1800');
    wire.answer(wire.last, '423 Interval Too Brief', ['Min-Expires: 3600']);
    expect(registration.state).toBe('failed');
  });

  it('comes back by itself after the registrar was away, and says so', async () => {
    await register();
    kept(60);
    wire.clock.advance(51_000);
    const before = wire.sent.length;
    wire.clock.advance(8_000);
    expect(states.at(-1)).toBe('failed: no answer');
    wire.clock.advance(5_000);
    expect(wire.sent.length).toBeGreaterThan(before);
    kept(60);
    expect(states).toEqual(['registering', 'registered', 'failed: no answer', 'registered']);
  });

  it('waits longer with each failure, five minutes at most, and as long as it is told', async () => {
    await register();
    const waits: number[] = [];
    for (let n = 0; n < 8; n++) {
      wire.answer(wire.last, '500 Server Internal Error');
      const before = wire.sent.length;
      const sinceMs = wire.clock.nowMs();
      while (wire.sent.length === before) wire.clock.advance(500);
      waits.push(wire.clock.nowMs() - sinceMs);
    }
    for (const [n, waitMs] of waits.entries()) {
      const upperMs = Math.min(300_000, 5_000 * 2 ** n);
      expect(waitMs).toBeGreaterThanOrEqual(upperMs / 2);
      expect(waitMs).toBeLessThanOrEqual(upperMs + 500);
    }
    kept(60);
    wire.clock.advance(51_000);
    wire.answer(wire.last, '503 Service Unavailable', ['Retry-After: 120']);
    const before = wire.sent.length;
    wire.clock.advance(119_000);
    expect(wire.sent.length).toBe(before);
  });

  it('is asked for at once when somebody knows that the registrar is back', async () => {
    const registration = await register();
    wire.last.failed('refused');
    expect(states.at(-1)).toBe('failed: not reachable');
    registration.refresh();
    expect(wire.lines()).toHaveLength(2);
    registration.refresh();
    expect(wire.lines()).toHaveLength(2);
  });

  it('takes our address away at the end, and waits no longer than it must', async () => {
    const registration = await register();
    kept(60);
    let stopped = false;
    void registration.stop().then(() => (stopped = true));
    expect(header('expires')).toBe('0');
    wire.answer(wire.last, '401 Unauthorized', challenge());
    expect([header('expires'), header('cseq')]).toEqual(['0', '3 REGISTER']);
    wire.answer(wire.last, '200 OK');
    await wire.settle();
    expect(stopped).toBe(true);
    expect(states.at(-1)).toBe('stopped');

    const other = await register();
    kept(60);
    const over = other.stop();
    wire.clock.advance(1_500);
    await over;
    wire.clock.advance(60_000);
    expect([wire.clock.pending, wire.ua.counts().transactions]).toEqual([0, 0]);
  });

  it.each([{ registrar: 'tel:+1555' }, { registrar: 'sip:a b' }, { credentials: { username: '', password: '' } }, { address: 'sip:x\r\n@y' }])('%j cannot be registered', (options) => {
    expect(() => wire.ua.register({ registrar: 'sip:192.0.2.1', credentials: { username: 'a', password: 'b' }, ...options })).toThrow();
  });
});

describe('a probe', () => {
  it('tells what was answered, and that nobody answered', async () => {
    const alive = wire.ua.probe({ to: 'sip:192.0.2.1' });
    expect(wire.lines()).toEqual(['OPTIONS udp 192.0.2.1 5060']);
    wire.answer(wire.last, '404 Not Found');
    expect(await alive).toMatchObject({ statusCode: 404, reason: 'Not Found' });
    const dead = wire.ua.probe({ to: 'sip:192.0.2.1', timeoutMs: 2_000 });
    wire.clock.advance(2_000);
    expect(await dead).toEqual({ statusCode: null, reason: 'no answer', roundTripMs: 2_000 });
    wire.clock.advance(10_000);
    expect([wire.clock.pending, wire.ua.counts().transactions]).toEqual([0, 0]);
    await expect(wire.ua.probe({ to: 'nonsense' })).rejects.toThrow('not a SIP URI');
  });
});
