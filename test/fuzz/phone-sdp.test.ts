import { expect, it } from 'vitest';
import { answerPhoneOffer, readPhoneAnswer } from '../../src/sdp/phone-answer.ts';
import { SdpError } from '../../src/sdp/sdp-error.ts';
import { BROKEN_INPUTS } from './mutate.ts';

// Mutated descriptions: only SdpError may escape, and whatever is taken must be fit for a socket.

const RUNS = BROKEN_INPUTS;
const local = { address: '192.0.2.1', port: 20_000, sessionId: '77', version: 1 };

const SEEDS = [
  'v=0\r\no=- 20518 0 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\nm=audio 54400 RTP/AVP 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=ptime:20\r\na=rtcp:54401\r\na=sendrecv\r\n',
  'v=0\r\no=x 1 2 IN IP6 2001:db8::1\r\ns= \r\nt=0 0\r\na=sendonly\r\nm=video 4000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=audio 4002 RTP/AVPF 110 8\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:110 opus/48000/2\r\na=maxptime:40\r\na=rtcp-mux\r\na=ssrc:1 cname:x\r\na=candidate:1 1 UDP 1 10.0.0.1 4002 typ host\r\n',
  'v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 9 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\nm=image 5 udptl t38\n',
];
const TOKENS = ['\r\n', ' ', '=', ':', '/', '0', '-1', '65536', '999999999999999999999', 'm=audio', 'c=IN IP4 ', 'a=rtpmap:', 'a=fmtp:', '\0', '\u{1F600}', '%s', '__proto__', 'RTP/AVP', 'a=sendonly', 'a=simulcast:', 'a=rid:', 'NaN', '127.0.0.1', '::', 'v=0\r\n'];

/** A small seeded generator (xorshift32), so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function mutated(text: string, random: (below: number) => number): Buffer {
  let result = text;
  for (let n = random(6); n >= 0; n--) {
    const at = random(result.length + 1);
    const kind = random(5);
    if (kind === 0) result = result.slice(0, at) + TOKENS[random(TOKENS.length)] + result.slice(at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + random(12));
    else if (kind === 2) result = result.slice(0, at) + String.fromCharCode(random(256)) + result.slice(at + 1);
    else if (kind === 3) result = result.slice(0, at) + result.slice(random(at + 1), at) + result.slice(at);
    else result = result.slice(0, at);
  }
  return Buffer.from(result, 'latin1');
}

it(`${RUNS} mutated descriptions of phones end in an answer or an SdpError`, () => {
  const random = generator(20_261_124);
  const outcomes = { taken: 0, refused: 0 };
  for (let run = 0; run < RUNS; run++) {
    const input = mutated(SEEDS[run % SEEDS.length]!, random);
    try {
      const { stream, text } = run % 2 === 0 ? answerPhoneOffer(input, local) : { stream: readPhoneAnswer(input), text: '' };
      outcomes.taken++;
      const fit = stream.port > 0 && stream.port < 65_536 && stream.payloadType >= 0 && stream.payloadType <= 127 && [10, 20, 30, 40].includes(stream.ptimeMs) && /^[0-9a-fA-F.:]+$/.test(stream.address);
      if (!fit || text.includes('\0')) expect.fail(`unfit: ${JSON.stringify({ stream, input: input.toString('latin1') })}`);
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
      outcomes.refused++;
    }
  }
  expect(outcomes.taken).toBeGreaterThan(RUNS / 20);
  expect(outcomes.refused).toBeGreaterThan(RUNS / 20);
});
