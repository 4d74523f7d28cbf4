import { describe, expect, it } from 'vitest';
import { PortPool } from './port-pool.ts';

describe('RTP ports', () => {
  it('are even and leave the next one for RTCP within the range', () => {
    const pool = new PortPool({ min: 10_001, max: 10_006 });
    expect([pool.take(0), pool.take(0), pool.take(0)]).toEqual([10_002, 10_004, null]);
  });

  it('rest five seconds before somebody else gets them, the longest unused first', () => {
    const pool = new PortPool({ min: 10_000, max: 10_003 });
    const [a, b] = [pool.take(0)!, pool.take(0)!];
    pool.release(a, 1000);
    pool.release(b, 2000);
    expect(pool.take(5999)).toBeNull();
    expect(pool.take(6000)).toBe(a);
    expect(pool.take(6000)).toBeNull();
    expect(pool.take(7000)).toBe(b);
  });
});
