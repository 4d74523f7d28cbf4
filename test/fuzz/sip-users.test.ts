import { describe, expect, it } from 'vitest';
import { answerChallenge, parseChallenge } from '../../src/sip/digest/answer.ts';
import { DigestGuard } from '../../src/sip/digest/guard.ts';
import { makeDigestSecret, REALM } from '../../src/sip/digest/secret.ts';
import { readReferNotice } from '../../src/sip/dialog/referral.ts';
import { Headers } from '../../src/sip/message/headers.ts';
import { Registrar } from '../../src/sip/registration/registrar.ts';
import { routeTo } from '../../src/sip/registration/contact-route.ts';
import { parseSipUri } from '../../src/sip/message/uri.ts';
import { addressBits, inRange } from '../../src/voice/dial-plan/ip-range.ts';
import { BROKEN_INPUTS, mutate, randomFrom } from './mutate.ts';

// What registered phones and callers of SIP domains send, mutated, the same in every run.

const INPUTS = BROKEN_INPUTS;
const SOURCE = { transport: 'udp' as const, address: '192.0.2.7', port: 5060 };

function eachMutation(seeds: string[], visit: (text: string) => void): void {
  const random = randomFrom(20_261);
  const bytes = seeds.map((seed) => Buffer.from(seed));
  for (let n = 0; n < INPUTS; n++) visit(mutate(bytes[random(bytes.length)]!, bytes[random(bytes.length)]!, random).toString('latin1'));
}

describe('hostile input of SIP users', () => {
  it('no changed answer to a challenge is taken for the right one', () => {
    const guard = new DigestGuard(['SHA-256', 'MD5']);
    const alice = { username: 'alice', password: 'Wonderland2026' };
    const secret = makeDigestSecret(alice);
    const uri = 'sip:acme.sip.localhost';
    const ask = (): string[] => guard.challenges(REALM, { nowMs: 0, stale: false, source: SOURCE }).map((line) => answerChallenge({ challenge: parseChallenge(line)!, credentials: alice, method: 'REGISTER', uri, cnonce: 'c', nonceCount: 1 }));
    const check = (text: string) => guard.check({ method: 'REGISTER', requestUri: uri, credentials: [text], source: SOURCE }, { realm: REALM, secretsOf: (name) => (name === 'alice' ? [secret] : []) }, 0);
    const answers = ask();
    const same = (text: string): string => text.replace(/[\s"]/g, '').toLowerCase();
    let verified = 0;
    let n = 0;
    eachMutation(answers, (text) => {
      const verdict = check(text);
      // Her own right answers keep her from being shut out.
      if (n++ % 8 === 0) check(ask()[0] ?? '');
      expect(['verified', 'challenge', 'refused']).toContain(verdict.kind);
      if (verdict.kind !== 'verified') return;
      verified++;
      // What was changed means nothing to the answer: every part that counts is there as it was.
      const right = answers.some((answer) => same(answer).split(',').filter((part) => /^(digest)?(response|nonce)=/.test(part)).every((part) => same(text).includes(part.replace(/^digest/, ''))));
      expect(right, text).toBe(true);
    });
    expect(verified).toBeLessThan(10);
  });

  it('a Contact is bound under a SIP URI or not at all', () => {
    let nowMs = 0;
    eachMutation(['<sip:alice@10.0.0.5:5060;transport=tcp>;expires=300;q=0.5', '"Alice" <sip:alice@[2001:db8::1]>;expires=0', '*', 'sip:alice@host;q=1'], (text) => {
      const registrar = new Registrar();
      const outcome = registrar.register('alice', { callId: 'c', cseq: 1, contacts: [text], expires: undefined, source: SOURCE }, nowMs++);
      expect([200, 400, 423]).toContain(outcome.statusCode);
      for (const binding of registrar.bindings('alice', nowMs)) {
        expect(binding.expiresAtMs - nowMs).toBeLessThanOrEqual(3_600_000);
        expect(parseSipUri(routeTo(binding, () => false).outboundProxy), text).not.toBeNull();
        expect(parseSipUri(binding.uri)?.scheme).toBe('sip');
      }
    });
  });

  it('a NOTIFY tells a status or nothing', () => {
    eachMutation(['SIP/2.0 200 OK\r\n', 'SIP/2.0 486 Busy Here\r\nContact: <sip:x@y>\r\n', 'message/sipfrag;version=2.0', 'refer;id=93809823', 'terminated;reason=noresource'], (text) => {
      const headers = new Headers().add('Event', text).add('Subscription-State', text).add('Content-Type', text.startsWith('SIP') ? 'message/sipfrag' : text);
      const notices = [readReferNotice({ kind: 'request', method: 'NOTIFY', uri: 'sip:x@y', headers, body: Buffer.from(text, 'latin1') }), readReferNotice({ kind: 'request', method: 'NOTIFY', uri: 'sip:x@y', headers: headers.set('Event', 'refer'), body: Buffer.from(text, 'latin1') })];
      for (const notice of notices) if (notice && notice.statusCode !== null) expect(notice.statusCode >= 100 && notice.statusCode < 700).toBe(true);
    });
  });

  it('an address lies in its own range, whatever else it is', () => {
    eachMutation(['192.0.2.77', '2001:db8::1', '::ffff:192.0.2.1', 'fe80::1:2:3:4', '255.255.255.255'], (text) => {
      const bits = addressBits(text);
      expect(inRange(text, { network: text, prefixLength: bits ?? 32 })).toBe(bits !== null);
    });
  });
});
