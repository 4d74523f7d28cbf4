import { describe, expect, it } from 'vitest';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { readFrameSize } from './frame-size.ts';
import { LayerDemand } from './layer-demand.ts';
import { LayerSelector } from './layer-selector.ts';
import { PictureIds } from './picture-ids.ts';
import { RateMeter } from './rate-meter.ts';
import { ReceiveStream } from './receive-stream.ts';
import { StreamRewriter } from './stream-rewriter.ts';

const size = (codec: string, hex: string): string | null => {
  const out = { width: 0, height: 0 };
  return readFrameSize(codec, Buffer.from(hex.replaceAll(' ', ''), 'hex'), out) ? `${out.width}x${out.height}` : null;
};

describe('size of the picture', () => {
  it('is read from VP8, behind any descriptor', () => {
    expect(size('vp8', '10 10 02 00 9d 01 2a 80 02 68 01')).toBe('640x360');
    // Extended: picture id of 15 bit, TL0PICIDX, TID. The scaling bits above the width do not count.
    expect(size('vp8', '90 e0 81 23 07 20 10 02 00 9d 01 2a 00 45 d0 02')).toBe('1280x720');
    expect([size('vp8', '10 10 02 00 9d'), size('vp8', '10 10 02 00 00 00 00 80 02 68 01')]).toEqual([null, null]);
  });

  it('is read from VP9, from the scalability structure or the frame header', () => {
    // I, L=0, B, V: SS with N_S=0, Y: 640x360.
    expect(size('vp9', '8a 92 34 10 02 80 01 68')).toBe('640x360');
    // Two spatial layers: the larger counts.
    expect(size('vp9', '8a 92 34 30 01 40 00 b4 02 80 01 68')).toBe('640x360');
    // No SS: marker 10, profile 00, key frame, sync code, colour space 1, then 16 bit of width - 1 and height - 1.
    const bits = `10 00 0 0 1 0 ${(0x498342).toString(2).padStart(24, '0')} 001 0 ${(639).toString(2).padStart(16, '0')} ${(359).toString(2).padStart(16, '0')}`.replaceAll(' ', '');
    const header = Buffer.from(bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g)!.map((byte) => parseInt(byte, 2))).toString('hex');
    expect(size('vp9', `88 92 34 ${header}`)).toBe('640x360');
    expect(size('vp9', '88 92 34 80')).toBeNull();
  });

  it('is read from the parameter set of H.264, cropped', () => {
    // x264, baseline, 1920x1080 (1088 coded, 8 cropped), with an emulation prevention byte.
    expect(size('h264', '67 42 c0 28 da 01 e0 08 9f 97 01 10 00 00 03 00 10 00 00 03 03 c0 f1 83 2a')).toBe('1920x1080');
    // In an aggregate.
    expect(size('h264', '78 00 19 67 42 c0 28 da 01 e0 08 9f 97 01 10 00 00 03 00 10 00 00 03 03 c0 f1 83 2a 00 04 68 ce 0f c8')).toBe('1920x1080');
    expect([size('h264', '65 88'), size('h264', '67 42'), size('opus', '00')]).toEqual([null, null, null]);
  });
});

describe('picture numbers', () => {
  const vp8 = (picture: number, tl0: number): Buffer => Buffer.from([0x90, 0xe0, 0x80 | (picture >> 8), picture & 0xff, tl0, 0x20, 0x00]);
  const read = (packet: Buffer): [number, number] => [packet.readUInt16BE(2) & 0x7fff, packet[4] as number];
  const through = (ids: PictureIds, packet: Buffer, rebased: boolean): [number, number] => {
    ids.rewrite('vp8', packet, { at: 0, end: packet.length, rebased });
    return read(packet);
  };

  it('of VP8 go on over a change of layer, late packets included, and over the wrap', () => {
    const ids = new PictureIds();
    expect([through(ids, vp8(32_766, 254), true), through(ids, vp8(32_767, 255), false)]).toEqual([[32_766, 254], [32_767, 255]]);
    expect(through(ids, vp8(500, 9), true)).toEqual([0, 0]);
    expect([through(ids, vp8(502, 10), false), through(ids, vp8(501, 9), false), through(ids, vp8(503, 10), false)]).toEqual([[2, 1], [1, 0], [3, 1]]);
    expect(through(ids, vp8(9, 200), true)).toEqual([4, 2]);
  });

  it('of 7 bits stay in them; packets without any stay as they are', () => {
    const ids = new PictureIds();
    const narrow = (picture: number): Buffer => Buffer.from([0x90, 0x80, picture, 0x00]);
    for (const [picture, rebased, written] of [[126, true, 126], [5, true, 127], [6, false, 0]] as const) {
      const packet = narrow(picture);
      ids.rewrite('vp8', packet, { at: 0, end: 4, rebased });
      expect(packet[2]).toBe(written);
    }
    const plain = Buffer.from([0x10, 0x00, 1]);
    ids.rewrite('vp8', plain, { at: 0, end: 3, rebased: true });
    expect(plain).toEqual(Buffer.from([0x10, 0x00, 1]));
    const cut = Buffer.from([0x90, 0xc0, 0x80]);
    ids.rewrite('vp8', cut, { at: 0, end: 3, rebased: true });
    expect(cut).toEqual(Buffer.from([0x90, 0xc0, 0x80]));
  });

  it('of VP9 go on likewise', () => {
    const ids = new PictureIds();
    const vp9 = (picture: number, tl0: number): Buffer => Buffer.from([0xa8, 0x80 | (picture >> 8), picture & 0xff, 0x00, tl0]);
    const written = ([[7, 3, true], [900, 77, true], [901, 78, false]] as const).map(([picture, tl0, rebased]) => {
      const packet = vp9(picture, tl0);
      ids.rewrite('vp9', packet, { at: 0, end: packet.length, rebased });
      return [packet.readUInt16BE(1) & 0x7fff, packet[4]];
    });
    expect(written).toEqual([[7, 3], [8, 4], [9, 5]]);
  });
});

function packet(ssrc: number, sequenceNumber: number, timestamp = 0): RtpView {
  const buffer = Buffer.alloc(13);
  writeRtpHeader(buffer, { ssrc, sequenceNumber, timestamp, marker: false, payloadType: 96 });
  const view = new RtpView();
  expect(parseRtp(view, buffer)).toBe(true);
  return view;
}

describe('choice of a layer', () => {
  const streams = [1, 2, 3].map((ssrc) => new ReceiveStream(ssrc, { nack: false }));
  let sequenceNumber = 0;
  const come = (nowMs: number, which = streams): void => {
    for (const stream of which) stream.packetReceived(packet(stream.ssrc, sequenceNumber++), { nowMs, clockRateHz: 90_000, repeated: false });
  };

  it('goes no higher than its limit, comes down on the next key frame, and takes what there is', () => {
    const [low, middle, high] = streams as [ReceiveStream, ReceiveStream, ReceiveStream];
    const layers = new LayerSelector();
    layers.reset(streams);
    for (let t = 0; t <= 2000; t += 100) come(t);
    layers.limit = 1;
    expect([layers.accept(high, true, 2000), layers.accept(middle, true, 2000), layers.awaited(2000)]).toEqual([false, true, null]);
    layers.limit = 2;
    expect([layers.awaited(2000), layers.accept(high, false, 2000), layers.accept(high, true, 2000), layers.accept(middle, true, 2000)]).toEqual([high, false, true, false]);
    layers.limit = 0;
    expect([layers.awaited(2000), layers.accept(high, true, 2000), layers.accept(low, true, 2000), layers.currentIndex]).toEqual([low, true, true, 0]);
    // The lowest ceases: better a high one than none.
    for (let t = 2100; t <= 3600; t += 100) come(t, [high]);
    expect(layers.awaited(3600)).toBe(high);
  });
});

describe('demand for layers', () => {
  it('is told when a layer is wanted by nobody for 3 s, and at once when it is again', () => {
    const demand = new LayerDemand();
    demand.reset(3, 0);
    const subscriber = new LayerSelector();
    const at = (nowMs: number, limit: number, desired = limit): boolean[] | null => {
      Object.assign(subscriber, { limit, desired });
      demand.wanted(subscriber, nowMs);
      return demand.change(nowMs);
    };
    expect([at(100, 2), at(2900, 2), at(3000, 2)]).toEqual([null, null, [true, false, true]]);
    expect(at(3100, 0, 1), 'held back by the path').toEqual([true, true, true]);
    expect(at(6000, 0, 1)).toEqual([true, true, false]);
    expect([at(6100, 0), at(9000, 0)]).toEqual([null, [true, false, false]]);
    expect([demand.change(11_000), demand.change(12_000)]).toEqual([null, [false, false, false]]);
    expect(at(12_100, -1)).toBeNull();
    expect(at(12_200, Infinity, Infinity), 'the best there is').toEqual([true, false, true]);
    demand.allWanted(12_300);
    expect(demand.change(12_300)).toEqual([true, true, true]);
  });
});

describe('time lines of layers', () => {
  it('are joined by what their reports say, so that lips stay in sync', () => {
    const rewriter = new StreamRewriter(100);
    rewriter.rewrite(packet(1, 7, 10_000), 90_000, 1000);
    // Captured 100 ms later, came 130 ms later.
    rewriter.align(500_000);
    rewriter.rewrite(packet(2, 1, 519_000), 90_000, 1130);
    expect([rewriter.sequenceNumber, rewriter.timestamp, rewriter.rebased]).toEqual([101, 19_000, true]);
    rewriter.align(-500_000);
    rewriter.rewrite(packet(1, 20, 18_000), 90_000, 1140);
    expect(rewriter.timestamp, 'never back').toBe(19_900);
  });
});

it('a rate is that of the last second', () => {
  const meter = new RateMeter();
  expect(meter.bps(0)).toBe(0);
  for (let t = 0; t < 5000; t += 10) meter.add(125, t);
  expect(meter.bps(5000)).toBeCloseTo(100_000, -4);
  expect(meter.bps(5500) / 1000).toBeLessThan(60);
  expect(meter.bps(9000)).toBe(0);
});
