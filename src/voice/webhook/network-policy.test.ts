import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createNetworkPolicy, isNetwork } from './network-policy.ts';

describe('a server that denies private networks', () => {
  const policy = createNetworkPolicy('deny', ['203.0.114.7', '2a01:4f8::7']);

  it.each([
    '127.0.0.1', '127.9.9.9', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '169.254.169.254', '198.18.0.1', '224.0.0.1', '255.255.255.255',
    '::', '::1', '[::1]', 'fe80::1%eth0', 'fd12:3456::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:10.0.0.1', '::127.0.0.1', '64:ff9b::a9fe:a9fe', '2002:7f00:1::', 'fd00:ec2::254',
    // Its own, given and found.
    '203.0.114.7', '::ffff:203.0.114.7', '2a01:4f8::7',
    'localhost', '', '1.2.3',
  ])('does not go to %s', (address) => {
    expect(policy.allows(address)).toBe(false);
  });

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '203.0.114.8', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '2002:808:808::1'])('goes to %s', (address) => {
    expect(policy.allows(address)).toBe(true);
  });

  it('does not go to an address of its own interfaces', () => {
    for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) expect(policy.allows(address)).toBe(false);
  });
});

it('networks that are named are open, the others stay closed', () => {
  const policy = createNetworkPolicy(['10.20.0.0/16', 'fd00::/8', '127.0.0.1']);
  expect(['10.20.3.4', '::ffff:10.20.3.4', 'fd00::5', '127.0.0.1'].map((address) => policy.allows(address))).toEqual([true, true, true, true]);
  expect(['10.21.3.4', 'fc00::5', '127.0.0.2', '169.254.169.254'].map((address) => policy.allows(address))).toEqual([false, false, false, false]);
});

it('allow lets all through', () => {
  expect(createNetworkPolicy('allow').allows('127.0.0.1')).toBe(true);
});

it.each<[string, boolean]>([['10.0.0.0/8', true], ['10.0.0.1', true], ['fd00::/8', true], ['10.0.0.0/33', false], ['fd00::/129', false], ['10.0.0.0/8/8', false], ['host/8', false], ['10.0.0.0/x', false]])('%s is a network: %s', (text, good) => {
  expect(isNetwork(text)).toBe(good);
});
