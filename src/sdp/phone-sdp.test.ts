import { describe, expect, it } from 'vitest';
import { answerPhoneOffer, readPhoneAnswer } from './phone-answer.ts';
import { writePhoneOffer, type LocalDescription } from './phone-offer.ts';
import { SdpError } from './sdp-error.ts';

const local: LocalDescription = { address: '192.0.2.1', port: 20_000, sessionId: '77', version: 3 };
const bytes = (...lines: string[]): Buffer => Buffer.from(lines.join('\r\n') + '\r\n');
const head = ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0'];
const answer = (...media: string[]) => answerPhoneOffer(bytes(...head, ...media), local);
const refusal = (...media: string[]): SdpError => {
  try {
    answer(...media);
  } catch (error) {
    return error as SdpError;
  }
  throw new Error('it was taken');
};

describe('a phone’s offer', () => {
  it('is answered with its first codec that is allowed, its keys and its packet time', () => {
    const offer = bytes(...head, 'm=audio 4000 RTP/AVP 9 8 0 96', 'a=rtpmap:96 telephone-event/8000', 'a=ptime:30');
    const { text, stream } = answerPhoneOffer(offer, { ...local, codecs: ['PCMU', 'PCMA'] });
    expect(stream).toEqual({ address: '198.51.100.7', port: 4000, codec: 'PCMA', payloadType: 8, dtmfPayloadType: 96, ptimeMs: 30, send: true, receive: true });
    expect(text.split('\r\n')).toEqual([
      'v=0', 'o=- 77 3 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0',
      'm=audio 20000 RTP/AVP 8 96', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:96 telephone-event/8000', 'a=fmtp:96 0-15', 'a=ptime:30', 'a=sendrecv', '',
    ]);
  });

  it('may number G.711 as it likes', () => {
    expect(answer('m=audio 4000 RTP/AVP 112', 'a=rtpmap:112 pcmu/8000').stream).toMatchObject({ codec: 'PCMU', payloadType: 112, dtmfPayloadType: null });
  });

  it('keeps the place of what is refused', () => {
    const { text, stream } = answer('m=audio 4000 RTP/SAVP 0', 'm=video 4002 RTP/AVP 96', 'a=rtpmap:96 VP8/90000', 'm=audio 4004 RTP/AVP 0', 'm=image 4006 udptl t38');
    expect(text.match(/^m=.*$/gm)).toEqual(['m=audio 0 RTP/SAVP 0', 'm=video 0 RTP/AVP 96', 'm=audio 20000 RTP/AVP 0', 'm=image 0 udptl t38']);
    expect(stream.port).toBe(4004);
  });

  it.each([
    ['sendonly', 'recvonly', { send: false, receive: true }],
    ['recvonly', 'sendonly', { send: true, receive: false }],
    ['inactive', 'inactive', { send: false, receive: false }],
    ['sendrecv', 'sendrecv', { send: true, receive: true }],
  ])('%s is answered %s', (offered, answered, stream) => {
    const result = answer('m=audio 4000 RTP/AVP 0', `a=${offered}`);
    expect(result.text).toContain(`a=${answered}\r\n`);
    expect(result.stream).toMatchObject(stream);
  });

  it('holds by address 0.0.0.0 too, once it has named another; before, it does not know its own', () => {
    const { stream } = answer('m=audio 4000 RTP/AVP 0');
    const nowhere = bytes(...head, 'm=audio 4000 RTP/AVP 0', 'c=IN IP4 0.0.0.0');
    expect(answerPhoneOffer(nowhere, { ...local, inUse: stream }).stream).toMatchObject({ send: false });
    expect(answerPhoneOffer(nowhere, local).stream).toMatchObject({ send: true });
  });

  it('of a family of addresses that is not reached from here is refused, unless another line is of the other or ICE finds the way', () => {
    const here = { ...local, families: new Set([4 as const]), ice: { secret: 'x', offered: false } };
    const v6 = ['m=audio 4000 RTP/AVP 0', 'c=IN IP6 2001:db8::7'];
    expect(() => answerPhoneOffer(bytes(...head, ...v6), here)).toThrow(/IPv6, and there is no way/);
    expect(() => answerPhoneOffer(bytes(...head, 'm=audio 4000 RTP/AVP 0'), { ...local, families: new Set([6 as const]) })).toThrow(/IPv4, and there is no way/);
    expect(() => readPhoneAnswer(bytes(...head, ...v6), here)).toThrow(SdpError);
    expect(answerPhoneOffer(bytes(...head, ...v6, 'm=audio 4004 RTP/AVP 0'), here).stream.port).toBe(4004);
    expect(answerPhoneOffer(bytes(...head, ...v6, 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901'), here).stream.port).toBe(4000);
  });

  it('may name address and RTCP port of the line', () => {
    expect(answer('m=audio 4000 RTP/AVP 0', 'c=IN IP4 203.0.113.9', 'a=rtcp:4555').stream).toMatchObject({ address: '203.0.113.9', rtcpPort: 4555 });
  });

  it('never gets rtcp-mux back', () => {
    expect(answer('m=audio 4000 RTP/AVP 0', 'a=rtcp-mux').text).not.toContain('rtcp-mux');
  });

  it('takes a packet time it can bear', () => {
    expect(answer('m=audio 4000 RTP/AVP 0', 'a=ptime:60').stream.ptimeMs).toBe(20);
    expect(answer('m=audio 4000 RTP/AVP 0', 'a=maxptime:10').stream.ptimeMs).toBe(10);
  });

  it.each([
    ['no audio', ['m=video 4000 RTP/AVP 96']],
    ['no codec of ours', ['m=audio 4000 RTP/AVP 18', 'a=rtpmap:18 G729/8000']],
    ['G.711 at another rate', ['m=audio 4000 RTP/AVP 96', 'a=rtpmap:96 PCMU/16000']],
    ['only SRTP', ['m=audio 4000 RTP/SAVP 0']],
    ['port 0', ['m=audio 0 RTP/AVP 0']],
    ['a multicast address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 224.0.0.1/127']],
    ['a multicast address of IPv6', ['m=audio 4000 RTP/AVP 0', 'c=IN IP6 ff02::1']],
    ['a multicast address of IPv4 in the spelling of IPv6', ['m=audio 4000 RTP/AVP 0', 'c=IN IP6 ::ffff:224.0.0.1']],
    ['a host name for an address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 phone.example']],
  ])('with %s is refused', (_what, media) => {
    const error = refusal(...media);
    expect(error).toBeInstanceOf(SdpError);
    expect(error.reason).toBe('unacceptable');
  });

  it('that is no SDP, or too much of it, is refused', () => {
    expect(() => answerPhoneOffer(Buffer.from('hello'), local)).toThrow(SdpError);
    expect(() => answerPhoneOffer(Buffer.alloc(20_000, 0x61), local)).toThrow(/20000 bytes/);
    expect(refusal(...Array.from({ length: 17 }, () => 'm=audio 4000 RTP/AVP 0')).reason).toBe('too-large');
  });
});

describe('wide-band codecs', () => {
  const opusOffer = ['m=audio 4000 RTP/AVP 111 9 0 96 97', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 maxplaybackrate=16000; useinbandfec=1;maxaveragebitrate=20000', 'a=rtpmap:9 G722/8000', 'a=rtpmap:96 telephone-event/8000', 'a=rtpmap:97 telephone-event/48000'];

  it('Opus comes with what the phone wishes, and with keys of its own clock', () => {
    const { text, stream } = answer(...opusOffer);
    expect(stream).toMatchObject({ codec: 'OPUS', payloadType: 111, dtmfPayloadType: 97, dtmfClockRateHz: 48_000, ptimeMs: 20, opus: { fec: true, maxPlaybackRateHz: 16_000, maxBitrateBps: 20_000 } });
    expect(text.split('\r\n').slice(5)).toEqual([
      'm=audio 20000 RTP/AVP 111 97', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 useinbandfec=1;stereo=0;sprop-maxcapturerate=16000', 'a=rtpmap:97 telephone-event/48000', 'a=fmtp:97 0-15', 'a=ptime:20', 'a=sendrecv', '',
    ]);
  });

  it('Opus takes keys of 8 kHz from a phone that has no others', () => {
    const { stream } = answer('m=audio 4000 RTP/AVP 111 96', 'a=rtpmap:111 OPUS/48000/2', 'a=rtpmap:96 telephone-event/8000');
    expect(stream).toMatchObject({ codec: 'OPUS', dtmfPayloadType: 96, opus: { fec: false, maxPlaybackRateHz: 48_000, maxBitrateBps: null } });
    expect(stream).not.toHaveProperty('dtmfClockRateHz');
  });

  it('Opus in packets that are too short for us is left for what comes next', () => {
    expect(answer(...opusOffer, 'a=maxptime:10').stream).toMatchObject({ codec: 'G722', payloadType: 9, dtmfPayloadType: 96, ptimeMs: 10 });
  });

  it('G.722 counts 8 kHz on the wire, and needs no rtpmap; comfort noise is taken with it', () => {
    const { text, stream } = answer('m=audio 4000 RTP/AVP 9 13');
    expect(stream).toMatchObject({ codec: 'G722', payloadType: 9, comfortNoisePayloadType: 13, dtmfPayloadType: null });
    expect(text).toContain('m=audio 20000 RTP/AVP 9 13\r\na=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n');
    expect(refusal('m=audio 4000 RTP/AVP 96', 'a=rtpmap:96 G722/16000').reason).toBe('unacceptable');
  });

  it('the phone’s order decides, among what is allowed', () => {
    const offer = bytes(...head, 'm=audio 4000 RTP/AVP 0 9', 'a=rtpmap:9 G722/8000');
    expect(answerPhoneOffer(offer, local).stream.codec).toBe('PCMU');
    expect(answerPhoneOffer(offer, { ...local, codecs: ['G722'] }).stream.codec).toBe('G722');
    expect(() => answerPhoneOffer(offer, { ...local, codecs: ['PCMA'] })).toThrow(/PCMA/);
  });
});

describe('our offer', () => {
  it('names all that may be spoken, most wanted first', () => {
    expect(writePhoneOffer(local)).toContain('m=audio 20000 RTP/AVP 107 9 0 8 101 100\r\n');
    expect(writePhoneOffer({ ...local, codecs: ['PCMA', 'G722'] })).toContain('m=audio 20000 RTP/AVP 8 9 101\r\n');
    expect(writePhoneOffer({ ...local, codecs: ['OPUS'] })).toContain('m=audio 20000 RTP/AVP 107 100\r\n');
  });

  it('inside a session leaves numbers their meaning', () => {
    const inUse = { codec: 'OPUS', payloadType: 101, dtmfPayloadType: 107 } as const;
    const offer = writePhoneOffer({ ...local, inUse });
    expect(offer).toContain('m=audio 20000 RTP/AVP 101 9 0 8 107 100\r\n');
    expect(offer).toContain('a=rtpmap:101 opus/48000/2\r\n');
    expect(offer).toContain('a=rtpmap:107 telephone-event/8000\r\n');
    expect(writePhoneOffer({ ...local, inUse: { codec: 'PCMU', payloadType: 0, dtmfPayloadType: 107 } })).toContain('m=audio 20000 RTP/AVP 96 9 0 8 107 100\r\n');
  });

  it('takes no answer that it did not offer', () => {
    expect(() => readPhoneAnswer(bytes(...head, 'm=audio 4000 RTP/AVP 9'), { codecs: ['PCMU'] })).toThrow(SdpError);
  });

  it('is understood by our own reader, in IPv6 too', () => {
    expect(readPhoneAnswer(Buffer.from(writePhoneOffer(local)))).toMatchObject({ address: '192.0.2.1', port: 20_000, codec: 'OPUS', payloadType: 107, dtmfPayloadType: 100, dtmfClockRateHz: 48_000 });
    const six = writePhoneOffer({ ...local, address: '2001:db8::1' });
    expect(six).toContain('c=IN IP6 2001:db8::1');
    expect(readPhoneAnswer(Buffer.from(six)).address).toBe('2001:db8::1');
  });
});
