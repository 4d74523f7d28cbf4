import { describe, expect, it } from 'vitest';
import { behindNat } from '../transport/destination.ts';
import { routeTo } from './contact-route.ts';
import { Registrar, type RegisterRequest } from './registrar.ts';
import { readSavedBindings } from './saved-bindings.ts';

const SOURCE = { transport: 'udp' as const, address: '203.0.113.9', port: 40_000 };
const CONTACT = '<sip:alice@10.0.0.5:5060>';

function register(over: Partial<RegisterRequest> = {}): RegisterRequest {
  return { callId: 'a', cseq: 1, contacts: [CONTACT], expires: undefined, source: SOURCE, ...over };
}

function urisOf(registrar: Registrar, nowMs: number): string[] {
  return registrar.bindings('alice', nowMs).map(({ uri }) => uri);
}

describe('a registrar', () => {
  it('binds a contact for an hour by default, and no longer', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ expires: '100000' }), 0);
    expect(urisOf(registrar, 3_599_999)).toEqual(['sip:alice@10.0.0.5:5060']);
    expect(urisOf(registrar, 3_600_000)).toEqual([]);
    expect(registrar.size).toBe(0);
  });

  it('asks for a longer time than a moment', () => {
    const registrar = new Registrar();
    expect(registrar.register('alice', register({ expires: '30' }), 0)).toEqual({ statusCode: 423, minExpiresS: 60 });
    expect(registrar.register('alice', register({ contacts: [`${CONTACT};expires=59`] }), 0).statusCode).toBe(423);
    expect(urisOf(registrar, 0)).toEqual([]);
  });

  it('lists the most wanted contact first, without contacts it only tells', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ contacts: ['<sip:alice@10.0.0.5>;q=0.2', '<sip:alice@10.0.0.6>;q=0.9'] }), 0);
    const told = registrar.register('alice', register({ contacts: [], cseq: 2 }), 1);
    expect(told.statusCode === 200 && told.bindings.map(({ uri }) => uri)).toEqual(['sip:alice@10.0.0.6', 'sip:alice@10.0.0.5']);
  });

  it('takes contacts away one by one or all at once', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ contacts: ['<sip:alice@10.0.0.5>', '<sip:alice@10.0.0.6>'] }), 0);
    registrar.register('alice', register({ contacts: ['<sip:alice@10.0.0.6>;expires=0'], cseq: 2 }), 0);
    expect(urisOf(registrar, 0)).toEqual(['sip:alice@10.0.0.5']);
    expect(registrar.register('alice', register({ contacts: ['*'], cseq: 3 }), 0).statusCode).toBe(400);
    expect(registrar.register('alice', register({ contacts: ['*'], expires: '0', cseq: 3 }), 0).statusCode).toBe(200);
    expect(urisOf(registrar, 0)).toEqual([]);
  });

  it('a request that was overtaken changes nothing', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ cseq: 7 }), 0);
    expect(registrar.register('alice', register({ cseq: 6, expires: '0' }), 0).statusCode).toBe(500);
    expect(urisOf(registrar, 0)).toHaveLength(1);
    // A phone that started anew has another Call-ID and counts from one.
    expect(registrar.register('alice', register({ callId: 'b', cseq: 1, expires: '0' }), 0).statusCode).toBe(200);
    expect(urisOf(registrar, 0)).toHaveLength(0);
  });

  it('keeps ten contacts, the newest', () => {
    const registrar = new Registrar();
    for (let n = 0; n < 12; n++) registrar.register('alice', register({ callId: `c${n}`, contacts: [`<sip:alice@10.0.0.${n}>`] }), n);
    const kept = urisOf(registrar, 20);
    expect(kept).toHaveLength(10);
    expect(kept[0]).toBe('sip:alice@10.0.0.11');
    expect(kept).not.toContain('sip:alice@10.0.0.1');
  });

  it.each(['<tel:+1555>', '<sips:alice@10.0.0.5>', '<sip:alice@10.0.0.5?X=y>', 'nonsense'])('%s is no contact of ours', (contact) => {
    expect(new Registrar().register('alice', register({ contacts: [contact] }), 0).statusCode).toBe(400);
  });
});

describe('a phone that keeps its flow open (RFC 5626)', () => {
  const flow = (over: Partial<RegisterRequest>, parameters = ';+sip.instance="<urn:uuid:1>";reg-id=1') =>
    register({ outbound: { offered: true, proxies: 0 }, contacts: [`<sip:alice@10.0.0.5:${over.callId};ob>${parameters}`], ...over });

  it('has one contact for each flow of each device, however its address changes', () => {
    const registrar = new Registrar();
    registrar.register('alice', flow({ callId: '1' }), 0);
    registrar.register('alice', flow({ callId: '2' }), 1);
    expect(urisOf(registrar, 2)).toEqual(['sip:alice@10.0.0.5:2;ob']);
    registrar.register('alice', flow({ callId: '3' }, ';+sip.instance="<urn:uuid:1>";reg-id=2'), 2);
    registrar.register('alice', flow({ callId: '4' }, ';+sip.instance="<urn:uuid:2>";reg-id=1'), 3);
    expect(urisOf(registrar, 4)).toEqual(['sip:alice@10.0.0.5:4;ob', 'sip:alice@10.0.0.5:3;ob', 'sip:alice@10.0.0.5:2;ob']);
  });

  it.each([
    ['does not say that it knows outbound', { outbound: { offered: false, proxies: 0 } }],
    ['comes over a proxy that keeps no flow', { outbound: { offered: true, proxies: 1 } }],
    ['comes over a proxy whose Path says that it keeps none', { outbound: { offered: true, proxies: 1 }, path: ['<sip:192.0.2.7;lr>'] }],
  ])('is bound by its contact when it %s', (_what, over) => {
    const registrar = new Registrar();
    registrar.register('alice', flow({ callId: '1', ...over }), 0);
    registrar.register('alice', flow({ callId: '2', ...over }), 1);
    expect(urisOf(registrar, 2)).toHaveLength(2);
  });

  it('is gone when its flow closes, unlike a phone that can be connected to', () => {
    const registrar = new Registrar();
    const [source, other] = [{ transport: 'tcp' as const, address: '203.0.113.9', port: 40_000 }, { transport: 'tcp' as const, address: '203.0.113.9', port: 40_001 }];
    registrar.register('alice', flow({ callId: '1', source }), 0);
    registrar.register('alice', register({ callId: '2', source, contacts: ['<sip:alice@abc.invalid;transport=ws>', '<sip:alice@10.0.0.9;transport=tcp>', '<sip:alice@203.0.113.9:5060;transport=tcp>'] }), 0);
    registrar.flowClosed(other);
    expect(urisOf(registrar, 0)).toHaveLength(4);
    registrar.flowClosed(source);
    expect(urisOf(registrar, 0)).toEqual(['sip:alice@203.0.113.9:5060;transport=tcp']);
  });
});

describe('a contact behind which nobody was found', () => {
  it('is forgotten, its neighbours are not', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ contacts: ['<sip:alice@10.0.0.5>', '<sip:alice@10.0.0.6>'] }), 0);
    registrar.register('alice', register({ callId: 'b', contacts: ['<sip:alice@10.0.0.7>'], path: ['<sip:192.0.2.7;lr>'] }), 0);
    registrar.contactDied({ uri: 'sip:alice@10.0.0.7', path: '' });
    registrar.contactDied({ uri: 'sip:alice@10.0.0.5', path: '' });
    expect(urisOf(registrar, 0).sort()).toEqual(['sip:alice@10.0.0.6', 'sip:alice@10.0.0.7']);
    registrar.contactDied({ uri: 'sip:alice@10.0.0.7', path: '<sip:192.0.2.7;lr>' });
    expect(urisOf(registrar, 0)).toEqual(['sip:alice@10.0.0.6']);
  });
});

describe('after a restart', () => {
  const restarted = (saved: unknown, wallMs: number): Registrar => {
    const registrar = new Registrar();
    registrar.restore(readSavedBindings(JSON.parse(JSON.stringify(saved))), 0, wallMs);
    return registrar;
  };

  it('phones are where they were, for as long as they had left', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ expires: '600', path: ['<sip:192.0.2.7;lr>'] }), 50_000);
    registrar.register('bob', register({ contacts: ['<sip:bob@203.0.113.9;transport=tcp>'], expires: '60', source: { ...SOURCE, transport: 'tcp' } }), 50_000);
    const again = restarted(registrar.saved(60_000, 1_000_000), 1_010_000);
    expect([again.bindings('alice', 0)[0], again.bindings('bob', 0)[0]]).toMatchObject([{ uri: 'sip:alice@10.0.0.5:5060', expiresAtMs: 580_000, path: ['<sip:192.0.2.7;lr>'] }, { expiresAtMs: 40_000 }]);
    expect(again.register('alice', register({ cseq: 1, expires: '0' }), 0).statusCode).toBe(500);
  });

  it('those are gone that ran out meanwhile, or were reached on their connection alone', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ expires: '60' }), 0);
    registrar.register('web', register({ contacts: ['<sip:web@abc.invalid;transport=ws>'], source: { ...SOURCE, transport: 'ws' } }), 0);
    expect(restarted(registrar.saved(0, 0), 60_000).size).toBe(0);
  });

  it.each([[null], [{}], [[null, 7, { address: 'a' }, { uri: 'tel:+1' }]]])('%j is taken for nothing', (saved) => expect(restarted(saved, 0).size).toBe(0));
});

it.each([['<sip:192.0.2.7>'], ['<tel:+1>'], ['nonsense']])('a Path over %s is refused', (hop) => {
  expect(new Registrar().register('alice', register({ path: [hop] }), 0).statusCode).toBe(400);
});

describe('a phone behind NAT', () => {
  it.each([
    ['10.0.0.5', '203.0.113.9', true],
    ['172.31.0.5', '203.0.113.9', true],
    ['fd00::5', '2001:db8::9', true],
    ['172.32.0.5', '203.0.113.9', false],
    ['203.0.113.10', '203.0.113.9', false],
    ['10.0.0.5', '10.0.0.1', false],
    ['10.0.0.5', '127.0.0.1', false],
    ['phone.example', '203.0.113.9', false],
    ['10.0.0.5', 'carrier.example', false],
  ])('names %s, comes from %s: %s', (target, source, expected) => expect(behindNat(target, source)).toBe(expected));
});

describe('the way to a registered phone', () => {
  const wayOf = (contact: string, source: RegisterRequest['source'], open = false) => {
    const registrar = new Registrar();
    registrar.register('alice', register({ contacts: [contact], source }), 0);
    return routeTo(registrar.bindings('alice', 0)[0]!, () => open).outboundProxy;
  };
  it('behind NAT is where its packets come from', () => expect(wayOf(CONTACT, SOURCE)).toBe('sip:203.0.113.9:40000;transport=udp'));
  it('is its contact when that names where it is', () => expect(wayOf('<sip:alice@203.0.113.9:5070>', SOURCE)).toBe('sip:203.0.113.9:5070;transport=udp'));
  it('is the path that its REGISTER took, nearest first', () => {
    const registrar = new Registrar();
    registrar.register('alice', register({ path: ['<sip:192.0.2.7;lr>', '<sip:192.0.2.8;lr;transport=tcp>'] }), 0);
    expect(routeTo(registrar.bindings('alice', 0)[0]!, () => true).outboundProxy).toBe('<sip:192.0.2.7;lr>,<sip:192.0.2.8;lr;transport=tcp>');
  });
  it('over TCP is the connection it opened, while that lasts', () => {
    const tcp = { ...SOURCE, transport: 'tcp' as const };
    expect(wayOf('<sip:alice@10.0.0.5:5060;transport=tcp>', tcp, true)).toBe('sip:203.0.113.9:40000;transport=tcp');
    expect(wayOf('<sip:alice@10.0.0.5:5060;transport=tcp>', tcp, false)).toBe('sip:203.0.113.9:5060;transport=tcp');
  });
  it('never leads to an address that it did not register from', () => {
    const tcp = { ...SOURCE, transport: 'tcp' as const };
    for (const transport of ['tcp', 'udp']) expect(wayOf(`<sip:+19005551234@carrier.example:5060;transport=${transport}>`, tcp, false)).toBe(`sip:203.0.113.9:5060;transport=${transport}`);
  });
});
