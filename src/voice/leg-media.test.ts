import { describe, expect, it } from 'vitest';
import type { SipBody } from '../sip/contract.ts';
import { FakeMediaPlane } from '../testing/fake-media.ts';
import { LegMedia } from './leg-media.ts';

const PRINT = `a=fingerprint:sha-256 ${Array(32).fill('CD').join(':')}`;
const KEY = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${'C'.repeat(40)}`;

function sdp(protocol: string, ...more: string[]): SipBody {
  const lines = ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0', `m=audio 4000 ${protocol} 0`, ...more, ''];
  return { contentType: 'application/sdp', bytes: Buffer.from(lines.join('\r\n')) };
}

async function opened(): Promise<LegMedia> {
  const media = new LegMedia(new FakeMediaPlane(), () => '192.0.2.1');
  await media.open();
  return media;
}

describe('an offer that is answered twice, by a 183 and by the 200', () => {
  it.each([
    ['SRTP by keys', sdp('RTP/SAVP', KEY), /^a=crypto:1 /m],
    ['DTLS', sdp('UDP/TLS/RTP/SAVP', PRINT, 'a=setup:actpass'), /^a=fingerprint:[^]*^a=setup:passive/m],
    ['DTLS, the other side waiting', sdp('UDP/TLS/RTP/SAVP', PRINT, 'a=setup:passive'), /^a=setup:active/m],
    ['DTLS and ICE', sdp('UDP/TLS/RTP/SAVPF', PRINT, 'a=setup:actpass', 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901', 'a=rtcp-mux'), /^a=ice-ufrag:[^]*^a=ice-pwd:/m],
  ])('gets the same answer with %s, to the letter, and the same keys', async (_what, offer, mark) => {
    const media = await opened();
    const early = media.answer(offer);
    await media.apply({ ...early.stream, receive: false });
    const final = media.answer(offer);
    expect(Buffer.from(early.body.bytes).toString()).toMatch(mark);
    expect(Buffer.from(final.body.bytes).toString()).toBe(Buffer.from(early.body.bytes).toString());
    expect(final.stream).toEqual(early.stream);
  });
});

describe('an offer of ours that several phones answer', () => {
  it('may be answered in clear by one after another took its keys', async () => {
    const media = await opened();
    media.signalingIsEncrypted();
    media.offer();
    const early = media.readFirstAnswer(sdp('RTP/AVP', KEY));
    expect(early.srtp).toBeDefined();
    await media.apply({ ...early, receive: false });
    const final = media.readFirstAnswer(sdp('RTP/AVP'));
    expect(final.srtp).toBeUndefined();
  });
});

describe('a phone behind a NAT', () => {
  const offer = (address: string, ...more: string[]): SipBody => ({ contentType: 'application/sdp', bytes: Buffer.from(['v=0', 'o=- 1 1 IN IP4 10.0.0.5', 's=-', `c=IN IP4 ${address}`, 't=0 0', 'm=audio 4000 RTP/AVP 0', ...more, ''].join('\r\n')) });

  it('is waited for, in its first offer and in those that follow, and a hold stays one', async () => {
    const plane = new FakeMediaPlane();
    const media = new LegMedia(plane, () => '192.0.2.1', { signalingAddress: () => '203.0.113.9' });
    await media.open();
    const take = async (body: SipBody): Promise<unknown> => {
      await media.apply(media.answer(body).stream);
      return plane.phones[0]?.remotes.at(-1);
    };
    expect(await take(offer('10.0.0.5'))).toMatchObject({ address: '10.0.0.5', awaited: true, signalingAddress: '203.0.113.9', send: true });
    expect(await take(offer('0.0.0.0'))).toMatchObject({ address: '10.0.0.5', awaited: true, send: false });
    expect(await take(offer('10.0.0.6'))).toMatchObject({ address: '10.0.0.6', awaited: true, send: true });
    const moved = await take(offer('198.51.100.7'));
    expect(moved).toMatchObject({ address: '198.51.100.7', signalingAddress: '203.0.113.9' });
    expect(moved).not.toHaveProperty('awaited');
  });

  it('that does not know its address yet is waited for', async () => {
    const plane = new FakeMediaPlane();
    const media = new LegMedia(plane, () => '192.0.2.1', { signalingAddress: () => '203.0.113.9' });
    await media.open();
    await media.apply(media.answer(offer('0.0.0.0')).stream);
    expect(plane.phones[0]?.remotes[0]).toMatchObject({ awaited: true, send: true });
    await media.apply(media.answer(offer('0.0.0.0', 'a=sendonly')).stream);
    expect(plane.phones[0]?.remotes[1]).toMatchObject({ awaited: true, send: false });
  });
});
