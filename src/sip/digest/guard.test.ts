import { describe, expect, it } from 'vitest';
import type { SipSource } from '../contract.ts';
import { answerChallenge, parseChallenge } from './answer.ts';
import { DigestGuard, type GuardVerdict, type OfferedAlgorithm } from './guard.ts';
import { makeDigestSecret, REALM } from './secret.ts';

const ALICE = { username: 'alice', password: 'Wonderland2026' };
const URI = 'sip:acme.sip.localhost';
const AT: SipSource = { transport: 'udp', address: '192.0.2.7', port: 5060 };
const lookup = (username: string) => (username === 'alice' ? [makeDigestSecret(ALICE)] : []);

/** A phone and the guard it talks to. */
function world(offered?: OfferedAlgorithm[]) {
  const guard = new DigestGuard(offered);
  const state = { nowMs: 1_000 };
  const challenge = (index = 0, source: SipSource = AT) => parseChallenge(guard.challenges(REALM, { nowMs: state.nowMs, stale: false, source })[index]!)!;
  const answer = (over: { credentials?: { username: string; password: string }; uri?: string; nonceCount?: number; challenge?: ReturnType<typeof challenge> } = {}) =>
    answerChallenge({ challenge: over.challenge ?? challenge(), credentials: over.credentials ?? ALICE, method: 'REGISTER', uri: over.uri ?? URI, cnonce: 'c', nonceCount: over.nonceCount ?? 1 });
  const check = (credentials: string[], over: { method?: string; source?: SipSource } = {}): GuardVerdict =>
    guard.check({ method: 'REGISTER', requestUri: URI, credentials, source: AT, ...over }, { realm: REALM, secretsOf: lookup }, state.nowMs);
  return { guard, state, challenge, answer, check };
}

describe('a guarded realm', () => {
  it('asks who comes without credentials', () => {
    const { check, guard } = world(['SHA-256', 'MD5']);
    expect(check([])).toEqual({ kind: 'challenge', stale: false });
    expect(guard.challenges(REALM, { nowMs: 0, stale: false, source: AT }).map((line) => parseChallenge(line)?.algorithm)).toEqual(['SHA-256', 'MD5']);
  });

  it.each([0, 1])('lets the right password in, by either algorithm (%i)', (index) => {
    const { check, answer, challenge } = world(['SHA-256', 'MD5']);
    expect(check([answer({ challenge: challenge(index) })])).toEqual({ kind: 'verified', username: 'alice' });
  });

  it('answers a stranger and a wrong password alike', () => {
    const { check, answer } = world();
    expect(check([answer({ credentials: { username: 'alice', password: 'wrong' } })])).toMatchObject({ kind: 'refused', limited: false });
    expect(check([answer({ credentials: { username: 'mallory', password: 'wrong' } })])).toMatchObject({ kind: 'refused', limited: false });
  });

  it('an answer to another method or another address does not count', () => {
    const { check, answer } = world();
    expect(check([answer()], { method: 'INVITE' }).kind).toBe('refused');
    expect(check([answer({ uri: 'sip:else.sip.localhost' })]).kind).toBe('refused');
    expect(check([answer({ uri: `${URI};transport=udp` })]).kind).toBe('verified');
  });

  it('a replay is asked again as stale; the next count of the same nonce is let in', () => {
    const { check, answer, challenge } = world();
    const nonce = challenge();
    const first = answer({ challenge: nonce });
    expect(check([first]).kind).toBe('verified');
    expect(check([first])).toEqual({ kind: 'challenge', stale: true });
    expect(check([answer({ challenge: nonce, nonceCount: 2 })]).kind).toBe('verified');
    expect(check([answer({ challenge: nonce, nonceCount: 2 })]).kind).toBe('challenge');
  });

  it('an answer serves only where its nonce was sent to: an address, whatever its port, or one WebSocket', () => {
    const { check, answer, challenge } = world();
    const nonce = challenge();
    const overheard = answer({ challenge: nonce });
    const thief = { ...AT, address: '192.0.2.66' };
    expect(check([overheard], { source: thief })).toEqual({ kind: 'challenge', stale: true });
    // Nor does it tell whether the password was right.
    expect(check([answer({ challenge: nonce, credentials: { username: 'alice', password: 'wrong' } })], { source: thief })).toEqual({ kind: 'challenge', stale: true });
    expect(check([overheard], { source: { ...AT, port: 61_234 } }).kind).toBe('verified');
    const page: SipSource = { transport: 'ws', address: '127.0.0.1', port: 40_001 };
    const ofPage = answer({ challenge: challenge(0, page) });
    expect(check([ofPage], { source: { ...page, port: 40_002 } })).toEqual({ kind: 'challenge', stale: true });
    expect(check([ofPage], { source: page }).kind).toBe('verified');
  });

  it('without qop a nonce serves once', () => {
    const { check, answer, challenge } = world();
    const plain = answer({ challenge: { ...challenge(), qopAuth: false } });
    expect(check([plain]).kind).toBe('verified');
    expect(check([plain])).toEqual({ kind: 'challenge', stale: true });
  });

  it('an old nonce is stale, an invented one is asked anew', () => {
    const { state, check, answer, challenge } = world();
    const old = answer({ challenge: challenge() });
    state.nowMs += 301_000;
    expect(check([old])).toEqual({ kind: 'challenge', stale: true });
    expect(check([answer({ challenge: { ...challenge(), nonce: 'rs.0123456789abcdef.0123456789abcdef.0123456789abcdef0123456789abcdef' } })])).toEqual({ kind: 'challenge', stale: false });
  });

  it('after ten wrong passwords even the right one waits a minute, for that sender and name only', () => {
    const { state, check, answer, challenge } = world();
    for (let n = 0; n < 10; n++) check([answer({ credentials: { username: 'alice', password: `guess ${n}` } })]);
    expect(check([answer()])).toMatchObject({ kind: 'refused', limited: true });
    const elsewhere = { ...AT, address: '192.0.2.8' };
    expect(check([answer({ challenge: challenge(0, elsewhere) })], { source: elsewhere }).kind).toBe('verified');
    state.nowMs += 61_000;
    expect(check([answer()]).kind).toBe('verified');
  });

  it.each(['', 'Basic abc', 'Digest', 'Digest username="alice"', 'Digest username="alice, realm="x"', `Digest username="alice", realm="${REALM}", nonce="n", uri="${URI}", response="short"`])('%j is no proof', (line) => {
    expect(world().check([line]).kind).toBe('challenge');
  });
});
