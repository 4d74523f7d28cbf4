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
  it('is answered with its first G.711 codec, its keys and its packet time', () => {
    const { text, stream } = answer('m=audio 4000 RTP/AVP 9 8 0 96', 'a=rtpmap:96 telephone-event/8000', 'a=ptime:30');
    expect(stream).toEqual({ address: '198.51.100.7', port: 4000, codec: 'PCMA', payloadType: 8, dtmfPayloadType: 96, ptimeMs: 30, send: true, receive: true });
    expect(text.split('\r\n')).toEqual([
      'v=0', 'o=- 77 3 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0',
      'm=audio 20000 RTP/AVP 8 96', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:96 telephone-event/8000', 'a=fmtp:96 0-16', 'a=ptime:30', 'a=sendrecv', '',
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

  it('holds by address 0.0.0.0 too', () => {
    expect(answer('m=audio 4000 RTP/AVP 0', 'c=IN IP4 0.0.0.0').stream).toMatchObject({ send: false });
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

describe('our offer', () => {
  it('is understood by our own reader, in IPv6 too', () => {
    expect(readPhoneAnswer(Buffer.from(writePhoneOffer(local)))).toMatchObject({ address: '192.0.2.1', port: 20_000, codec: 'PCMU', dtmfPayloadType: 101 });
    const six = writePhoneOffer({ ...local, address: '2001:db8::1' });
    expect(six).toContain('c=IN IP6 2001:db8::1');
    expect(readPhoneAnswer(Buffer.from(six)).address).toBe('2001:db8::1');
  });
});
