import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { forgetOldest } from './forget-oldest.ts';

describe('what is remembered up to a bound', () => {
  it('is the latest, and never more', () => {
    const map = new Map<string, number>();
    for (let n = 0; n < 1000; n++) {
      map.set(String(n), n);
      forgetOldest(map, 100);
      expect(map.size).toBeLessThanOrEqual(100);
    }
    expect([...map.values()].at(-1)).toBe(999);
    expect([...map.keys()]).toEqual(Array.from({ length: map.size }, (_, n) => String(1000 - map.size + n)));
    expect(map.size).toBeGreaterThan(90);
  });

  it('takes no memory for those who come again and again', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const map = new Map<string, number>();
    const comeAgain = (times: number): number => {
      for (let n = 0; n < times; n++) {
        const key = `10.0.0.${n % 10}`;
        map.delete(key);
        map.set(key, n);
        forgetOldest(map, 20_000);
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = comeAgain(1000);
    expect(comeAgain(300_000) - before).toBeLessThan(8_000_000);
  });
});
