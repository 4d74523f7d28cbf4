import { describe, expect, it } from 'vitest';
import { clientAddresses } from './client-address.ts';

const of = clientAddresses(['10.0.0.0/8', '127.0.0.1', 'fd00::/8']);
const from = (remoteAddress: string, list?: string): string => of({ socket: { remoteAddress }, headers: list === undefined ? {} : { 'x-forwarded-for': list } });

describe('where a request comes from', () => {
  it.each([
    ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['127.0.0.1', undefined, '127.0.0.1'],
    ['127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['::ffff:127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['fd00::1', '2001:DB8:0::1', '2001:db8::1'],
    ['127.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '192.0.2.66, 198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '192.0.2.66, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
    ['127.0.0.1', '198.51.100.1:4711, 10.0.0.2', '198.51.100.1'],
    ['127.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
    ['127.0.0.1', 'garbage, 198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '10.1.1.1, 10.0.0.2', '10.1.1.1'],
    ['127.0.0.1', `${'192.0.2.66,'.repeat(100)}198.51.100.1`, '198.51.100.1'],
  ])('from %s with "%s" is %s', (peer, list, expected) => {
    expect(from(peer, list)).toBe(expected);
  });

  it.each([
    '', ' ', ',', 'unknown', '_hidden', '198.51.100.1, garbage', '198.51.100.1,', '198.51.100.300', '1.2.3', '0x7f.1', '[::1', 'fe80::1%eth0', '198.51.100.1:', '198.51.100.1:999999', '198.51.100.1\r\nX: 1', '198.51.100.1; DROP', 'a'.repeat(10_000),
  ])('is the proxy itself with what is no list of addresses: "%.40s"', (list) => {
    expect(from('127.0.0.1', list)).toBe('127.0.0.1');
  });

  it('is who connects where nobody is trusted', () => {
    expect(clientAddresses([])({ socket: { remoteAddress: '127.0.0.1' }, headers: { 'x-forwarded-for': '198.51.100.1' } })).toBe('127.0.0.1');
  });
});
