import { expect, it } from 'vitest';
import { answerPhoneOffer } from './phone-answer.ts';

const PRINT = (byte: string): string => `sha-256 ${Array(32).fill(byte).join(':')}`;
const LOCAL = {
  address: '192.0.2.9',
  port: 20_000,
  sessionId: '7',
  version: 1,
  security: { policy: 'allow' as const, keys: { AES_CM_128_HMAC_SHA1_80: 'A'.repeat(40), AES_CM_128_HMAC_SHA1_32: 'B'.repeat(40) }, fingerprint: PRINT('CD') },
  ice: { secret: 'of this call', offered: false },
};

function browserOffer(over: { print?: string; ufrag?: string } = {}): Uint8Array {
  const { print = PRINT('AB'), ufrag = 'them' } = over;
  return Buffer.from(
    ['v=0', 'o=- 1 1 IN IP4 0.0.0.0', 's=-', 't=0 0', 'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 0.0.0.0', 'a=mid:0', `a=ice-ufrag:${ufrag}`, 'a=ice-pwd:abcdefghijklmnopqrstuv', `a=fingerprint:${print}`, 'a=setup:actpass', 'a=rtcp-mux', 'a=sendrecv', ''].join('\r\n'),
  );
}

it('answers a browser: its own candidate to check, our fingerprint, and no hold for an address that it does not know yet', () => {
  const { text, stream } = answerPhoneOffer(browserOffer(), LOCAL);
  expect(text).toMatch(/^a=ice-lite\r$/m);
  expect(text).toMatch(/^a=candidate:1 1 UDP \d+ 192\.0\.2\.9 20000 typ host\r$/m);
  expect(text).toContain(`a=fingerprint:${PRINT('CD')}\r\na=setup:passive\r\n`);
  expect(text).toContain('a=rtcp-mux\r\na=mid:0\r\n');
  expect(stream).toMatchObject({ send: true, receive: true, rtcpPort: 9, dtls: { fingerprint: PRINT('AB'), role: 'passive' }, ice: { remoteUfrag: 'them' } });
});

it('keeps its credentials over a hold, and has new ones for an ICE restart', () => {
  const first = answerPhoneOffer(browserOffer(), LOCAL).stream;
  const again = answerPhoneOffer(browserOffer(), { ...LOCAL, inUse: first }).stream;
  const restarted = answerPhoneOffer(browserOffer({ ufrag: 'anew' }), { ...LOCAL, inUse: first }).stream;
  expect(again.ice).toEqual(first.ice);
  expect(restarted.ice?.localUfrag).not.toBe(first.ice?.localUfrag);
  expect(restarted.ice?.localPwd).not.toBe(first.ice?.localPwd);
  expect(restarted.dtls).toEqual(first.dtls);
});

it('refuses a fingerprint that proves nothing', () => {
  expect(() => answerPhoneOffer(browserOffer({ print: `sha-1 ${Array(20).fill('AB').join(':')}` }), LOCAL)).toThrow('fingerprint');
});

it('is not waited for where the other side is lite too: nobody would check', () => {
  const lite = ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', 'a=ice-lite', 'm=audio 4000 RTP/AVP 0', 'a=ice-ufrag:them', 'a=ice-pwd:abcdefghijklmnopqrstuv', ''].join('\r\n');
  const { text, stream } = answerPhoneOffer(Buffer.from(lite), LOCAL);
  expect(stream).toMatchObject({ address: '198.51.100.7', port: 4000, send: true });
  expect(stream.ice).toBeUndefined();
  expect(text).not.toContain('a=ice-');
});
