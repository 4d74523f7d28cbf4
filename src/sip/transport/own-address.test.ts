import { describe, expect, it } from 'vitest';
import { boundFamilies, chooseOwnAddress, familyOf, type Interfaces, type OwnAddresses } from './own-address.ts';

const MACHINE: Interfaces = () => [
  { address: '127.0.0.1', family: 4, internal: true },
  { address: '::1', family: 6, internal: true },
  { address: 'fe80::5', family: 6, internal: false },
  { address: '10.1.2.3', family: 4, internal: false },
  { address: 'fd00::5', family: 6, internal: false },
  { address: '2001:db8::5', family: 6, internal: false },
];

describe('the address that a peer is told', () => {
  it.each<[what: string, own: OwnAddresses, peer: string, told: string]>([
    ['is the one that was bound', { bind: ['192.0.2.1'] }, '198.51.100.7', '192.0.2.1'],
    ['is the public one when there is one', { bind: ['10.1.2.3'], public: ['203.0.113.5'] }, '198.51.100.7', '203.0.113.5'],
    ['is of its own family', { bind: ['::'], public: ['203.0.113.5', '2001:db8::99'] }, '2001:db8:1::7', '2001:db8::99'],
    ['is bound when only the other family has a public one', { bind: ['::'], public: ['203.0.113.5'] }, '2001:db8:1::7', '2001:db8::5'],
    ['is IPv4 for a host name', { bind: ['::'], public: ['203.0.113.5', '2001:db8::99'] }, 'carrier.example', '203.0.113.5'],
    ['is IPv6 for a host name when there is nothing else', { bind: ['2001:db8::5'] }, 'carrier.example', '2001:db8::5'],
    ['is that of an interface behind 0.0.0.0', { bind: ['0.0.0.0'] }, '198.51.100.7', '10.1.2.3'],
    ['is a routable one behind ::', { bind: ['::'] }, '2001:db8:1::7', '2001:db8::5'],
    ['is that of an interface behind :: for IPv4 too', { bind: ['::'] }, '198.51.100.7', '10.1.2.3'],
    ['is loopback for this machine', { bind: ['0.0.0.0'] }, '127.0.0.1', '127.0.0.1'],
    ['is loopback for this machine over IPv6', { bind: ['::'] }, '::1', '::1'],
    ['is the one of several that it can reach', { bind: ['127.0.0.1', '192.0.2.1', '::1'] }, '198.51.100.7', '192.0.2.1'],
    ['is loopback of several for this machine', { bind: ['192.0.2.1', '127.0.0.1'] }, '127.0.0.1', '127.0.0.1'],
    ['is not the public one inside the network', { bind: ['10.1.2.3'], public: ['203.0.113.5'], local: ['10.0.0.0/8', 'fd00::/8'] }, '10.9.9.9', '10.1.2.3'],
    ['is the public one beside the network', { bind: ['10.1.2.3'], public: ['203.0.113.5'], local: ['10.0.0.0/8'] }, '198.51.100.7', '203.0.113.5'],
  ])('%s', (_what, own, peer, told) => expect(chooseOwnAddress(own, MACHINE)(peer)).toBe(told));
});

it('knows families', () => {
  expect([familyOf('192.0.2.1'), familyOf('[2001:db8::1]'), familyOf('fe80::1%eth0'), familyOf('a.example')]).toEqual([4, 6, 6, null]);
  expect([...boundFamilies(['::'])]).toEqual([4, 6]);
  expect([...boundFamilies(['::1'])]).toEqual([6]);
});
