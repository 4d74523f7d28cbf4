import { describe, expect, it } from 'vitest';
import { Overload } from './overload.ts';

describe('a server that is overloaded', () => {
  it('refuses new calls from the third late second on, until it was calm for three', () => {
    const overload = new Overload(null);
    for (const delayMs of [400, 400, 10, 400, 400]) overload.sampled(delayMs);
    expect(overload.refusal(10)).toBeNull();
    overload.sampled(400);
    expect(overload.refusal(10)).toBe('late');
    for (const delayMs of [10, 10, 100, 10, 10]) overload.sampled(delayMs);
    expect(overload.refusal(10)).toBe('late');
    overload.sampled(10);
    expect(overload.refusal(10)).toBeNull();
    expect(overload.refused).toEqual({ 'max-calls': 0, late: 2, 'media-late': 0 });
  });

  it('takes no more calls than it may have', () => {
    const overload = new Overload(2);
    expect([overload.refusal(1), overload.refusal(2), overload.refusal(1)]).toEqual([null, 'max-calls', null]);
  });
});
