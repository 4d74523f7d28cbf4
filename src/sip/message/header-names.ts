/** Compact forms (RFC 3261 §7.3.3 and the IANA list) → lower-case long name. */
const COMPACT: Record<string, string> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
};

const known = new Map<string, string>();

/** Spellings remembered; beyond it names are folded anew each time, so a hostile sender cannot grow the table. */
const KNOWN_LIMIT = 512;

/** The key a header is found by: lower case, compact form written out. `'V'` → `'via'`. */
export function headerKey(name: string): string {
  const hit = known.get(name);
  if (hit !== undefined) return hit;
  const lower = name.toLowerCase();
  const key = lower.length === 1 ? (COMPACT[lower] ?? lower) : lower;
  if (known.size < KNOWN_LIMIT && name.length < 40) known.set(name, key);
  return key;
}
