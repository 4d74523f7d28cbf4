import { describe, expect, it } from 'vitest';
import { isElsewhere } from './phone-address.ts';

describe('the address in a phone’s SDP', () => {
  it.each([
    ['10.1.2.3', '203.0.113.9'],
    ['172.16.0.9', '203.0.113.9'],
    ['192.168.1.20', '203.0.113.9'],
    ['100.64.0.1', '203.0.113.9'],
    ['169.254.7.7', '203.0.113.9'],
    ['fd00::5', '2001:db8::9'],
    ['fe80::1', '2001:db8::9'],
    ['febf::1', '2001:db8::9'],
    ['::ffff:10.1.2.3', '203.0.113.9'],
    ['::ffff:a01:203', '203.0.113.9'],
    ['0:0:0:0:0:ffff:a01:203', '203.0.113.9'],
    ['127.0.0.1', '203.0.113.9'],
    ['127.0.0.1', '10.0.0.5'],
    ['127.9.9.9', ''],
    ['::1', '2001:db8::9'],
    ['0:0:0:0:0:0:0:1', '10.0.0.5'],
    ['0.0.0.0', '203.0.113.9'],
    ['::', '127.0.0.1'],
  ])('%s says nothing to us when signaling comes from "%s"', (address, signaling) => {
    expect(isElsewhere(address, signaling)).toBe(true);
  });

  it.each([
    ['198.51.100.7', '203.0.113.9'],
    ['10.1.2.3', '10.9.9.9'],
    ['10.1.2.3', '192.168.1.1'],
    ['192.168.1.20', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '127.0.0.1'],
    ['10.1.2.3', ''],
    ['10.1.2.3', 'sip.carrier.example'],
    ['172.32.0.1', '203.0.113.9'],
    ['100.128.0.1', '203.0.113.9'],
    ['2001:db8::7', '2001:db8::9'],
  ])('%s is believed when signaling comes from "%s"', (address, signaling) => {
    expect(isElsewhere(address, signaling)).toBe(false);
  });

  it('of a private network is believed of those on our side of the NAT', () => {
    const isNear = (address: string): boolean => address === '203.0.113.9';
    expect([isElsewhere('10.1.2.3', '203.0.113.9', isNear), isElsewhere('10.1.2.3', '203.0.113.10', isNear), isElsewhere('127.0.0.1', '203.0.113.9', isNear)]).toEqual([false, true, true]);
  });
});
