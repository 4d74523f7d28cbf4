import { TwilioError } from '../base/errors.ts';
import { parseSid } from '../base/sid.ts';
import type { TrackKind, TrackRule } from './model.ts';

/** What rules look at. */
export interface RuledTrack {
  sid: string;
  name: string;
  kind: TrackKind;
  publisherSid: string;
  publisherIdentity: string;
}

export interface RuleLimits {
  /** Number of the refusal: 53215 of subscribe rules, 53120 of recording rules. */
  code: number;
  kinds: readonly TrackKind[];
}

const MAX_RULES = 20;
const MAX_NAME_CHARS = 128;
const FILTERS = ['all', 'kind', 'publisher', 'track', 'priority'] as const;
const NO_FILTER = { all: null, kind: null, publisher: null, track: null, priority: null };

export const INCLUDE_ALL: TrackRule = { ...NO_FILTER, type: 'include', all: true };
export const EXCLUDE_ALL: TrackRule = { ...NO_FILTER, type: 'exclude', all: true };

/** Sets of tracks, joined and taken away one after the other, from the empty set on: the last rule that fits decides. */
export function isIncluded(rules: readonly TrackRule[], track: RuledTrack): boolean {
  return rules.findLast((rule) => fits(rule, track))?.type === 'include';
}

/** True when the rules take in every track there can be. */
export function includesAll(rules: readonly TrackRule[]): boolean {
  const last = rules.findLastIndex((rule) => rule.all === true);
  return rules[last]?.type === 'include' && rules.slice(last + 1).every((rule) => rule.type === 'include');
}

function fits(rule: TrackRule, track: RuledTrack): boolean {
  if (rule.all) return true;
  return (
    (rule.kind === null || rule.kind === track.kind) &&
    (rule.publisher === null || rule.publisher === track.publisherIdentity || rule.publisher === track.publisherSid) &&
    (rule.track === null || rule.track === track.name || rule.track === track.sid)
  );
}

/** Reads the JSON of `Rules`. Throws TwilioError with the code of `limits` and words that say which rule is wrong. */
export function readTrackRules(json: string | undefined, limits: RuleLimits): TrackRule[] {
  const list = parsed(json, limits);
  if (!Array.isArray(list)) throw new TwilioError(limits.code, 'Rules must be a JSON list of rules');
  if (list.length === 0 || list.length > MAX_RULES) throw new TwilioError(limits.code, `Rules must hold 1 to ${MAX_RULES} rules, not ${list.length}`);
  return list.map((rule: unknown, index) => readRule(rule, { index, limits }));
}

function parsed(json: string | undefined, { code }: RuleLimits): unknown {
  try {
    return JSON.parse(json ?? '');
  } catch {
    throw new TwilioError(code, 'Rules must be a JSON list of rules');
  }
}

function readRule(rule: unknown, { index, limits }: { index: number; limits: RuleLimits }): TrackRule {
  const refuse = (what: string): never => {
    throw new TwilioError(limits.code, `Rule ${index + 1}: ${what}`);
  };
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) return refuse('must be an object');
  const members = rule as Record<string, unknown>;
  const unknown = Object.keys(members).find((name) => name !== 'type' && !FILTERS.some((filter) => filter === name));
  if (unknown !== undefined) return refuse(`there is no filter ${JSON.stringify(unknown.slice(0, 40))}`);
  const { type, kind, all } = members;
  if (type !== 'include' && type !== 'exclude') return refuse('type must be include or exclude');
  if (given(all) && all !== true) return refuse('all can only be true');
  const chosen = limits.kinds.find((known) => known === kind) ?? null;
  if (given(kind) && chosen === null) return refuse(`kind must be one of ${limits.kinds.join(', ')}`);
  const texts = { publisher: textOf(members['publisher']), track: textOf(members['track']), priority: textOf(members['priority']) };
  for (const [name, text] of Object.entries(texts)) if (text === undefined) return refuse(`${name} must be text of 1 to ${MAX_NAME_CHARS} characters`);
  const filters = FILTERS.filter((name) => given(members[name])).length;
  if (filters === 0) return refuse('needs a filter: all, kind, publisher or track');
  if (all === true && filters > 1) return refuse('all stands alone');
  return { type, all: all === true ? true : null, kind: chosen, publisher: normalSid('PA', texts.publisher), track: normalSid('MT', texts.track), priority: texts.priority ?? null };
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Null when not given, undefined when it is no fit text. */
function textOf(value: unknown): string | null | undefined {
  if (!given(value)) return null;
  return typeof value === 'string' && value !== '' && [...value].length <= MAX_NAME_CHARS ? value : undefined;
}

/** SIDs are compared in their stored form. */
function normalSid(prefix: 'PA' | 'MT', text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : (parseSid(prefix, text) ?? text);
}
