import { describe, expect, it } from 'vitest';
import { answerChallenge, chooseChallenge, parseChallenge } from './answer.ts';

// The example of RFC 7616 §3.9.1.
const BOTH = ['SHA-256', 'MD5'].map((algorithm) => `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`);

function responseTo(header: string): string {
  const challenge = parseChallenge(header)!;
  const credentials = { username: 'Mufasa', password: 'Circle of Life' };
  const value = answerChallenge({ challenge, credentials, method: 'GET', uri: '/dir/index.html', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ', nonceCount: 1 });
  return /response="([0-9a-f]+)"/.exec(value)?.[1] ?? '';
}

describe('a Digest challenge', () => {
  it('is answered as RFC 7616 shows', () => {
    expect(responseTo(BOTH[0]!)).toBe('753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1');
    expect(responseTo(BOTH[1]!)).toBe('8ca523f5e9506fed4657c9700eebdbec');
  });

  it('the strongest of several is taken', () => {
    expect(chooseChallenge([...BOTH].reverse())?.algorithm).toBe('SHA-256');
    expect(chooseChallenge(['Basic realm="x"', BOTH[1]!])?.algorithm).toBe('MD5');
  });

  it.each(['Basic realm="x"', 'Digest realm="x"', 'Digest realm="x", nonce="n', 'Digest realm="x", nonce="n", algorithm=MD5-sess', 'Digest realm="x", nonce="n", qop="auth-int"', ''])('%j has no answer', (header) =>
    expect(parseChallenge(header)).toBeNull());

  it('a name with quotes stays inside its quotes', () => {
    const challenge = parseChallenge('Digest realm="a \\"b\\"", nonce="n"')!;
    const value = answerChallenge({ challenge, credentials: { username: 'x", nonce="evil', password: 'p' }, method: 'INVITE', uri: 'sip:a', cnonce: 'c', nonceCount: 1 });
    expect(value).toContain('username="x\\", nonce=\\"evil"');
    expect(value).toContain('realm="a \\"b\\""');
    expect(value).not.toContain('qop');
  });
});
