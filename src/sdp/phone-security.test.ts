import { describe, expect, it } from 'vitest';
import { answerPhoneOffer, readPhoneAnswer } from './phone-answer.ts';
import { writePhoneOffer, type LocalDescription } from './phone-offer.ts';
import type { LocalSecurity } from './phone-security.ts';

const keys = { AES_CM_128_HMAC_SHA1_80: 'A'.repeat(40), AES_CM_128_HMAC_SHA1_32: 'B'.repeat(40) };
const THEIRS = 'C'.repeat(40);
const local = (security: Partial<LocalSecurity> = {}): LocalDescription => ({ address: '192.0.2.1', port: 20_000, sessionId: '1', version: 1, security: { policy: 'allow', keys, ...security } });
const bytes = (...media: string[]): Buffer => Buffer.from(['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', ...media, ''].join('\r\n'));
const line = (tag: number, suite: string, key = `inline:${THEIRS}`, parameters = ''): string => `a=crypto:${tag} ${suite} ${key}${parameters}`;
const SAVP = 'm=audio 4000 RTP/SAVP 0';
const AVP = 'm=audio 4000 RTP/AVP 0';
const S80 = 'AES_CM_128_HMAC_SHA1_80';
const S32 = 'AES_CM_128_HMAC_SHA1_32';

describe('an offer of SRTP', () => {
  it('is answered with the first line that is understood, under its tag, with a key of our own', () => {
    const { text, stream } = answerPhoneOffer(bytes(SAVP, line(3, 'AEAD_AES_256_GCM'), line(7, S32, `inline:${THEIRS}|2^31`), line(8, S80)), local());
    expect(text).toContain('m=audio 20000 RTP/SAVP 0\r\n');
    expect(text.match(/^a=crypto.*$/gm)).toEqual([`a=crypto:7 ${S32} inline:${keys[S32]}`]);
    expect(stream.srtp).toEqual({ protocol: 'RTP/SAVP', tag: 7, send: { suite: S32, key: keys[S32] }, receive: { suite: S32, key: THEIRS } });
  });

  it('beside plain sound is taken (RFC 8643)', () => {
    const { text, stream } = answerPhoneOffer(bytes(AVP, line(1, S80)), local());
    expect(text).toContain(`m=audio 20000 RTP/AVP 0\r\n`);
    expect(text).toContain(`a=crypto:1 ${S80} inline:${keys[S80]}\r\n`);
    expect(stream.srtp?.receive.key).toBe(THEIRS);
  });

  it.each([
    ['no key', [SAVP]],
    ['a key of another length', [SAVP, line(1, S80, 'inline:QUJD')]],
    ['a master key identifier', [SAVP, line(1, S80, `inline:${THEIRS}|2^20|1:4`)]],
    ['a parameter that must be obeyed', [SAVP, line(1, S80, undefined, ' UNENCRYPTED_SRTP')]],
    ['suites that nobody here knows', [SAVP, line(1, 'F8_128_HMAC_SHA1_80')]],
  ])('with %s is refused', (_what, media) => {
    expect(() => answerPhoneOffer(bytes(...media), local())).toThrow(/a=crypto/);
  });

  it('is refused where SRTP is off, and plain sound where it is required', () => {
    expect(() => answerPhoneOffer(bytes(SAVP, line(1, S80)), local({ policy: 'off' }))).toThrow(/SRTP is off/);
    expect(answerPhoneOffer(bytes(AVP, line(1, S80)), local({ policy: 'off' })).stream.srtp).toBeUndefined();
    expect(() => answerPhoneOffer(bytes(AVP), local({ policy: 'require' }))).toThrow(/required/);
    expect(answerPhoneOffer(bytes(AVP, SAVP.replace('4000', '4002'), line(1, S80)), local({ policy: 'require' })).stream).toMatchObject({ port: 4002 });
    expect(answerPhoneOffer(bytes(SAVP, AVP.replace('4000', '4002')), local()).stream).toMatchObject({ port: 4002 });
  });
});

describe('our offer of SRTP', () => {
  it('is made where it is required, beside plain sound where signaling is encrypted, and else not', () => {
    const both = [`a=crypto:1 ${S80} inline:${keys[S80]}`, `a=crypto:2 ${S32} inline:${keys[S32]}`];
    const made = (security: Partial<LocalSecurity>): [string | undefined, string[]] => {
      const text = writePhoneOffer({ ...local(security), codecs: ['PCMU'] });
      return [/^m=audio \d+ (\S+)/m.exec(text)?.[1], text.match(/^a=crypto.*$/gm) ?? []];
    };
    expect(made({ policy: 'require' })).toEqual(['RTP/SAVP', both]);
    expect(made({ policy: 'allow', opportunistic: true })).toEqual(['RTP/AVP', both]);
    expect(made({ policy: 'allow' })).toEqual(['RTP/AVP', []]);
    expect(made({ policy: 'off', opportunistic: true })).toEqual(['RTP/AVP', []]);
  });

  it('is settled by an answer that takes one of its lines', () => {
    const answer = readPhoneAnswer(bytes(SAVP, line(2, S32)), local({ policy: 'require' }));
    expect(answer.srtp).toMatchObject({ send: { suite: S32, key: keys[S32] }, receive: { suite: S32, key: THEIRS } });
    expect(() => readPhoneAnswer(bytes(SAVP, line(1, S32)), local({ policy: 'require' }))).toThrow(/not offered/);
    expect(() => readPhoneAnswer(bytes(SAVP), local({ policy: 'require' }))).toThrow(/required/);
    expect(() => readPhoneAnswer(bytes(AVP), local({ policy: 'require' }))).toThrow(/required/);
    expect(() => readPhoneAnswer(bytes(SAVP, line(1, S80)), local())).toThrow(/not offered/);
    expect(readPhoneAnswer(bytes(AVP), local({ opportunistic: true })).srtp).toBeUndefined();
  });

  it('stays encrypted inside a session that is, with the same keys', () => {
    const { stream } = answerPhoneOffer(bytes(SAVP, line(1, S80)), local());
    const again = { ...local(), codecs: ['PCMU'] as const, inUse: stream };
    expect(writePhoneOffer(again)).toContain(`m=audio 20000 RTP/SAVP 0`);
    expect(writePhoneOffer(again)).toContain(keys[S80]);
    expect(() => readPhoneAnswer(bytes(AVP), again)).toThrow(/required/);
    expect(() => answerPhoneOffer(bytes(AVP), again)).toThrow(/encrypted/);
    expect(answerPhoneOffer(bytes(AVP, line(1, S80)), again).stream.srtp?.send.key).toBe(keys[S80]);
    expect(answerPhoneOffer(bytes(AVP), { ...local(), inUse: answerPhoneOffer(bytes(AVP), local()).stream }).stream.srtp).toBeUndefined();
  });
});
