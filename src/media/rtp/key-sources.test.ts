import { describe, expect, it } from 'vitest';
import { KeySources } from './key-sources.ts';

describe('keys from several sources', () => {
  it('count once when both tell the same press, whichever comes first', () => {
    const keys = new KeySources();
    expect(keys.isNews('5', { source: 'event', nowMs: 1000 })).toBe(true);
    expect(keys.isNews('5', { source: 'signaling', nowMs: 1180 })).toBe(false);
    expect(keys.isNews('5', { source: 'signaling', nowMs: 2000 })).toBe(true);
    expect(keys.isNews('5', { source: 'event', nowMs: 2010 })).toBe(false);
  });

  it('that were held are told late', () => {
    const keys = new KeySources();
    keys.isNews('5', { source: 'sound', nowMs: 1000 });
    expect(keys.isNews('5', { source: 'signaling', nowMs: 1600, heldMs: 450 })).toBe(false);
    expect(keys.isNews('5', { source: 'signaling', nowMs: 1700, heldMs: 450 })).toBe(true);
  });

  it('are two presses from one source, however fast, and so are two keys', () => {
    const keys = new KeySources();
    expect(keys.isNews('5', { source: 'signaling', nowMs: 1000 })).toBe(true);
    expect(keys.isNews('5', { source: 'signaling', nowMs: 1090 })).toBe(true);
    expect(keys.isNews('6', { source: 'event', nowMs: 1100 })).toBe(true);
  });
});
