import { describe, expect, it } from 'vitest';
import { Reception } from './reception.ts';
import { parseRtcp, writeReport, type ReportBlock } from './rtcp.ts';

const block: ReportBlock = { ssrc: 0xaabbccdd, fractionLost: 64, lost: 300, extendedHighest: 0x0001_0005, jitter: 17.9, lastSr: 0x1234_5678, delaySinceLastSr: 65_536 };

function written(over: Partial<Parameters<typeof writeReport>[1]> = {}): Buffer {
  const buffer = Buffer.alloc(256, 0xee);
  const length = writeReport(buffer, { ssrc: 0x01020304, cname: 'a@b', wallMs: 1_000_000_500, sent: null, received: null, bye: false, ...over });
  return buffer.subarray(0, length);
}

describe('RTCP reports', () => {
  it('are laid out as RFC 3550 §6.4 draws them', () => {
    const packet = written({ sent: { rtpTimestamp: 7, packets: 8, octets: 9 }, received: block });
    // SR: V=2 RC=1, type 200, 12 words more than the first; NTP of 1970 + 1,000,000.5 s.
    expect(packet.subarray(0, 52).toString('hex')).toBe(
      '81c8000c' + '01020304' + '83b9c0c0' + '80000000' + '00000007' + '00000008' + '00000009' + 'aabbccdd' + '4000012c' + '00010005' + '00000011' + '12345678' + '00010000',
    );
    // SDES with CNAME, padded with at least one zero to whole words.
    expect(packet.subarray(52).toString('hex')).toBe('81ca0003' + '01020304' + '0103614062' + '000000');
  });

  it('are an RR when nothing was sent, and end with BYE when asked', () => {
    const packet = written({ received: block, bye: true });
    expect(packet[1]).toBe(201);
    expect(packet.subarray(-8).toString('hex')).toBe('81cb0001' + '01020304');
    expect(parseRtcp(packet)).toEqual({ senderReport: null, senderSsrc: 0, blocks: [{ ssrc: 0xaabbccdd, fractionLost: 64, lost: 300, jitter: 17, lastSr: block.lastSr, delaySinceLastSr: block.delaySinceLastSr }], bye: true });
  });

  it('fit whole words whatever the name', () => {
    for (let n = 0; n < 100; n++) expect(parseRtcp(written({ cname: 'n'.repeat(n) }))).not.toBeNull();
  });

  it('give the middle of the NTP time of an SR', () => {
    expect(parseRtcp(written({ sent: { rtpTimestamp: 0, packets: 0, octets: 0 } }))?.senderReport).toBe(0xc0c0_8000);
  });

  it('never tell a negative loss as a huge one', () => {
    const packet = written({ received: { ...block, lost: 0x0fff_ffff } });
    expect(parseRtcp(packet)?.blocks[0]?.lost).toBe(0x7fffff);
  });

  it('are refused when cut off, of another version or empty', () => {
    const packet = written({ received: block });
    for (let length = 1; length < packet.length; length++) {
      // A cut between two packets of the compound leaves a whole one.
      if (length !== 32) expect(parseRtcp(packet.subarray(0, length))).toBeNull();
    }
    expect(parseRtcp(Buffer.alloc(0))).toBeNull();
    expect(parseRtcp(Buffer.from('41c90001' + '00000000', 'hex'))).toBeNull();
  });
});

/** A stream of packets 20 ms apart, some left out, each with its own delay. */
function receive(reception: Reception, sequences: number[], delayMs: (n: number) => number = () => 0): void {
  sequences.forEach((sequence) => reception.packetReceived(sequence & 0xffff, sequence * 160, { nowMs: sequence * 20 + delayMs(sequence), clockRateHz: 8000 }));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('what is known of a received stream', () => {
  it('counts loss over the end of the sequence numbers', () => {
    const reception = new Reception();
    receive(reception, range(65_500, 65_600).filter((n) => n % 10 !== 0));
    // The first, 65,500, is not known to have been lost.
    expect(reception.lost).toBe(9);
    expect(reception.extendedHighest).toBe(65_599);
  });

  it('takes a sender that begins anew with its SSRC for no loss, and one packet of far away for nothing', () => {
    for (const there of [20_000, 50_000]) {
      const reception = new Reception();
      receive(reception, [...range(0, 50), there + 500, ...range(50, 100)]);
      expect([reception.lost, reception.extendedHighest]).toEqual([0, 99]);
      receive(reception, [...range(there, there + 50), ...range(there + 52, there + 100)]);
      expect([reception.lost, reception.extendedHighest]).toEqual([2, there + 99]);
      expect(reception.fractionLost()).toBe(Math.floor((2 * 256) / 99));
    }
  });

  it('tells loss by interval, none for twins', () => {
    const reception = new Reception();
    receive(reception, range(0, 100));
    expect(reception.fractionLost()).toBe(0);
    receive(reception, range(100, 201).filter((n) => n % 2 === 0));
    expect(reception.fractionLost()).toBe(Math.floor((50 * 256) / 101));
    receive(reception, [200, 200, 200]);
    expect(reception.fractionLost()).toBe(0);
    expect(reception.lost).toBeGreaterThanOrEqual(47);
  });

  it('estimates jitter as RFC 3550 §A.8: a delay that swings by 10 ms', () => {
    const reception = new Reception();
    receive(reception, range(0, 1000), (n) => (n % 2) * 10);
    expect(reception.jitter / 8).toBeCloseTo(10, 1);
    const steady = new Reception();
    receive(steady, range(0, 1000));
    expect(steady.jitter).toBe(0);
  });

  it('keeps the loss of the stream before when another SSRC takes over', () => {
    const reception = new Reception();
    receive(reception, [0, 1, 5]);
    reception.restart(77);
    receive(reception, [9000, 9001]);
    expect(reception.lost).toBe(3);
    expect(reception.received).toBe(5);
  });
});
