import { describe, expect, it } from 'vitest';
import { SourceLatch } from './source-latch.ts';

function latched(): SourceLatch {
  const latch = new SourceLatch();
  latch.targetGiven({ address: '10.0.0.5', port: 4000 }, 0);
  return latch;
}

const target = ({ address, port }: SourceLatch): string => `${address}:${port}`;

describe('where the phone is', () => {
  it('is what its SDP says until something comes', () => {
    expect(target(latched())).toBe('10.0.0.5:4000');
  });

  it('is where its first packet came from: a phone behind NAT', () => {
    const latch = latched();
    expect(latch.accepts('203.0.113.9', 61_000, 100)).toBe(true);
    expect(target(latch)).toBe('203.0.113.9:61000');
  });

  it('does not become a stranger’s while the phone is heard', () => {
    const latch = latched();
    latch.accepts('10.0.0.5', 4000, 0);
    for (let nowMs = 20; nowMs < 10_000; nowMs += 20) {
      expect(latch.accepts('198.51.100.1', 9999, nowMs)).toBe(false);
      expect(latch.accepts('10.0.0.5', 4001, nowMs)).toBe(false);
      expect(latch.accepts('10.0.0.5', 4000, nowMs)).toBe(true);
    }
    expect(target(latch)).toBe('10.0.0.5:4000');
  });

  it('is no longer where the phone is that another one has replaced, though it still sends', () => {
    const latch = latched();
    latch.accepts('203.0.113.9', 61_000, 0);
    latch.phoneLeft();
    latch.targetGiven({ address: '10.0.0.6', port: 4000 }, 0);
    expect([latch.accepts('203.0.113.9', 61_000, 20), target(latch)]).toEqual([false, '10.0.0.6:4000']);
    expect(latch.accepts('198.51.100.6', 4000, 40)).toBe(true);
    expect([latch.accepts('203.0.113.9', 61_000, 5000), target(latch)]).toEqual([false, '198.51.100.6:4000']);
    latch.phoneLeft();
    latch.targetGiven({ address: '203.0.113.9', port: 61_000 }, 0);
    expect(latch.accepts('203.0.113.9', 61_000, 6000)).toBe(true);
  });

  it('moves when the old place has been silent for two seconds', () => {
    const latch = latched();
    latch.accepts('10.0.0.5', 4000, 0);
    expect(latch.accepts('10.0.0.5', 4002, 1999)).toBe(false);
    expect(latch.accepts('10.0.0.5', 4002, 2000)).toBe(true);
    expect(target(latch)).toBe('10.0.0.5:4002');
  });

  it('does not become a stranger’s while a phone that was heard is muted, however long', () => {
    const latch = latched();
    for (let nowMs = 0; nowMs < 1000; nowMs += 20) latch.accepts('203.0.113.9', 61_000, nowMs);
    for (let nowMs = 1000; nowMs < 600_000; nowMs += 200) expect(latch.accepts('198.51.100.1', 9999, nowMs)).toBe(false);
    expect(latch.accepts('203.0.113.9', 61_002, 600_000)).toBe(true); // its NAT gave it another port meanwhile
    expect(latch.accepts('198.51.100.1', 9999, 700_000)).toBe(false);
    latch.targetGiven({ address: '198.51.100.1', port: 9999 }, 700_000);
    expect(latch.accepts('198.51.100.1', 9999, 700_000)).toBe(true);
  });

  it('is found by the phone when a stranger’s few packets came first', () => {
    const latch = latched();
    latch.accepts('198.51.100.1', 9999, 0);
    expect(latch.accepts('203.0.113.9', 61_000, 1999)).toBe(false);
    expect(latch.accepts('203.0.113.9', 61_000, 2000)).toBe(true);
  });

  it('moves with a new offer, stays with the same one, and what is still on the way is heard', () => {
    const latch = latched();
    latch.accepts('203.0.113.9', 61_000, 0);
    latch.targetGiven({ address: '10.0.0.5', port: 4000 }, 10); // session refresh
    expect(target(latch)).toBe('203.0.113.9:61000');
    latch.targetGiven({ address: '10.0.0.6', port: 5000 }, 20);
    expect(target(latch)).toBe('10.0.0.6:5000');
    expect(latch.accepts('203.0.113.9', 61_000, 25)).toBe(true);
    expect(target(latch)).toBe('10.0.0.6:5000');
    expect(latch.accepts('10.0.0.6', 5000, 30)).toBe(true);
    expect(latch.accepts('203.0.113.9', 61_000, 40)).toBe(false);
  });

  it('does not become a stranger’s by a session refresh', () => {
    const latch = latched();
    latch.accepts('203.0.113.9', 61_000, 0);
    latch.targetGiven({ address: '10.0.0.5', port: 4000 }, 10);
    expect(latch.accepts('198.51.100.1', 9999, 20)).toBe(false);
    expect(target(latch)).toBe('203.0.113.9:61000');
  });

  it('is taken back at once from a stranger who was faster', () => {
    const latch = new SourceLatch();
    latch.targetGiven({ address: '203.0.113.9', port: 4000 }, 0);
    expect(latch.accepts('198.51.100.1', 9999, 0)).toBe(true);
    expect(latch.accepts('203.0.113.9', 4000, 20)).toBe(true);
    expect(latch.accepts('198.51.100.1', 9999, 21)).toBe(false);
    expect(target(latch)).toBe('203.0.113.9:4000');
  });
});

describe('a phone behind a NAT, whose SDP names an address of its own network', () => {
  const behindNat = (): SourceLatch => {
    const latch = new SourceLatch();
    latch.targetGiven({ address: '10.0.0.5', port: 4000, awaited: true, signalingAddress: '203.0.113.9' }, 0);
    return latch;
  };

  it('is nowhere until it is heard, and then where that came from', () => {
    const latch = behindNat();
    expect(latch.port).toBe(0);
    expect(latch.accepts('203.0.113.9', 61_000, 100)).toBe(true);
    expect(target(latch)).toBe('203.0.113.9:61000');
  });

  it('is rather where its signaling is than anywhere else', () => {
    const latch = behindNat();
    expect(latch.accepts('198.51.100.1', 9999, 0)).toBe(true);
    expect(latch.accepts('203.0.113.9', 61_000, 20)).toBe(true);
    expect(latch.accepts('198.51.100.1', 9999, 40)).toBe(false);
    expect(target(latch)).toBe('203.0.113.9:61000');
  });

  it('is nowhere again when it moves within its network, until it is heard from there', () => {
    const latch = behindNat();
    latch.accepts('203.0.113.9', 61_000, 0);
    latch.targetGiven({ address: '10.0.0.5', port: 4002, awaited: true, signalingAddress: '203.0.113.9' }, 100);
    expect(latch.accepts('203.0.113.9', 61_000, 110)).toBe(true);
    expect(latch.port).toBe(0);
    expect(latch.accepts('203.0.113.9', 61_002, 120)).toBe(true);
    expect(target(latch)).toBe('203.0.113.9:61002');
  });

  it('goes on where it was when it only said that it would move', () => {
    const latch = behindNat();
    latch.accepts('203.0.113.9', 61_000, 0);
    latch.targetGiven({ address: '10.0.0.5', port: 4002, awaited: true, signalingAddress: '203.0.113.9' }, 100);
    for (let nowMs = 120; nowMs < 2200; nowMs += 20) latch.accepts('203.0.113.9', 61_000, nowMs);
    expect(target(latch)).toBe('203.0.113.9:61000');
  });
});
