import { expect, test } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { DEFAULT_TRUNK_SETTINGS, type Trunk, type TrunkSettings } from './model.ts';
import { mayCallNumber, TrunkLimits } from './trunk-limits.ts';

const trunkWith = (outbound: Partial<TrunkSettings['outbound']>): Trunk => ({
  sid: newSid('BY'), accountSid: null, ofOperator: true, name: 'acme', cnamLookupEnabled: false, fromDomain: null, targets: [],
  urls: { voiceUrl: null, voiceMethod: 'POST', voiceFallbackUrl: null, voiceFallbackMethod: 'POST', statusCallback: null, statusCallbackMethod: 'POST' },
  settings: { ...DEFAULT_TRUNK_SETTINGS, outbound: { ...DEFAULT_TRUNK_SETTINGS.outbound, ...outbound } },
});

test('numbers are called by what they begin with, all of them where nothing is said', () => {
  expect(mayCallNumber(trunkWith({}), '+882')).toBe(true);
  const german = trunkWith({ allowedPrefixes: ['+49', '+4317'] });
  expect(['+4930', '+43170', '+43180', '+1'].map((number) => mayCallNumber(german, number))).toEqual([true, true, false, false]);
});

test('no more calls stand at once than are allowed, and an end makes room', () => {
  const limits = new TrunkLimits();
  const trunk = trunkWith({ maxCalls: 2 });
  for (let n = 0; n < 2; n++) limits.begun(trunk, 0);
  expect(limits.refusal(trunk, 0)).toMatch(/its 2 calls already/);
  expect(limits.refusal(trunkWith({ maxCalls: 2 }), 0)).toBeNull();
  limits.ended(trunk);
  expect(limits.refusal(trunk, 0)).toBeNull();
});

test('no more calls begin in any minute than are allowed', () => {
  const limits = new TrunkLimits();
  const trunk = trunkWith({ callsPerMinute: 2 });
  for (const atMs of [0, 30_000]) {
    expect(limits.refusal(trunk, atMs)).toBeNull();
    limits.begun(trunk, atMs);
    limits.ended(trunk);
  }
  expect(limits.refusal(trunk, 59_999)).toMatch(/2 calls of this minute/);
  expect(limits.refusal(trunk, 60_000)).toBeNull();
});
