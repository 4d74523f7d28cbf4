import { splitValues } from '../sip/message/grammar.ts';
import { parseNameAddr } from '../sip/message/name-addr.ts';
import { parseSipUri } from '../sip/message/uri.ts';

/** What is looked at of an incoming call. */
interface Diverted {
  readonly requestUriUser: string;
  header(name: string): string[];
}

interface Entry {
  user: string;
  index: number[];
}

const MAX_ENTRIES = 20;
const USER = /^[^@;>\p{Cc}]{1,64}$/u;

/**
 * The number a call was diverted from: the latest Diversion (RFC 5806), else the last other number in History-Info (RFC 7044) before
 * ours. `spell` writes numbers in one way.
 */
export function forwardedFrom(call: Diverted, spell: (user: string) => string): string | null {
  const user = /sips?:([^@;>\p{Cc}]{1,64})@/u.exec(call.header('Diversion')[0] ?? '')?.[1] ?? historyOf(call, spell);
  return user === null ? null : spell(user);
}

function historyOf(call: Diverted, spell: (user: string) => string): string | null {
  const entries = call.header('History-Info').flatMap(splitValues).slice(0, MAX_ENTRIES).flatMap(readEntry).sort(byIndex);
  const us = spell(call.requestUriUser);
  const ours = entries.findLastIndex(({ user }) => spell(user) === us);
  return entries.slice(0, ours < 0 ? entries.length : ours).findLast(({ user }) => spell(user) !== us)?.user ?? null;
}

/** Nothing for an entry that cannot be read, or that is to be kept private (RFC 7044 §10.1). */
function readEntry(value: string): Entry[] {
  const address = parseNameAddr(value);
  const uri = address && parseSipUri(address.uri);
  const index = address?.params.get('index') ?? '';
  if (!uri || !/^\d{1,6}(\.\d{1,6}){0,20}$/.test(index) || uri.headers.some(([name]) => name.toLowerCase() === 'privacy')) return [];
  const user = uri.user.split(';', 1)[0] ?? '';
  return USER.test(user) ? [{ user, index: index.split('.').map(Number) }] : [];
}

/** 1, 1.1, 1.1.1, 1.2, 2. */
function byIndex({ index: a }: Entry, { index: b }: Entry): number {
  const at = a.findIndex((part, i) => part !== b[i]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}
