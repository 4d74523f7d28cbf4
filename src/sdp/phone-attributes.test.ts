import { describe, expect, it } from 'vitest';
import { chooseFingerprint } from './phone-attributes.ts';
import { readPhoneDescription } from './phone-description.ts';

const print = (hash: string, octets: number, byte = 'ab'): string => `${hash} ${Array(octets).fill(byte).join(':')}`;
const SHA_256 = `sha-256 ${Array(32).fill('AB').join(':')}`;

describe('of several fingerprints', () => {
  it.each([
    ['SHA-1 after SHA-256', [print('SHA-256', 32), print('sha-1', 20)]],
    ['SHA-512 before SHA-256', [print('sha-512', 64, 'cd'), print('sha-256', 32)]],
    ['two certificates', [print('sha-256', 32), print('sha-256', 32, 'cd')]],
    ['one that is cut off', [print('sha-256', 31), print('sha-256', 32)]],
    ['one too long for its hash', [print('sha-256', 48), print('sha-256', 32)]],
  ])('the one that can be checked is taken: %s', (_what, values) => {
    expect(chooseFingerprint(values)).toBe(SHA_256);
  });

  it('a longer hash does where there is no other, and none that proves nothing', () => {
    expect(chooseFingerprint([print('sha-1', 20), print('sha-384', 48)])).toMatch(/^sha-384 AB/);
    expect(chooseFingerprint([print('sha-1', 20), print('md5', 16), 'sha-256', ''])).toBeNull();
    expect(chooseFingerprint([])).toBeNull();
  });

  it('those of the m= line count, those of the session where it has none', () => {
    const lines = ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', `a=fingerprint:${print('sha-256', 32)}`, `a=fingerprint:${print('sha-1', 20)}`, 'm=audio 4000 UDP/TLS/RTP/SAVP 0', `a=fingerprint:${print('sha-256', 32, 'cd')}`, `a=fingerprint:${print('sha-1', 20)}`, 'm=video 4002 UDP/TLS/RTP/SAVP 96', ''];
    const description = readPhoneDescription(Buffer.from(lines.join('\r\n')));
    expect(description.lines.map(({ fingerprint }) => fingerprint?.slice(0, 13))).toEqual(['sha-256 CD:CD', 'sha-256 AB:AB']);
  });
});
