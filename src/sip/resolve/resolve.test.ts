import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { parseSipUri } from '../message/uri.ts';
import { destinationOf, type Destination } from '../transport/destination.ts';
import type { Dns, NaptrRecord, SrvRecord } from './dns.ts';
import { DnsCache } from './dns-cache.ts';
import { Resting } from './resting.ts';
import { Routes } from './routes.ts';
import { weightedOrder } from './weighted-order.ts';

class FakeDns implements Dns {
  readonly asked: string[] = [];
  readonly records: Record<string, unknown[]> = {};
  ttlMs = 10_000;
  dead = false;

  localAddresses(name: string): readonly string[] | null {
    return name === 'local' ? ['127.0.0.1'] : null;
  }

  naptr = (name: string) => this.#answer<NaptrRecord>('naptr', name);
  srv = (name: string) => this.#answer<SrvRecord>('srv', name);
  addresses = (name: string) => this.#answer<string>('addresses', name);

  async #answer<R>(kind: string, name: string): Promise<{ records: R[]; ttlMs: number }> {
    this.asked.push(`${kind} ${name}`);
    if (this.dead) throw new Error('no server answers');
    return { records: (this.records[`${kind} ${name}`] ?? []) as R[], ttlMs: this.ttlMs };
  }
}

function world() {
  const clock = new FakeClock();
  const dns = new FakeDns();
  const routes = new Routes({ clock, dns, family: () => 0, random: () => 0 });
  const places = async (uri: string): Promise<string[]> => (await found(uri)).map(({ transport, address, port }) => `${transport} ${address} ${port}`);
  const found = (uri: string) => new Promise<Destination[]>((resolve) => routes.find(destinationOf(parseSipUri(uri)!), resolve));
  return { clock, dns, routes, places, found };
}

const srv = (priority: number, weight: number, target = 'a') => ({ priority, weight, port: 5070, target });

describe('the order of servers', () => {
  it('is that of their priority', () => expect(weightedOrder([srv(2, 0), srv(1, 0), srv(3, 9)], () => 0).map(({ priority }) => priority)).toEqual([1, 2, 3]));

  it('within one priority is drawn by weight', () => {
    const first = { light: 0, heavy: 0 };
    for (let n = 0; n < 1000; n++) first[weightedOrder([srv(1, 25, 'light'), srv(1, 75, 'heavy')], (max) => Math.floor((n / 1000) * max))[0]!.target as 'light' | 'heavy']++;
    expect(first.heavy).toBeGreaterThan(700);
    expect(first.light).toBeGreaterThan(200);
  });

  it('leaves none out: those without weight come last', () => {
    expect(weightedOrder([srv(1, 0, 'x'), srv(1, 5, 'y'), srv(1, 0, 'z')], (max) => max - 1).map(({ target }) => target)).toEqual(['y', 'z', 'x']);
  });
});

describe('the way to a name', () => {
  it('asks for NAPTR, then SRV of all transports, then addresses', async () => {
    const { dns, places } = world();
    dns.records['srv _sip._tcp.x.example'] = [{ ...srv(1, 1), target: 'one.x.example' }];
    dns.records['addresses one.x.example'] = ['192.0.2.1', '192.0.2.2'];
    expect(await places('sip:x.example')).toEqual(['tcp 192.0.2.1 5070', 'tcp 192.0.2.2 5070']);
    expect(dns.asked).toEqual(['naptr x.example', 'srv _sip._udp.x.example', 'srv _sip._tcp.x.example', 'srv _sips._tcp.x.example', 'addresses one.x.example']);
  });

  it('for sips is TLS or nothing, whatever NAPTR offers', async () => {
    const { dns, places } = world();
    dns.records['naptr x.example'] = [{ order: 1, preference: 1, flags: 'S', service: 'SIP+D2U', replacement: '_sip._udp.x.example' }];
    dns.records['srv _sip._udp.x.example'] = [srv(1, 1)];
    dns.records['addresses x.example'] = ['192.0.2.1'];
    expect(await places('sips:x.example')).toEqual(['tls 192.0.2.1 5061']);
    expect(dns.asked).not.toContain('srv _sip._udp.x.example');
  });

  it('needs no name service for an address, a local name, or a browser', async () => {
    const { dns, places } = world();
    expect(await places('sip:192.0.2.7')).toEqual(['udp 192.0.2.7 5060']);
    expect(await places('sip:[2001:db8::7];transport=tls')).toEqual(['tls 2001:db8::7 5061']);
    expect(await places('sip:local:5090')).toEqual(['udp 127.0.0.1 5090']);
    expect(await places('sip:abc.invalid;transport=ws')).toEqual([]);
    expect(dns.asked).toEqual([]);
  });

  it('is remembered as long as it may be believed, and asked again after', async () => {
    const { clock, dns, places } = world();
    dns.records['addresses x.example'] = ['192.0.2.1'];
    await places('sip:x.example:5060');
    await places('sip:x.example:5060');
    expect(dns.asked).toHaveLength(1);
    clock.advance(10_001);
    await places('sip:x.example:5060');
    expect(dns.asked).toHaveLength(2);
  });

  it('is empty when no name server answers, and tried again soon', async () => {
    const { clock, dns, places } = world();
    dns.dead = true;
    expect(await places('sip:x.example:5060')).toEqual([]);
    dns.dead = false;
    dns.records['addresses x.example'] = ['192.0.2.1'];
    clock.advance(5_001);
    expect(await places('sip:x.example:5060')).toEqual(['udp 192.0.2.1 5060']);
  });

  it('is given up after 8 s, and heard of once', async () => {
    const { clock, dns, routes } = world();
    dns.addresses = () => new Promise(() => {});
    const heard: unknown[] = [];
    routes.find(destinationOf(parseSipUri('sip:x.example:5060')!), (places) => heard.push(places));
    clock.advance(8_000);
    expect(heard).toEqual([[]]);
    expect(clock.pending).toBe(0);
  });

  it('keeps a bounded number of answers', async () => {
    const cache = new DnsCache(new FakeDns(), new FakeClock());
    for (let n = 0; n < 1_500; n++) await cache.ask({ kind: 'srv', name: `n${n}` });
    expect(cache.size).toBe(1_000);
  });
});

describe('a server that did not answer', () => {
  const uri = 'sip:x.example:5060';

  it('comes last until its pause is over; each failure doubles it, an answer ends it', async () => {
    const { clock, dns, routes, found, places } = world();
    dns.records['addresses x.example'] = ['192.0.2.1', '192.0.2.2'];
    dns.ttlMs = 3_600_000;
    const [dead] = await found(uri);
    routes.failed(dead!);
    expect(await places(uri)).toEqual(['udp 192.0.2.2 5060', 'udp 192.0.2.1 5060']);
    clock.advance(30_000);
    expect((await places(uri))[0]).toBe('udp 192.0.2.1 5060');
    routes.failed(dead!);
    clock.advance(59_999);
    expect((await places(uri))[0]).toBe('udp 192.0.2.2 5060');
    routes.succeeded(dead!);
    expect((await places(uri))[0]).toBe('udp 192.0.2.1 5060');
  });

  it('is tried all the same when there is no other', async () => {
    const { routes, found, places } = world();
    routes.failed((await found('sip:192.0.2.1'))[0]!);
    expect(await places('sip:192.0.2.1')).toEqual(['udp 192.0.2.1 5060']);
  });

  it('may ask for a pause of ten minutes at most', () => {
    const resting = new Resting();
    resting.askedToRest('a', 3_600_000, 0);
    expect([resting.isResting('a', 599_999), resting.isResting('a', 600_000)]).toEqual([true, false]);
  });

  it('is one of a thousand that are remembered', () => {
    const resting = new Resting();
    for (let n = 0; n <= 1_000; n++) resting.failed(`${n}`, 0);
    expect([resting.isResting('0', 1), resting.isResting('1', 1)]).toEqual([false, true]);
  });
});
