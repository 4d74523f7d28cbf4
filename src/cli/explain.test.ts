import { expect, it } from 'vitest';
import { addressOf, describeExplanation } from './explain.ts';

it.each([
  ['203.0.113.9', '203.0.113.9'],
  ['203.0.113.9:5060/tcp', '203.0.113.9'],
  ['2001:db8::1', '2001:db8::1'],
  ['[2001:db8::1]:5061/tls', '2001:db8::1'],
])('the address of %s is %s', (source, address) => expect(addressOf(source)).toBe(address));

it.each(['example.com', '', '203.0.113', '[203.0.113.9'])('%s is no source', (source) => expect(() => addressOf(source)).toThrow(/--source must be/));

it('a line a rule, then the outcome; nothing plays with the terminal', () => {
  const text = describeExplanation({ outcome: 'taken', accepted: true, steps: [{ rule: 'domain', verdict: 'no', text: 'x\u001b[31m' }, { rule: 'trunk', verdict: 'yes', text: 'acme' }] });
  expect(text).toBe('  · domain  x?[31m\n  ✓ trunk   acme\n\n=> taken\n');
});
