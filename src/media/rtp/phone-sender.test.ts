import { describe, expect, it } from 'vitest';
import type { PhoneRemote } from '../protocol.ts';
import { DtmfSender } from './dtmf.ts';
import { parseRtp, RtpView } from './packet.ts';
import { PhoneSender } from './phone-sender.ts';

interface Sent {
  sequence: number;
  timestamp: number;
  marker: boolean;
  payloadType: number;
  payload: Buffer;
}

function sender(over: Partial<PhoneRemote> = {}): { sender: PhoneSender; sent: Sent[]; remote: PhoneRemote } {
  const sent: Sent[] = [];
  const view = new RtpView();
  const made = new PhoneSender((packet) => {
    expect(parseRtp(view, packet)).toBe(true);
    const { sequenceNumber: sequence, timestamp, marker, payloadType } = view;
    sent.push({ sequence, timestamp, marker, payloadType, payload: Buffer.from(packet.subarray(12)) });
  });
  const remote: PhoneRemote = { address: '127.0.0.1', port: 4000, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true, ...over };
  made.configure(remote);
  return { sender: made, sent, remote };
}

/** Frames of 160 codes that count on over frames. */
function frame(n: number): Uint8Array {
  return Uint8Array.from({ length: 160 }, (_, i) => (n * 160 + i) & 0xff);
}

function steps(sent: Sent[]): number[] {
  return sent.slice(1).map((packet, i) => (packet.timestamp - sent[i]!.timestamp) >>> 0);
}

describe('our stream to a phone', () => {
  it('begins far from the end of the sequence numbers: SRTP counts their rounds, and the first packets may reach nobody', () => {
    const first = Array.from({ length: 64 }, () => {
      const { sender: out, sent } = sender();
      out.frame(frame(0));
      return sent[0]?.sequence ?? Infinity;
    });
    expect(Math.max(...first)).toBeLessThan(0x8000);
  });

  it.each([10, 20, 30, 40, 60])('is cut into packets of %i ms', (ptimeMs) => {
    const { sender: out, sent } = sender({ ptimeMs });
    for (let n = 0; n < 60; n++) out.frame(frame(n));
    expect(sent).toHaveLength(1200 / ptimeMs);
    expect(sent.every(({ payload }) => payload.length === ptimeMs * 8)).toBe(true);
    expect(steps(sent).every((step) => step === ptimeMs * 8)).toBe(true);
    const bytes = Buffer.concat(sent.map(({ payload }) => payload));
    expect(bytes.every((byte, i) => byte === (i & 0xff))).toBe(true);
    expect(sent.map(({ marker }) => marker).lastIndexOf(true)).toBe(0);
  });

  it('is silence in the codec’s own code when there is nothing to say', () => {
    const { sender: out, sent } = sender({ codec: 'PCMA', payloadType: 8 });
    out.frame(null);
    expect(sent[0]).toMatchObject({ payloadType: 8, payload: Buffer.alloc(160, 0xd5) });
  });

  it('keeps its numbers over hold, its time goes on, and the marker says so', () => {
    const { sender: out, sent } = sender();
    out.frame(null);
    for (let n = 0; n < 50; n++) out.skip();
    out.frame(null);
    expect((sent[1]!.sequence - sent[0]!.sequence) & 0xffff).toBe(1);
    expect(steps(sent)).toEqual([51 * 160]);
    expect(sent[1]!.marker).toBe(true);
  });

  it('goes on over a re-INVITE with another codec', () => {
    const { sender: out, sent, remote } = sender();
    out.frame(null);
    out.configure({ ...remote, codec: 'PCMA', payloadType: 8, ptimeMs: 40 });
    out.frame(null);
    out.frame(null);
    expect(sent.map(({ payloadType }) => payloadType)).toEqual([0, 8]);
    expect((sent[1]!.sequence - sent[0]!.sequence) & 0xffff).toBe(1);
    expect(steps(sent)).toEqual([160]);
  });

  it('puts keys between its voice: one timestamp a press, time goes on below it', () => {
    const { sender: out, sent } = sender();
    out.frame(null);
    for (let n = 1; n <= 3; n++) out.event({ event: 5, ended: n === 3, duration: n * 160, first: n === 1 });
    out.frame(null);
    const keys = sent.slice(1, 4);
    expect(keys.map(({ payloadType, payload }) => [payloadType, payload.toString('hex')])).toEqual([
      [101, '050a00a0'],
      [101, '050a0140'],
      [101, '058a01e0'],
    ]);
    expect(new Set(keys.map(({ timestamp }) => timestamp)).size).toBe(1);
    expect(keys.map(({ marker }) => marker)).toEqual([true, false, false]);
    expect((sent[4]!.timestamp - sent[0]!.timestamp) >>> 0).toBe(4 * 160);
    expect(sent[4]!.marker).toBe(true);
  });

  it.each([
    [48_000, 960],
    [8000, 160],
  ])('tells how long a key lasts in the clock of its events beside Opus: %i Hz', (dtmfClockRateHz, step) => {
    const { sender: out, sent } = sender({ codec: 'OPUS', payloadType: 107, dtmfClockRateHz });
    const keys = new DtmfSender('5');
    out.frame(Uint8Array.of(1, 2, 3));
    for (let packet = keys.step(); packet; packet = keys.step()) out.event(packet);
    out.frame(Uint8Array.of(1, 2, 3));
    const events = sent.slice(1, -1).map(({ payload }) => [payload[0], (payload[1] ?? 0) >> 7, payload.readUInt16BE(2) / step]);
    // 120 ms in steps of 20, and the end three times.
    expect(events).toEqual([[5, 0, 1], [5, 0, 2], [5, 0, 3], [5, 0, 4], [5, 0, 5], [5, 1, 6], [5, 1, 6], [5, 1, 6]]);
    // Voice goes on where time is, whatever the keys count.
    expect((sent.at(-1)!.timestamp - sent[0]!.timestamp) >>> 0).toBe(9 * 960);
  });

  it('carries on a pipe’s packets as its own', () => {
    const { sender: out, sent } = sender();
    out.frame(null);
    out.relay(Buffer.from('....hello'), { offset: 4, length: 5, timestampStep: 240 });
    out.frame(null);
    expect(sent[1]!.payload.toString()).toBe('hello');
    expect(steps(sent)).toEqual([160, 240]);
    expect((sent[2]!.sequence - sent[0]!.sequence) & 0xffff).toBe(2);
  });

  it('does not write over packets that a socket still holds', () => {
    const held: Buffer[] = [];
    const out = new PhoneSender((packet) => held.push(packet));
    out.configure({ address: '', port: 1, codec: 'PCMU', payloadType: 0, dtmfPayloadType: null, ptimeMs: 20, send: true, receive: true });
    for (let n = 0; n < 6; n++) out.frame(new Uint8Array(160).fill(n));
    expect(held.map((packet) => packet[12])).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
