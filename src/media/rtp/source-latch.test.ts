import { describe, expect, it } from 'vitest';
import { SourceLatch } from './source-latch.ts';

function latched(): SourceLatch {
  const latch = new SourceLatch();
  latch.targetGiven('10.0.0.5', 4000);
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
    latch.targetGiven('10.0.0.6', 4000);
    expect([latch.accepts('203.0.113.9', 61_000, 20), target(latch)]).toEqual([false, '10.0.0.6:4000']);
    expect(latch.accepts('198.51.100.6', 4000, 40)).toBe(true);
    expect([latch.accepts('203.0.113.9', 61_000, 5000), target(latch)]).toEqual([false, '198.51.100.6:4000']);
    latch.phoneLeft();
    latch.targetGiven('203.0.113.9', 61_000);
    expect(latch.accepts('203.0.113.9', 61_000, 6000)).toBe(true);
  });

  it('moves when the old place has been silent for two seconds', () => {
    const latch = latched();
    latch.accepts('10.0.0.5', 4000, 0);
    expect(latch.accepts('10.0.0.5', 4002, 1999)).toBe(false);
    expect(latch.accepts('10.0.0.5', 4002, 2000)).toBe(true);
    expect(target(latch)).toBe('10.0.0.5:4002');
  });

  it('moves with a new offer, and stays with the same one', () => {
    const latch = latched();
    latch.accepts('203.0.113.9', 61_000, 0);
    latch.targetGiven('10.0.0.5', 4000); // session refresh
    expect(target(latch)).toBe('203.0.113.9:61000');
    latch.targetGiven('10.0.0.6', 5000);
    expect(target(latch)).toBe('10.0.0.6:5000');
    expect(latch.accepts('10.0.0.6', 5000, 30)).toBe(true);
    expect(latch.accepts('203.0.113.9', 61_000, 40)).toBe(false);
  });
});
