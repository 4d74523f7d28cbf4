import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeClock } from '../../testing/fake-clock.ts';
import type { OutgoingSipCall, OutgoingSipCallOptions, SipEnding, SipServer } from '../contract.ts';
import { PlayedWire, type SentRequest } from '../testing/played-wire.ts';
import type { Dns } from './dns.ts';

// Calls to names with several servers; the wire is played.

const dns: Dns = {
  localAddresses: (name) => (name === 'two' ? ['192.0.2.1', '192.0.2.2'] : null),
  naptr: async () => ({ records: [], ttlMs: 1000 }),
  srv: async (name) => ({ records: name === '_sip._tcp.srv.example' ? [{ priority: 1, weight: 1, port: 5070, target: 'a.example' }] : [], ttlMs: 1000 }),
  addresses: async (name) => ({ records: name === 'a.example' ? ['192.0.2.9'] : [], ttlMs: 1000 }),
};

let wire: PlayedWire;
let clock: FakeClock;
let ua: SipServer;
let sent: SentRequest[];

beforeEach(() => {
  wire = new PlayedWire(dns);
  ({ clock, ua, sent } = wire);
});

async function call(to: string, options: Partial<OutgoingSipCallOptions> = {}): Promise<{ call: OutgoingSipCall; endings: SipEnding[] }> {
  const made = ua.call({ to, from: 'sip:+15550100@192.0.2.99', body: Buffer.from('offer'), contentType: 'application/sdp', ...options });
  const endings: SipEnding[] = [];
  made.on('ended', (ending) => endings.push(ending));
  await wire.settle();
  return { call: made, endings };
}

const answer = (to: SentRequest, status: string, extra: string[] = []): void => wire.answer(to, status, ['Contact: <sip:callee@192.0.2.77>', ...extra]);
const line = ({ to, request }: SentRequest): string => `${request.method} ${to}`;
const lines = (): string[] => wire.lines();

describe('a call to a name with two servers', () => {
  it('passes over those that it may not reach, and ends unsent when it may reach none', async () => {
    const asked: string[] = [];
    await call('sip:+1555@two', { mayReach: ({ address, port }) => asked.push(`${address}:${port}`) > 1 });
    expect(lines()).toEqual(['INVITE udp 192.0.2.2 5060']);
    expect(asked).toEqual(['192.0.2.1:5060', '192.0.2.2:5060']);
    sent.length = 0;
    const { endings } = await call('sip:+1555@srv.example;transport=tcp', { mayReach: ({ address }) => address !== '192.0.2.9' });
    await vi.waitFor(() => expect(endings).toEqual([{ cause: 'unreachable', reasonPhrase: 'Address Not Allowed' }]));
    expect(lines()).toEqual([]);
    await expect(Promise.all([ua.locate('sip:srv.example;transport=tcp'), ua.locate('sip:two'), ua.locate('sip:[2001:db8::7]'), ua.locate('tel:1')])).resolves.toEqual([['192.0.2.9'], ['192.0.2.1', '192.0.2.2'], ['2001:db8::7'], []]);
  });

  it('goes to the second when the first is silent, and the next call goes there at once', async () => {
    const first = await call('sip:+1555@two', { silenceTimeoutMs: 2000 });
    clock.advance(1999);
    expect(new Set(lines())).toEqual(new Set(['INVITE udp 192.0.2.1 5060']));
    clock.advance(1);
    expect(line(sent.at(-1)!)).toBe('INVITE udp 192.0.2.2 5060');
    const [before, after] = [sent[0]!.request, sent.at(-1)!.request];
    expect(after.headers.get('call-id')).toBe(before.headers.get('call-id'));
    expect(after.headers.get('via')).not.toBe(before.headers.get('via'));
    answer(sent.at(-1)!, '180 Ringing');
    sent.length = 0;
    clock.advance(10_000);
    expect(lines()).toEqual([]);
    expect(first.endings).toEqual([]);
    await call('sip:+1555@two');
    expect(lines()).toEqual(['INVITE udp 192.0.2.2 5060']);
  });

  it('whose silent one rings after all is cancelled there, and hung up if it is answered', async () => {
    await call('sip:+1555@two', { silenceTimeoutMs: 2000 });
    const silent = sent[0]!;
    clock.advance(2000);
    answer(sent.at(-1)!, '200 OK');
    sent.length = 0;
    answer(silent, '180 Ringing');
    answer(silent, '180 Ringing');
    expect(lines()).toEqual(['CANCEL udp 192.0.2.1 5060']);
    sent.length = 0;
    answer(silent, '200 OK');
    expect(sent.map(({ request }) => request.method)).toEqual(['ACK', 'BYE']);
    answer(sent[1]!, '200 OK');
    clock.advance(60_000);
    expect(ua.counts()).toMatchObject({ dialogs: 1, transactions: 0 });
  });

  it('goes on at once when the first is overloaded, and leaves that alone as long as it asked', async () => {
    await call('sip:+1555@two');
    answer(sent[0]!, '503 Service Unavailable', ['Retry-After: 60 (busy)']);
    expect(lines()).toEqual(['INVITE udp 192.0.2.1 5060', 'ACK udp 192.0.2.1 5060', 'INVITE udp 192.0.2.2 5060']);
    answer(sent.at(-1)!, '486 Busy Here');
    clock.advance(59_000);
    sent.length = 0;
    await call('sip:+1556@two');
    expect(lines()).toEqual(['INVITE udp 192.0.2.2 5060']);
    clock.advance(1_000);
    sent.length = 0;
    await call('sip:+1557@two');
    expect(lines()).toEqual(['INVITE udp 192.0.2.1 5060']);
  });

  it('goes on when the first cannot be reached; when none can, it ends as unreachable', async () => {
    const { endings } = await call('sip:+1555@two;transport=tcp');
    sent[0]!.failed('refused');
    sent[1]!.failed('refused');
    expect(lines()).toEqual(['INVITE tcp 192.0.2.1 5060', 'INVITE tcp 192.0.2.2 5060']);
    expect(endings).toEqual([{ cause: 'unreachable', reasonPhrase: 'Not Sent' }]);
    expect([clock.pending, ua.counts().transactions]).toEqual([0, 0]);
  });

  it('stays with the first once that has said it is busy, or rings', async () => {
    const { endings } = await call('sip:+1555@two');
    answer(sent[0]!, '486 Busy Here');
    expect(endings).toEqual([expect.objectContaining({ cause: 'rejected', statusCode: 486 })]);
    const ringing = await call('sip:+1556@two');
    answer(sent.at(-1)!, '180 Ringing');
    answer(sent.at(-1)!, '503 Service Unavailable');
    expect(ringing.endings).toEqual([expect.objectContaining({ statusCode: 503 })]);
    expect(lines().some((text) => text.includes('192.0.2.2'))).toBe(false);
  });

  it('that is hung up is not sent to the second', async () => {
    const { call: made, endings } = await call('sip:+1555@two', { silenceTimeoutMs: 2000 });
    made.hangup();
    clock.advance(64_000);
    expect(endings).toEqual([{ cause: 'local' }]);
    expect(lines().some((text) => text.includes('192.0.2.2'))).toBe(false);
    expect(ua.counts().transactions).toBe(0);
  });
});

describe('a call whose server is looked for', () => {
  it('uses the transport that was found, in Via and Contact too', async () => {
    await call('sip:+1555@srv.example');
    await expect.poll(lines).toEqual(['INVITE tcp 192.0.2.9 5070']);
    expect(sent[0]!.request.headers.get('via')).toContain('SIP/2.0/TCP');
    expect(sent[0]!.request.headers.get('contact')).toContain('transport=tcp');
    expect(sent[0]!.request.uri).toBe('sip:+1555@srv.example');
  });

  it('may be hung up meanwhile: nothing is sent', async () => {
    const made = ua.call({ to: 'sip:+1555@srv.example', from: 'sip:a@b', body: Buffer.from(''), contentType: 'x/y' });
    const ended = new Promise<SipEnding>((resolve) => made.on('ended', resolve));
    queueMicrotask(() => queueMicrotask(() => made.hangup()));
    expect(await ended).toEqual({ cause: 'local' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('ends as unreachable when there is none', async () => {
    const { endings } = await call('sip:+1555@nowhere.example');
    await expect.poll(() => endings).toEqual([{ cause: 'unreachable', reasonPhrase: 'Not Sent' }]);
  });
});

describe('a request too large for a datagram', () => {
  const large = { body: Buffer.alloc(1200, 'v') };

  it('goes over TCP when its way was not dictated; its Contact stays what it was', async () => {
    await call('sip:+1555@192.0.2.1', large);
    await call('sip:+1555@192.0.2.1;transport=udp', large);
    await call('sip:+1555@192.0.2.1', { body: Buffer.alloc(200, 'v') });
    expect(lines()).toEqual(['INVITE tcp 192.0.2.1 5060', 'INVITE udp 192.0.2.1 5060', 'INVITE udp 192.0.2.1 5060']);
    expect(sent[0]!.request.headers.get('contact')).not.toContain('tcp');
  });

  it('goes in a datagram after all when TCP is refused, and the next at once', async () => {
    await call('sip:+1555@192.0.2.1', large);
    sent[0]!.failed('ECONNREFUSED');
    await call('sip:+1555@192.0.2.1', large);
    expect(lines()).toEqual(['INVITE tcp 192.0.2.1 5060', 'INVITE udp 192.0.2.1 5060', 'INVITE udp 192.0.2.1 5060']);
  });

  it('does not wait long for a connection that nobody answers', async () => {
    wire.connecting = true;
    const { endings } = await call('sip:+1555@192.0.2.1', large);
    clock.advance(1_500);
    expect(lines()).toEqual(['INVITE tcp 192.0.2.1 5060', 'INVITE udp 192.0.2.1 5060']);
    sent[0]!.failed('too late');
    answer(sent[1]!, '486 Busy Here');
    expect(endings).toHaveLength(1);
  });
});
