import { describe, expect, it } from 'vitest';
import { Bans } from './bans.ts';
import { Door } from './door.ts';
import { sourceKey } from './source-key.ts';
import { TokenBuckets } from './token-buckets.ts';

const SCANNER = '203.0.113.9';
const CARRIER = '198.51.100.1';
const doorWith = (strangerRatePerS: number | null = 10): Door => new Door({ strangerRatePerS, isTrusted: (address) => address === CARRIER });
/** How many of so many messages at one time are read. */
const read = (door: Door, address: string, count: number, nowMs = 0): number => Array.from({ length: count }, () => door.refusalOf(address, nowMs)).filter((refusal) => refusal === null).length;

describe('strangers', () => {
  it('are read at their rate, and no other suffers from it', () => {
    const door = doorWith();
    expect(read(door, SCANNER, 1000)).toBe(20);
    expect(read(door, SCANNER, 1000, 1000)).toBe(10);
    expect(read(door, '203.0.113.10', 5, 1000)).toBe(5);
    expect(door.refused.rate).toBe(980 + 990);
  });

  it('of one /64 count as one', () => {
    expect(sourceKey('2001:db8:0:1::5')).toBe(sourceKey('2001:DB8::1:ffff:0:0:1'));
    expect(sourceKey('2001:db8:0:2::5')).not.toBe(sourceKey('2001:db8:0:1::5'));
    const door = doorWith();
    expect(Array.from({ length: 100 }, (_, n) => read(door, `2001:db8::${n.toString(16)}`, 1)).filter((n) => n === 1)).toHaveLength(20);
  });

  it('all together are held to a rate of their own', () => {
    const door = doorWith();
    expect(Array.from({ length: 250 }, (_, n) => read(door, `10.0.0.${n}`, 1)).filter((n) => n === 1)).toHaveLength(200);
    expect(door.refused['total-rate']).toBe(50);
    expect(read(door, CARRIER, 100)).toBe(100);
  });

  it('are remembered up to a bound, however many of them come, and those in calls are read all the same', () => {
    const door = doorWith();
    door.callStands('192.0.2.7');
    for (let n = 0; n < 150_000; n++) {
      const address = n % 2 === 0 ? `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` : `2001:db8:${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}::1`;
      door.refusalOf(address, n);
      door.failed(address, n);
      if (n % 5 === 0) door.spokenTo(address, n);
    }
    const { sources, suspects, known, inCalls } = door.remembered;
    expect({ sources: sources > 18_000 && sources <= 20_000, suspects: suspects > 9_000 && suspects <= 10_000, known: known > 18_000 && known <= 20_000, inCalls }).toEqual({ sources: true, suspects: true, known: true, inCalls: 1 });
    expect(read(door, '192.0.2.7', 1000, 150_000)).toBe(1000);
  });

  it('are not counted where no rate is set', () => expect(read(doorWith(null), SCANNER, 5000)).toBe(5000));
});

describe('who is known', () => {
  it('is never held back: trunks, who proved itself, whom we call, who is in a call', () => {
    const door = doorWith();
    door.proved('192.0.2.1', 0);
    door.spokenTo('192.0.2.2', 0);
    door.callStands('192.0.2.3');
    for (const address of [CARRIER, '192.0.2.1', '192.0.2.2', '192.0.2.3']) expect(read(door, address, 500)).toBe(500);
    door.callEnded('192.0.2.3');
    expect(read(door, '192.0.2.3', 500)).toBe(20);
    expect(read(door, '192.0.2.2', 500, 300_001)).toBe(20);
  });
});

describe('who tries passwords', () => {
  const fail = (door: Door, nowMs: number, address = SCANNER): (number | null)[] => Array.from({ length: 20 }, () => door.failed(address, nowMs));

  it('is banned, for twice as long each time, at most an hour', () => {
    const door = doorWith();
    let nowMs = 0;
    const bans: (number | null)[] = [];
    for (let n = 0; n < 8; n++) {
      const banMs = fail(door, nowMs).at(-1) ?? null;
      bans.push(banMs);
      expect(door.refusalOf(SCANNER, nowMs + 1)).toBe('banned');
      nowMs += (banMs ?? 0) + 1;
      expect(door.refusalOf(SCANNER, nowMs)).toBeNull();
    }
    expect(bans).toEqual([60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000, 3_600_000]);
  });

  it('slowly is not, nor a phone of a house where others proved themselves', () => {
    const door = doorWith();
    for (let n = 0; n < 40; n++) expect(door.failed(SCANNER, n * 10_000)).toBeNull();
    door.proved('192.0.2.1', 0);
    expect(fail(door, 0, '192.0.2.1').every((ban) => ban === null)).toBe(true);
  });
});

describe('a million senders', () => {
  it('cost no more memory than the table has room for', () => {
    const buckets = new TokenBuckets({ ratePerS: 1, burst: 1, maxKeys: 100 });
    for (let n = 0; n < 1000; n++) expect(buckets.take(String(n), 0)).toBe(true);
    expect(buckets.size).toBeLessThanOrEqual(100);
    expect(buckets.take('999', 0)).toBe(false);
    const bans = new Bans();
    for (let n = 0; n < 20_000; n++) bans.failed(String(n), 0);
    expect(bans.isBanned('1', 0)).toBe(false);
  });
});
