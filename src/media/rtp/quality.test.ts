import { describe, expect, it } from 'vitest';
import { parseRtcp, writeReport } from './rtcp.ts';
import { RemoteQuality, roundTripMs } from './quality.ts';

describe('reports of a phone', () => {
  /** Its report on us, 30 ms after ours that left at `sentMs`. */
  const answerTo = (sentMs: number) => {
    const ours = Buffer.alloc(256);
    const length = writeReport(ours, { ssrc: 1, cname: 'us', wallMs: sentMs, sent: { rtpTimestamp: 0, packets: 1, octets: 160 }, received: null, bye: false });
    const lastSr = parseRtcp(ours.subarray(0, length))?.senderReport ?? 0;
    const theirs = Buffer.alloc(256);
    const end = writeReport(theirs, { ssrc: 2, cname: 'phone', wallMs: 0, sent: null, received: { ssrc: 1, fractionLost: 25, lost: 10, extendedHighest: 100, jitter: 80, lastSr, delaySinceLastSr: Math.round(30 * 65.536) }, bye: false });
    const block = parseRtcp(theirs.subarray(0, end))?.blocks[0];
    if (!block) throw new TypeError('no report block');
    return block;
  };

  it('tell the round trip, with what the phone held them back left out', () => {
    const wallMs = Date.UTC(2026, 10, 24, 21, 0, 0, 123);
    expect(roundTripMs(answerTo(wallMs), wallMs + 30 + 84)).toBeCloseTo(84, 0);
    const quality = new RemoteQuality();
    quality.reportReceived(answerTo(wallMs), wallMs + 30 + 100);
    quality.reportReceived(answerTo(wallMs), wallMs + 30 + 50);
    expect(quality.roundTripMs).toBeCloseTo(75, 0);
    expect([quality.lost, quality.jitter]).toEqual([10, 80]);
  });

  it('that answer none of ours, or from the future, tell none', () => {
    const wallMs = Date.UTC(2026, 10, 24);
    expect(roundTripMs({ ...answerTo(wallMs), lastSr: 0 }, wallMs)).toBeNull();
    expect(roundTripMs(answerTo(wallMs), wallMs - 5000)).toBeNull();
    expect(roundTripMs(answerTo(wallMs), wallMs + 60_000)).toBeNull();
    expect(new RemoteQuality().roundTripMs).toBeNull();
  });
});
