import { describe, expect, it } from 'vitest';
import { identityLines, readIdentity } from './identity-headers.ts';

const read = (headers: Record<string, string[]>) => readIdentity((name) => headers[name] ?? []);

describe('the identity that a network asserts', () => {
  it('is the SIP address with its name, and the number of the tel URI beside it', () => {
    expect(read({ 'P-Asserted-Identity': ['"Ann Lee" <sip:ann@carrier.example>', '<tel:+1-555-0100>'] })).toEqual({
      asserted: { header: 'P-Asserted-Identity', displayName: 'Ann Lee', user: '+15550100', host: 'carrier.example' },
      withheld: false,
    });
  });

  it.each([
    ['<tel:+1-555-(01)00;phone-context=example.com>', '+15550100'],
    ['sip:+15550100@carrier.example;user=phone', '+15550100'],
    ['<sip:+1555.0100;cpc=ordinary@carrier.example>', '+15550100'],
    ['<sip:a%20b@carrier.example>', 'a b'],
  ])('%s is %s', (value, user) => expect(read({ 'P-Asserted-Identity': [value] }).asserted?.user).toBe(user));

  it('only the first SIP and the first tel URI count', () => {
    expect(read({ 'P-Asserted-Identity': ['<sip:1@a.example>', '<sip:2@b.example>', '<tel:+3>', '<tel:+4>'] }).asserted).toMatchObject({ user: '+3', host: 'a.example' });
  });

  it('comes from Remote-Party-ID of the calling party when there is no better one', () => {
    const remote = ['<sip:+15550199@c.example>;party=called', '"Bo" <sip:+15550100@c.example>;party=calling;privacy=full;screen=yes'];
    expect(read({ 'Remote-Party-ID': remote })).toEqual({ asserted: { header: 'Remote-Party-ID', displayName: 'Bo', user: '+15550100', host: 'c.example' }, withheld: true });
    expect(read({ 'Remote-Party-ID': remote, 'P-Asserted-Identity': ['<tel:+1777>'] })).toMatchObject({ asserted: { header: 'P-Asserted-Identity', user: '+1777' }, withheld: false });
  });

  it.each([['http://x.example'], ['<sip:@>'], ['"open <sip:a@b>'], [''], [`<sip:${'a'.repeat(300)}@b.example>`]])('is none in %s', (value) => {
    expect(read({ 'P-Asserted-Identity': [value] }).asserted).toBeNull();
  });

  it.each([
    [{ Privacy: ['id'] }, true],
    [{ Privacy: ['Header;User'] }, true],
    [{ Privacy: ['session;critical'] }, false],
    [{ Privacy: ['none'], From: ['<sip:anonymous@anonymous.invalid>'] }, false],
    [{ From: ['"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'] }, true],
    [{ From: ['<sip:+15550100@carrier.example>;tag=1'] }, false],
  ])('%j is withheld: %s', (headers, withheld) => expect(read(headers as Record<string, string[]>).withheld).toBe(withheld));
});

describe('the identity that a trunk is told', () => {
  const identity = { user: '+15550100', host: '198.51.100.7', displayName: 'Acme, Inc.', withheld: false };

  it.each([
    ['pai', [['P-Asserted-Identity', '"Acme, Inc." <sip:+15550100@198.51.100.7>']]],
    ['rpid', [['Remote-Party-ID', '"Acme, Inc." <sip:+15550100@198.51.100.7>;party=calling;screen=yes;privacy=off']]],
    ['from', []],
    ['none', []],
  ] as const)('stands in From and, by style %s, in %j', (style, headers) => {
    expect(identityLines({ ...identity, style })).toEqual({ from: 'sip:+15550100@198.51.100.7', fromDisplayName: 'Acme, Inc.', headers });
  });

  it('is for the trunk alone when the caller withholds it', () => {
    const lines = identityLines({ ...identity, style: 'pai', withheld: true });
    expect(lines).toEqual({
      from: 'sip:anonymous@anonymous.invalid',
      fromDisplayName: 'Anonymous',
      headers: [['P-Asserted-Identity', '"Acme, Inc." <sip:+15550100@198.51.100.7>'], ['Privacy', 'id']],
    });
    expect(identityLines({ ...identity, style: 'rpid', withheld: true }).headers[0]?.[1]).toContain('privacy=full');
    expect(identityLines({ ...identity, style: 'from', withheld: true }).headers).toEqual([['Privacy', 'id']]);
    expect(identityLines({ ...identity, style: 'none', withheld: true }).headers).toEqual([]);
  });

  it('cannot become another header, nor another address', () => {
    const lines = identityLines({ user: 'a>\r\nX-Evil: 1@b;c?d', host: '2001:db8::1', displayName: 'x" <sip:evil@e>\r\nX: y', style: 'pai', withheld: false });
    expect(lines.from).toBe('sip:a%3E%0D%0AX-Evil%3A%201%40b%3Bc%3Fd@[2001:db8::1]');
    expect(lines.headers[0]?.[1]).toBe('"x\\" <sip:evil@e> X: y" <sip:a%3E%0D%0AX-Evil%3A%201%40b%3Bc%3Fd@[2001:db8::1]>');
    expect(readIdentity((name) => (name === 'P-Asserted-Identity' ? [lines.headers[0]?.[1] ?? ''] : [])).asserted?.displayName).toBe('x" <sip:evil@e> X: y');
    for (const host of ['a b', 'x>;y', 'h:5060', '', 'a\r\nb']) expect(() => identityLines({ ...identity, host, style: 'pai' })).toThrow('not a host');
  });
});
