import { describe, expect, it } from 'vitest';
import { BrowserVoice } from '../../src/media/mix/browser-voice.ts';
import { PhoneVoice } from '../../src/media/mix/phone-voice.ts';
import { DtmfReceiver } from '../../src/media/rtp/dtmf.ts';
import { extensionDataLength, findExtension, isRtcp, parseRtp, RtpView, writeRtpHeader } from '../../src/media/rtp/packet.ts';
import { Reception } from '../../src/media/rtp/reception.ts';
import { parseRtcp, writeReport } from '../../src/media/rtp/rtcp.ts';
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

function voice(bytes: number, over: { payloadType?: number; timestamp?: number } = {}): Buffer {
  const packet = Buffer.alloc(12 + bytes, 0xa5);
  writeRtpHeader(packet, { payloadType: over.payloadType ?? 0, marker: false, sequenceNumber: 65_530, timestamp: over.timestamp ?? 0xffff_ff00, ssrc: 0xcafe });
  return packet;
}

function withExtension(profile: number, words: string): Buffer {
  const data = Buffer.from(words, 'hex');
  const head = Buffer.alloc(4);
  head.writeUInt16BE(profile, 0);
  head.writeUInt16BE(data.length / 4, 2);
  const packet = voice(0);
  packet[0] = 0x90;
  return Buffer.concat([packet, head, data, Buffer.alloc(160, 0x55)]);
}

function padded(): Buffer {
  const packet = voice(164);
  packet[0] = 0xa0;
  packet[packet.length - 1] = 4;
  return packet;
}

function withSources(): Buffer {
  const packet = voice(160 + 8);
  packet[0] = 0x82;
  return packet;
}

function report(): Buffer {
  const buffer = Buffer.alloc(256);
  const received = { ssrc: 1, fractionLost: 2, lost: 3, extendedHighest: 4, jitter: 5, lastSr: 6, delaySinceLastSr: 7 };
  return buffer.subarray(0, writeReport(buffer, { ssrc: 9, cname: 'phone@host', wallMs: 1e12, sent: { rtpTimestamp: 1, packets: 2, octets: 3 }, received, bye: true }));
}

const seeds = [
  voice(160),
  voice(240),
  voice(80, { timestamp: 0x7fff_ffb0 }),
  Buffer.concat([voice(0, { payloadType: 101 }), Buffer.from([5, 0x8a, 1, 0x40])]),
  withExtension(0xbede, '10ff2100aa003211bbcc0000'),
  withExtension(0x1000, '0101ff000203aabbcc000000'),
  padded(),
  withSources(),
  report(),
];

function mutate(next: (below: number) => number): Buffer {
  let bytes = Buffer.from(seeds[next(seeds.length)]!);
  // The head is where the grammar is.
  for (let i = next(5); i > 0; i--) bytes[next(next(2) === 0 ? Math.min(32, bytes.length) : bytes.length)] = next(256);
  if (next(5) === 0) bytes = bytes.subarray(0, next(bytes.length + 1));
  if (next(20) === 0) bytes = Buffer.concat([bytes, seeds[next(seeds.length)]!]);
  return bytes;
}

function checkView(view: RtpView, bytes: Buffer): void {
  const { payloadOffset, payloadLength, extensionOffset, extensionLength, payloadType, sequenceNumber } = view;
  if (payloadOffset < 12 || payloadLength < 0 || payloadOffset + payloadLength > bytes.length) expect.fail(`payload beyond the packet: ${bytes.toString('hex')}`);
  if (extensionOffset > 0 && extensionOffset + extensionLength > payloadOffset) expect.fail(`extension beyond the payload: ${bytes.toString('hex')}`);
  if (payloadType > 127 || sequenceNumber > 0xffff) expect.fail('impossible header');
  for (let id = 0; id < 16; id++) {
    const at = findExtension(view, id);
    if (at >= 0 && (at < extensionOffset || at + extensionDataLength.value > extensionOffset + extensionLength)) expect.fail(`element beyond its block: ${bytes.toString('hex')}`);
  }
}

describe('RTP and RTCP from a hostile phone', () => {
  it(`${BROKEN_INPUTS} mutated packets throw nothing, read nothing beyond their end, and the voice goes on after them`, () => {
    const next = random(20261125);
    const view = new RtpView();
    const phone = new PhoneVoice('PCMU');
    const browser = new BrowserVoice({ ended: () => expect.fail('nobody has ended it') });
    browser.needed = true;
    const [keys, reception] = [new DtmfReceiver(), new Reception()];
    const counts = { rtp: 0, rtcp: 0, keys: 0 };
    for (let i = 0; i < BROKEN_INPUTS; i++) {
      const bytes = mutate(next);
      const nowMs = i / 10;
      if (isRtcp(bytes) && parseRtcp(bytes)) counts.rtcp++;
      if (parseRtp(view, bytes)) {
        counts.rtp++;
        checkView(view, bytes);
        reception.packetReceived(view.sequenceNumber, view.timestamp, { nowMs, clockRateHz: 8000 });
        if (keys.packetReceived(bytes, view.payloadOffset, { length: view.payloadLength, timestamp: view.timestamp }) !== null) counts.keys++;
        phone.packetReceived(view, nowMs);
        view.audioLevel = next(130) - 1;
        browser.packetForwarded(view, next(2) === 0 ? 'pcmu' : 'pcma', nowMs);
      }
      if (i % 20 === 0) for (const voice of [phone, browser]) voice.pull(nowMs);
      if (!(reception.jitter >= 0) || reception.lost < 0 || !(reception.fractionLost() <= 255)) expect.fail('impossible reception');
    }
    // The inputs do reach the grammars, and do get through them.
    expect(counts.rtp).toBeGreaterThan(BROKEN_INPUTS / 2);
    expect(counts.rtcp).toBeGreaterThan(BROKEN_INPUTS / 35);
    expect(counts.keys).toBeGreaterThan(BROKEN_INPUTS / 100);
    expectStillHeard(phone);
  });

  it(`${BROKEN_INPUTS} random datagrams throw nothing`, () => {
    const next = random(4711);
    const view = new RtpView();
    for (let i = 0; i < BROKEN_INPUTS; i++) {
      const bytes = Buffer.alloc(next(64));
      for (let o = 0; o < bytes.length; o++) bytes[o] = o === 0 && next(2) === 0 ? 0x80 | next(64) : next(256);
      if (parseRtp(view, bytes)) checkView(view, bytes);
      parseRtcp(bytes);
    }
  });
});

/** After all of that a regular stream is heard within a second. */
function expectStillHeard(phone: PhoneVoice): void {
  const view = new RtpView();
  let heard = 0;
  for (let n = 0; n < 100; n++) {
    const packet = voice(160, { timestamp: 1_000_000 + n * 160 });
    packet.fill(0x90, 12);
    parseRtp(view, packet);
    phone.packetReceived(view, 20_000 + n * 20);
    if (phone.pull(20_000 + n * 20 + 5) && n >= 50) heard++;
  }
  expect(heard).toBe(50);
}
