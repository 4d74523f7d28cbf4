import { describe, expect, it } from 'vitest';
import { newSid } from '../base/sid.ts';
import { EXCLUDE_ALL, INCLUDE_ALL, includesAll, isIncluded, readTrackRules, type RuledTrack } from './track-rules.ts';

const limits = { code: 53215, kinds: ['audio', 'video', 'data'] as const };
const read = (rules: unknown) => readTrackRules(JSON.stringify(rules), limits);
const track = (over: Partial<RuledTrack> = {}): RuledTrack => ({ sid: newSid('MT'), name: 'camera', kind: 'video', publisherSid: newSid('PA'), publisherIdentity: 'alice', ...over });

describe('track rules', () => {
  it('begin with nothing and are joined in order', () => {
    expect(isIncluded([], track())).toBe(false);
    const rules = read([{ type: 'include', all: true }, { type: 'exclude', publisher: 'alice' }, { type: 'include', publisher: 'alice', kind: 'audio' }]);
    expect(isIncluded(rules, track())).toBe(false);
    expect(isIncluded(rules, track({ kind: 'audio' }))).toBe(true);
    expect(isIncluded(rules, track({ publisherIdentity: 'bob' }))).toBe(true);
  });

  it('know publishers and tracks by name or SID, letter case counts in names', () => {
    const known = track();
    expect(isIncluded(read([{ type: 'include', track: known.sid.toUpperCase().replace('MT', 'MT') }]), known)).toBe(true);
    expect(isIncluded(read([{ type: 'include', publisher: known.publisherSid }]), known)).toBe(true);
    expect(isIncluded(read([{ type: 'include', track: 'camera' }]), known)).toBe(true);
    expect(isIncluded(read([{ type: 'include', track: 'Camera' }]), known)).toBe(false);
  });

  it.each([
    [[INCLUDE_ALL], true],
    [[EXCLUDE_ALL, INCLUDE_ALL], true],
    [[INCLUDE_ALL, { ...INCLUDE_ALL, all: null, kind: 'audio' as const }], true],
    [[INCLUDE_ALL, EXCLUDE_ALL], false],
    [[INCLUDE_ALL, { ...EXCLUDE_ALL, all: null, kind: 'audio' as const }], false],
    [[{ ...INCLUDE_ALL, all: null, kind: 'audio' as const }], false],
    [[], false],
  ])('%# include everything: %s', (rules, all) => {
    expect(includesAll(rules)).toBe(all);
  });

  it('come back with every member, those not given null', () => {
    expect(read([{ type: 'exclude', kind: 'data' }])).toEqual([{ type: 'exclude', all: null, kind: 'data', publisher: null, track: null, priority: null }]);
  });

  it.each([
    ['no JSON', 'not json'],
    ['an object', '{"type":"include","all":true}'],
    ['nothing', '[]'],
    ['21 rules', JSON.stringify(Array.from({ length: 21 }, () => INCLUDE_ALL))],
    ['no type', '[{"all":true}]'],
    ['an unknown type', '[{"type":"only","all":true}]'],
    ['all: false', '[{"type":"include","all":false}]'],
    ['all with another filter', '[{"type":"include","all":true,"kind":"audio"}]'],
    ['no filter', '[{"type":"include"}]'],
    ['an unknown kind', '[{"type":"include","kind":"smell"}]'],
    ['an unknown filter', '[{"type":"include","identity":"alice"}]'],
    ['a publisher that is no text', '[{"type":"include","publisher":7}]'],
    ['a name too long', JSON.stringify([{ type: 'include', track: 'x'.repeat(129) }])],
    ['a rule that is no object', '["include"]'],
  ])('are refused: %s', (_, json) => {
    expect(() => readTrackRules(json, limits)).toThrow(expect.objectContaining({ code: 53215 }));
  });

  it('of recordings know no data tracks', () => {
    expect(() => readTrackRules('[{"type":"include","kind":"data"}]', { code: 53120, kinds: ['audio', 'video'] })).toThrow(expect.objectContaining({ code: 53120 }));
  });
});
