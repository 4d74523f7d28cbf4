import { createDecoder, createEncoder, type OpusEncoderHandle } from 'libopus-wasm';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { delivered } from '../../testing/delivered.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { RtpCaller, tonePower } from '../../testing/rtp-caller.ts';
import { G722Decoder, G722Encoder } from '../codec/g722.ts';
import { Downsampler } from '../codec/half-band.ts';
import { preloadOpus } from '../codec/opus.ts';
import { MixParty } from '../mix/mix-party.ts';
import { ToneSource } from '../play/pcm-source.ts';
import type { PhoneRemote } from '../protocol.ts';
import { PhoneTrack } from '../room/phone-track.ts';
import { PhoneTransport } from './phone-transport.ts';
import { PortPool } from './port-pool.ts';

// One phone per codec, without a room: what it says, what it is told, its keys, its comfort noise.

const LOUD = 0.01;
const closing: { close(): void }[] = [];
afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});
beforeAll(() => preloadOpus());

const OPUS: Partial<PhoneRemote> = { codec: 'OPUS', payloadType: 111, dtmfPayloadType: 100, dtmfClockRateHz: 48_000 };
const G722: Partial<PhoneRemote> = { codec: 'G722', payloadType: 9 };

async function leg(over: Partial<PhoneRemote>) {
  const clock = new FakeClock();
  const told: string[] = [];
  const base = 26_000 + 2 * Math.floor(Math.random() * 7000);
  const phone = await PhoneTransport.open({
    id: 'phone-1',
    bindAddress: '127.0.0.1',
    ports: new PortPool({ min: base, max: base + 199 }),
    mediaTimeoutMs: 1000,
    clock,
    events: { digitReceived: (digit) => told.push(digit), firstPacketReceived: () => {}, mediaTimedOut: () => told.push('timed out'), securityFailed: (why) => told.push(why) },
  });
  const caller = await RtpCaller.open(0);
  closing.push(phone, caller);
  const remote: PhoneRemote = { address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true, ...over };
  phone.connect(remote);
  const settle = (): Promise<void> => delivered(phone, caller);
  await settle(); // codecs are made asynchronously
  /** 20 ms steps, each with what the caller says in it. */
  const run = async (frames: number, say: (n: number) => void = () => {}): Promise<void> => {
    for (let n = 0; n < frames; n++) {
      say(n);
      if (n % 10 === 0) await settle();
      clock.advance(20);
      phone.idle.tick(clock.nowMs());
    }
    await settle();
  };
  return { clock, phone, caller, remote, told, run };
}

const wideTone = (hz: number, n: number): Int16Array => Int16Array.from({ length: 320 }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * hz * (n * 320 + i)) / 16_000)));

const lastUnits = ({ heard }: RtpCaller, step: number): boolean => heard.slice(1).every((packet, i) => ((packet.timestamp - heard[i]!.timestamp) >>> 0) === step);

/** What a tap of the phone hears. */
function ear(phone: PhoneTransport): { inbound: number[]; outbound: number[] } {
  const heard = { inbound: [] as number[], outbound: [] as number[] };
  phone.addTap({ frame: (inbound, outbound) => void (heard.inbound.push(...inbound), heard.outbound.push(...outbound)), phoneClosed: () => {} });
  return heard;
}

describe('a phone that speaks Opus', () => {
  let encoder: OpusEncoderHandle;
  beforeAll(async () => {
    encoder = await createEncoder({ sampleRate: 16_000, channels: 1, bitrate: 32_000, frameSize: 320, fec: true, packetLossPercent: 20 });
  });

  const say = (caller: RtpCaller, phone: PhoneTransport, n: number): void => {
    caller.send(111, Buffer.from(encoder.encode(wideTone(440, n), { frameSize: 320 })), { target: phone.localPort });
    caller.timestamp += 960;
  };

  it('is played to in packets of 20 ms that count 48 kHz; what it says and hears is told at 8 kHz', async () => {
    const { phone, caller, run } = await leg({ ...OPUS, opus: { fec: true, maxPlaybackRateHz: 48_000, maxBitrateBps: null } });
    const heard = ear(phone);
    void phone.play(new ToneSource({ frequencyHz: 900, durationMs: 5000, levelDbov: -15 }, 1));
    await run(10, (n) => say(caller, phone, n));
    await run(40, (n) => say(caller, phone, n + 10));
    expect(caller.heard.length).toBeGreaterThan(45);
    expect(caller.heard.every(({ payloadType }) => payloadType === 111)).toBe(true);
    expect(lastUnits(caller, 960)).toBe(true);
    const decoder = await createDecoder({ sampleRate: 8000, channels: 1 });
    const pcm = caller.heard.flatMap(({ payload }) => [...decoder.decode(payload)]);
    expect(tonePower(pcm.slice(-3200), 900)).toBeGreaterThan(LOUD);
    expect(tonePower(heard.outbound.slice(-3200), 900)).toBeGreaterThan(LOUD);
    expect(tonePower(heard.inbound.slice(-3200), 440)).toBeGreaterThan(LOUD);
    expect(phone.stats()).toMatchObject({ packetsLost: 0, packetsDiscarded: 0 });
  });

  it('gets keys in its own clock', async () => {
    const { phone, caller, run } = await leg(OPUS);
    const sent = phone.sendDigits('5');
    await run(12);
    await sent;
    const keys = caller.heard.filter(({ payloadType }) => payloadType === 100);
    expect(keys.map(({ payload }) => payload.readUInt16BE(2)).slice(0, 3)).toEqual([960, 1920, 2880]);
    expect(keys.at(-1)!.payload.readUInt16BE(2)).toBe(960 * 6);
    expect(new Set(keys.map(({ timestamp }) => timestamp)).size).toBe(1);
    const after = caller.heard.find(({ payloadType, timestamp }) => payloadType === 111 && timestamp > keys[0]!.timestamp);
    expect(after!.timestamp - keys[0]!.timestamp).toBe(960 * keys.length);
  });
});

describe('a phone that speaks G.722', () => {
  it('is played to in packets that count 8 kHz, of the time it asked for', async () => {
    const { phone, caller, run } = await leg({ ...G722, ptimeMs: 30 });
    const heard = ear(phone);
    const encoder = new G722Encoder();
    void phone.play(new ToneSource({ frequencyHz: 900, durationMs: 5000, levelDbov: -15 }, 1));
    await run(60, (n) => {
      const codes = Buffer.alloc(160);
      encoder.encode(wideTone(440, n), codes);
      caller.send(9, codes, { target: phone.localPort });
      caller.timestamp += 160;
    });
    expect(caller.heard).toHaveLength(40);
    expect(caller.heard.every(({ payload, payloadType }) => payload.length === 240 && payloadType === 9)).toBe(true);
    expect(lastUnits(caller, 240)).toBe(true);
    const codes = Buffer.concat(caller.heard.map(({ payload }) => payload));
    const [wide, narrow] = [new Int16Array(2 * codes.length), new Int16Array(codes.length)];
    new G722Decoder().decode(codes, wide, { offset: 0, count: codes.length });
    new Downsampler().convert(wide, narrow);
    expect(tonePower(narrow.slice(-3200), 900)).toBeGreaterThan(LOUD);
    expect(tonePower(heard.outbound.slice(-3200), 900)).toBeGreaterThan(LOUD);
    expect(tonePower(heard.inbound.slice(-3200), 440)).toBeGreaterThan(LOUD);
  });

  it('may change over to another codec and back within the call', async () => {
    const { phone, caller, remote, run } = await leg(G722);
    void phone.play(new ToneSource({ frequencyHz: 900, durationMs: 9000, levelDbov: -15 }, 1));
    await run(10);
    phone.connect({ ...remote, codec: 'PCMU', payloadType: 0 });
    await run(30);
    expect(caller.hears(900)).toBeGreaterThan(LOUD);
    phone.connect(remote);
    await run(10);
    expect(caller.heard.slice(-8).every(({ payloadType }) => payloadType === 9)).toBe(true);
    const numbers = caller.heard.map(({ sequenceNumber }) => sequenceNumber);
    expect(numbers.slice(1).every((number, i) => ((number - numbers[i]!) & 0xffff) === 1)).toBe(true);
    expect(new Set(caller.heard.map(({ ssrc }) => ssrc)).size).toBe(1);
  });
});

describe('comfort noise', () => {
  it.each([{}, G722])('of a phone is silence that is not lost, keeps the call alive and reaches browsers as silence (%o)', async (over) => {
    const { phone, caller, told, run } = await leg(over);
    const heard = ear(phone);
    const track = new PhoneTrack(new MixParty(newSid('MT')));
    const forwarded: [codec: string, length: number][] = [];
    track.addSink({ packetForwarded: (view, codec) => forwarded.push([codec, view.payloadLength]), sourceEnded: () => {} });
    phone.enterPipe(track);
    const encoder = new G722Encoder();
    const law = Buffer.alloc(160, 0x90);
    await run(20, (n) => {
      const codes = Buffer.alloc(160);
      encoder.encode(wideTone(440, n), codes);
      caller.send(over === G722 ? 9 : 0, over === G722 ? codes : law, { target: phone.localPort });
      caller.timestamp += 160;
    });
    await run(100, (n) => {
      if (n % 10 === 0) caller.send(13, Buffer.from([70]), { target: phone.localPort });
      caller.timestamp += 160;
    });
    expect(told).toEqual([]);
    expect(phone.stats()).toMatchObject({ packetsReceived: 30, packetsLost: 0, packetsDiscarded: 0 });
    expect(heard.inbound.slice(-1600).every((sample) => sample === 0)).toBe(true);
    const name = over === G722 ? 'g722' : 'pcmu';
    expect(forwarded).toHaveLength(30);
    expect(forwarded.every(([codec, length]) => codec === name && length === 160)).toBe(true);
    await run(60);
    expect(told).toEqual(['timed out']);
  });
});
