import { describe, expect, it } from 'vitest';
import { readFir, readNack, readRemb, readReportBlocks, readSenderInfo, RtcpCursor, writeNack, writePli, writeReceiverReport, writeSenderReport } from '../../src/media/rtp/rtcp-feedback.ts';
import { readTransportFeedback, writeTransportFeedback } from '../../src/media/rtp/rtcp-feedback-twcc.ts';
import { BROKEN_INPUTS } from './mutate.ts';

/** Xorshift of 32 bits: the same inputs in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const block = { ssrc: 7, fractionLost: 1, lost: 3, extendedHighest: 9, jitter: 99, lastSr: 1, delaySinceLastSr: 2 };
const seeds = [
  writePli(1, 2),
  writeNack(1, 2, [5, 6, 40, 500]),
  writeReceiverReport(1, [block, block]),
  writeSenderReport({ ssrc: 1, ntpSeconds: 2, ntpFraction: 3, rtpTimestamp: 4 }, { packets: 1, octets: 2 }),
  Buffer.from('8fce00050000000100000000' + '52454d42010f0d4000000009', 'hex'),
  Buffer.from('84ce0004000000010000000000' + '00abcd05000000', 'hex'),
  writeTransportFeedback({ senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0, baseSequence: 1, arrivals: [1, 2, null, 3000, null, null, null, 3001, 3002] }).packet,
];

function mutate(next: (below: number) => number): Buffer {
  let bytes = Buffer.concat([seeds[next(seeds.length)]!, seeds[next(seeds.length)]!]);
  for (let i = next(6); i > 0; i--) bytes[next(bytes.length)] = next(256);
  if (next(4) === 0) bytes = bytes.subarray(0, next(bytes.length + 1));
  return bytes;
}

function readAll(cursor: RtcpCursor): number {
  const sequenceNumbers: number[] = [];
  readNack(cursor, sequenceNumbers);
  const entries = sequenceNumbers.length + readFir(cursor).length + readReportBlocks(cursor).length;
  readRemb(cursor);
  readSenderInfo(cursor);
  const feedback = readTransportFeedback(cursor);
  return entries + (feedback?.arrivals.length ?? 0) + (cursor.senderSsrc >= 0 && cursor.mediaSsrc >= 0 ? 1 : 0);
}

describe('RTCP from a hostile browser', () => {
  it(`${BROKEN_INPUTS} mutated packets throw nothing and never read past their end`, () => {
    const next = random(20261124);
    const cursor = new RtcpCursor();
    let readable = 0;
    for (let i = 0; i < BROKEN_INPUTS; i++) {
      cursor.reset(mutate(next));
      for (let steps = 0; cursor.next(); steps++) {
        expect(steps).toBeLessThan(40);
        if (cursor.end > cursor.buffer.length) expect.fail('walked past the end');
        if (readAll(cursor) > 0) readable++;
      }
    }
    // Most mutations leave something to read: the inputs do reach the grammar.
    expect(readable).toBeGreaterThan(BROKEN_INPUTS / 2);
  });
});
