import { expect, test } from 'vitest';
import { orderTargets } from './order-targets.ts';

const target = (name: string, priority: number, weight = 10, enabled = true) => ({ target: `sip:${name}`, priority, weight, enabled });
const names = (targets: readonly { target: string }[]): string => targets.map((entry) => entry.target.slice(4)).join(' ');

test('the lowest priority comes first, and what is off not at all', () => {
  const targets = [target('c', 20), target('a', 0), target('off', 0, 10, false), target('b', 10)];
  expect(names(orderTargets(targets, () => 0))).toBe('a b c');
});

test('within one priority a target is first as often as its weight says', () => {
  const targets = [target('heavy', 10, 3), target('light', 10, 1)];
  const firsts = [0, 1, 2, 3].map((drawn) => names(orderTargets(targets, (max) => Math.min(drawn, max - 1))));
  expect(firsts).toEqual(['heavy light', 'heavy light', 'heavy light', 'light heavy']);
});

test('every enabled target is tried once', () => {
  const targets = Array.from({ length: 50 }, (_, n) => target(String(n), n % 3, n + 1));
  const ordered = orderTargets(targets, (max) => max - 1);
  expect(new Set(ordered).size).toBe(50);
  expect(ordered.map(({ priority }) => priority)).toEqual([...ordered.map(({ priority }) => priority)].sort());
});
