import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFir, readNack, readRemb, readReportBlocks, readSenderInfo, RtcpCursor, writeNack, writePli, writeReceiverReport, writeSenderReport } from './rtcp-feedback.ts';
import { readTransportFeedback, writeTransportFeedback } from './rtcp-feedback-twcc.ts';

function first(hexOrBuffer: string | Buffer): RtcpCursor {
  const cursor = new RtcpCursor();
  cursor.reset(typeof hexOrBuffer === 'string' ? Buffer.from(hexOrBuffer.replaceAll(' ', ''), 'hex') : hexOrBuffer);
  expect(cursor.next()).toBe(true);
  return cursor;
}

describe('feedback messages', () => {
  it('writes a PLI as RFC 4585 §6.3.1 draws it', () => {
    expect(writePli(0x01020304, 0xa0b0c0d0).toString('hex')).toBe('81ce000201020304a0b0c0d0');
  });

  it('reads a NACK with its bit mask', () => {
    const seqs: number[] = [];
    readNack(first('81cd0003 00000001 00000002 ffff 8001'), seqs);
    expect(seqs).toEqual([65535, 0, 15]);
  });

  it('reads its own NACKs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65535 }), fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1 }), (base, offsets) => {
        const asked = offsets.sort((a, b) => a - b).map((offset) => (base + offset) & 0xffff);
        const read: number[] = [];
        readNack(first(writeNack(1, 2, asked)), read);
        expect(read).toEqual(asked);
      }),
    );
  });

  it('reads the bit rate of a REMB and of nothing else', () => {
    // mantissa 200,000 × 2^3
    expect(readRemb(first('8fce0005 00000001 00000000 52454d42 010f0d40 00000009'))).toBe(1_600_000);
    expect(readRemb(first('8fce0004 00000001 00000000 58585858 010f0d40'))).toBeNull();
  });

  it('reads the SSRCs of a FIR', () => {
    expect(readFir(first('84ce0004 00000001 00000000 0000abcd 05000000'))).toEqual([0xabcd]);
  });

  it('keeps reports through writing and reading', () => {
    const block = { ssrc: 7, fractionLost: 128, lost: -3, extendedHighest: 0x12345, jitter: 99, lastSr: 0xdeadbeef, delaySinceLastSr: 65536 };
    expect(readReportBlocks(first(writeReceiverReport(1, [block, { ...block, ssrc: 8 }])))).toEqual([block, { ...block, ssrc: 8 }]);
    const info = { ssrc: 0xffffffff, ntpSeconds: 0xe0000000, ntpFraction: 0x80000000, rtpTimestamp: 0xfffffff0 };
    expect(readSenderInfo(first(writeSenderReport(info, { packets: 3, octets: 300 })))).toEqual(info);
  });

  it('walks a compound packet and stops at what is cut off', () => {
    const cursor = new RtcpCursor();
    cursor.reset(Buffer.concat([writePli(1, 2), writeNack(1, 3, [4]), writePli(1, 5).subarray(0, 9)]));
    const types: [number, number][] = [];
    while (cursor.next()) types.push([cursor.type, cursor.mediaSsrc]);
    expect(types).toEqual([[206, 2], [205, 3]]);
  });
});

describe('transport-wide feedback', () => {
  it('writes the vector worked out by hand from the draft', () => {
    // 5 packets from 10: received at 64 ms, +10 ms, lost, +100 ms (large), +0.
    const { packet } = writeTransportFeedback({ senderSsrc: 1, mediaSsrc: 2, feedbackCount: 7, baseSequence: 10, arrivals: [256, 296, null, 696, 696] });
    // reference time 1; vector of 2 bits: 1,1,0,2,1,0,0; deltas 0, 40, 0x0190, 0; 3 bytes of padding.
    expect(packet.subarray(12, 22).toString('hex')).toBe('000a000500000107d490');
    expect(packet.subarray(22, 27).toString('hex')).toBe('0028019000');
    expect(packet[0]).toBe(0xaf);
    expect(packet.length % 4).toBe(0);
    expect(packet[packet.length - 1]).toBe(packet.length - 27);
  });

  it('reads run lengths and one-bit vectors of another sender', () => {
    // base 5, 18 packets, reference 2: run of 4 received, vector 14: every second received; deltas 1 each.
    const chunks = '2004' + (0x8000 | 0b10101010101010).toString(16);
    const bytes = `afcd0008 00000001 00000002 0005 0012 00000203 ${chunks} ${'01'.repeat(11)} 01`.replace('afcd0008', '8fcd0008');
    const feedback = readTransportFeedback(first(bytes));
    expect(feedback?.arrivals.slice(0, 7)).toEqual([513, 514, 515, 516, 517, null, 518]);
    expect(feedback?.arrivals.length).toBe(18);
  });

  it('reads what it writes', () => {
    const arrivals = fc.array(fc.option(fc.integer({ min: -2000, max: 3000 }), { nil: null, freq: 3 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 0, max: 65535 }), (steps, baseSequence) => {
        let ticks = 5_000_000;
        const absolute = steps.map((step) => (step === null ? null : (ticks += step)));
        if (absolute.every((a) => a === null)) return;
        const { packet, written } = writeTransportFeedback({ senderSsrc: 1, mediaSsrc: 2, feedbackCount: 0, baseSequence, arrivals: absolute });
        expect(written).toBe(absolute.length);
        const read = readTransportFeedback(first(packet));
        expect(read?.arrivals).toEqual(absolute);
        expect(read?.baseSequence).toBe(baseSequence);
      }),
    );
  });

  it('refuses a message whose deltas are cut off', () => {
    expect(readTransportFeedback(first('8fcd0005 00000001 00000002 0005 0012 00000203 2004 0000'))).toBeNull();
  });
});
