import { describe, expect, it } from 'vitest';
import { iceServers, isIceUrl, issueIceServers, readIceUrls, timeLimited } from './ice-servers.ts';

const TURN = 'turn:turn.example.com:3478?transport=udp';

describe('time-limited TURN credentials', () => {
  // Expected: printf '<user name>' | openssl dgst -sha1 -hmac '<secret>' -binary | base64
  it.each([
    { secret: 'north', ttlS: 3600, nowMs: 1_577_836_800_999, label: '1a2b', username: '1577840400:1a2b', credential: 'ZBs0taWmuS4Rmb6HYSy5NKMUh/0=' },
    { secret: 'a shared secret', ttlS: 86_400, nowMs: 1_893_456_000_000, label: '0123456789ab', username: '1893542400:0123456789ab', credential: 'ijnAgdKxkwllDRMWneI+paIbxNI=' },
  ])('of $secret are what openssl makes', ({ secret, ttlS, nowMs, label, username, credential }) => {
    expect(timeLimited({ secret, ttlS }, { nowMs, label })).toEqual({ username, credential });
  });

  it('are another pair for each browser, and name nobody', () => {
    const issue = iceServers([TURN], { kind: 'secret', secret: 'north', ttlS: 60 });
    const [first, second] = [issue(1_000_000_000_000)[0], issue(1_000_000_000_000)[0]];
    expect(first?.username).toMatch(/^1000000060:[0-9a-f]{12}$/);
    expect(first?.username).not.toBe(second?.username);
    expect(first?.credential).not.toBe(second?.credential);
  });
});

describe('the ICE servers of a configuration', () => {
  it('are none without URLs', () => {
    expect(iceServers([], null)(0)).toEqual([]);
  });

  it('carry credentials for TURN and none for STUN', () => {
    const servers = iceServers(['stun:stun.example.com', TURN, 'turns:turn.example.com'], { kind: 'static', username: 'all', password: 'secret' })(0);
    expect(servers).toEqual([{ urls: ['stun:stun.example.com'] }, { urls: [TURN, 'turns:turn.example.com'], username: 'all', credential: 'secret' }]);
  });

  it('cannot be told without credentials, nor when their source fails: 53501', () => {
    expect(iceServers(['stun:stun.example.com'], null)(0)).toHaveLength(1);
    const broken = (): never => {
      throw new RangeError('vault is sealed');
    };
    for (const source of [iceServers([TURN], null), broken]) expect(() => issueIceServers(source, 0)).toThrow(expect.objectContaining({ code: 53501 }));
  });
});

it.each([
  ['stun:stun.example.com', true],
  ['stuns:10.0.0.1:5349', true],
  [TURN, true],
  ['turns:[2001:db8::1]:5349?transport=tcp', true],
  ['turn:host:65536', false],
  ['turn:host:0', false],
  ['stun:host?transport=udp', false],
  ['turn:host?transport=sctp', false],
  ['turn://host', false],
  ['turn:user@host', false],
  ['http://host', false],
  ['turn:', false],
])('%s is an ICE URL: %s', (url, good) => {
  expect(isIceUrl(url)).toBe(good);
});

it('reads up to 8 URLs', () => {
  expect(readIceUrls(` ${TURN} , stun:a`)).toEqual([TURN, 'stun:a']);
  expect(readIceUrls(`${TURN},`)).toBeNull();
  expect(readIceUrls(Array(9).fill(TURN).join())).toBeNull();
});
