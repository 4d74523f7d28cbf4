import { createDecoder, createEncoder, type OpusDecoderHandle, type OpusEncoderHandle } from 'libopus-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { g711 } from '../codec/g711.ts';
import { G722Decoder, G722Encoder } from '../codec/g722.ts';
import { preloadOpus } from '../codec/opus.ts';
import { ToneSource } from '../play/pcm-source.ts';
import type { PhoneCodec, RoomVoice } from '../protocol.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { MixParty } from './mix-party.ts';
import { PhoneVoice } from './phone-voice.ts';
import { PromptVoice } from './prompt-voice.ts';
import { RoomMixer, type MixOutput } from './room-mixer.ts';
import { WideStream } from './wide-stream.ts';

/** A phone's own codec, kept apart from the one under test where that is ours alone. */
interface PhoneEnd {
  encode(pcm: Int16Array): Uint8Array;
  decode(payload: Uint8Array): Int16Array;
}

class LawEnd implements PhoneEnd {
  readonly #law = g711('PCMU');
  encode(pcm: Int16Array): Uint8Array {
    return Uint8Array.from({ length: 160 }, (_, i) => this.#law.toCode[pcm[2 * i]! & 0xffff]!);
  }
  decode(payload: Uint8Array): Int16Array {
    return Int16Array.from({ length: 320 }, (_, i) => this.#law.toPcm[payload[i >> 1]!]!);
  }
}

class G722End implements PhoneEnd {
  readonly #encoder = new G722Encoder();
  readonly #decoder = new G722Decoder();
  encode(pcm: Int16Array): Uint8Array {
    const codes = new Uint8Array(160);
    this.#encoder.encode(pcm, codes);
    return codes;
  }
  decode(payload: Uint8Array): Int16Array {
    const pcm = new Int16Array(320);
    this.#decoder.decode(payload, pcm, { offset: 0, count: 160 });
    return pcm;
  }
}

class OpusEnd implements PhoneEnd {
  readonly #encoder: OpusEncoderHandle;
  readonly #decoder: OpusDecoderHandle;
  constructor(encoder: OpusEncoderHandle, decoder: OpusDecoderHandle) {
    this.#encoder = encoder;
    this.#decoder = decoder;
  }
  static async open(): Promise<OpusEnd> {
    return new OpusEnd(await createEncoder({ sampleRate: 16_000, channels: 1, bitrate: 48_000, frameSize: 320 }), await createDecoder({ sampleRate: 16_000, channels: 1 }));
  }
  encode(pcm: Int16Array): Uint8Array {
    return this.#encoder.encode(pcm, { frameSize: 320 });
  }
  decode(payload: Uint8Array): Int16Array {
    return this.#decoder.decode(payload);
  }
}

const endOf = (codec: PhoneCodec): PhoneEnd | Promise<PhoneEnd> => (codec === 'OPUS' ? OpusEnd.open() : codec === 'G722' ? new G722End() : new LawEnd());

/** A caller that hums into its voice and keeps what it is given, at 16 kHz. */
class Caller implements MixOutput {
  readonly codec: PhoneCodec;
  readonly ownVoice: PhoneVoice;
  readonly stream: WideStream | null;
  readonly party = new MixParty(newSid('MT'));
  wantsMix = true;
  humming = true;
  heard: number[] = [];
  payloads: (Uint8Array | null)[] = [];
  readonly #end: PhoneEnd;
  readonly #frequencyHz: number;
  readonly #view = new RtpView();
  #frames = 0;

  private constructor(end: PhoneEnd, codec: PhoneCodec, frequencyHz: number) {
    this.#end = end;
    this.codec = codec;
    this.#frequencyHz = frequencyHz;
    this.ownVoice = new PhoneVoice(codec);
    this.stream = codec === 'G722' || codec === 'OPUS' ? new WideStream(codec) : null;
  }

  static async open(codec: PhoneCodec, frequencyHz: number): Promise<Caller> {
    return new Caller(await endOf(codec), codec, frequencyHz);
  }

  speak(nowMs: number): void {
    const from = this.#frames * 320;
    const pcm = Int16Array.from({ length: 320 }, (_, i) => (this.humming ? Math.round(6000 * Math.sin((2 * Math.PI * this.#frequencyHz * (from + i)) / 16_000)) : 0));
    const payload = this.#end.encode(pcm);
    const packet = Buffer.concat([Buffer.alloc(12), payload]);
    writeRtpHeader(packet, { payloadType: 0, marker: false, sequenceNumber: this.#frames, timestamp: this.#frames * (this.codec === 'OPUS' ? 960 : 160), ssrc: 1 });
    this.#frames++;
    parseRtp(this.#view, packet);
    this.ownVoice.packetReceived(this.#view, nowMs);
  }

  tick(mix: Uint8Array | null): void {
    const payload = mix && Uint8Array.from(mix);
    this.payloads.push(payload);
    if (payload) this.heard.push(...this.#end.decode(payload));
  }

  /** Amplitude of a tone in the latest 0.2 s (default), 1 for a caller's. */
  hears(frequencyHz: number, samples = this.heard.slice(-3200)): number {
    let re = 0;
    let im = 0;
    samples.forEach((sample, i) => {
      const window = 1 - Math.cos((2 * Math.PI * (i + 0.5)) / samples.length);
      re += window * sample * Math.cos((2 * Math.PI * frequencyHz * i) / 16_000);
      im += window * sample * Math.sin((2 * Math.PI * frequencyHz * i) / 16_000);
    });
    return (2 * Math.hypot(re, im)) / samples.length / 6000;
  }

  set voice(voice: Partial<RoomVoice>) {
    this.party.setVoice({ muted: false, held: false, heardBy: null, hears: null, ...voice });
  }

  close(): void {
    this.stream?.close();
    this.ownVoice.close();
  }
}

class Room {
  readonly mixer = new RoomMixer();
  readonly callers: Caller[];
  #frames = 0;

  constructor(...callers: Caller[]) {
    this.callers = callers;
    for (const caller of callers) {
      this.mixer.addInput(caller.ownVoice, caller.party);
      this.mixer.addOutput(caller, caller.party);
    }
  }

  run(frames: number): void {
    for (let n = 0; n < frames; n++) {
      const nowMs = this.#frames++ * 20;
      for (const caller of this.callers) caller.speak(nowMs);
      this.mixer.tick(nowMs);
    }
  }

  /** Codecs are made asynchronously: they are asked for by the first frames. */
  async begin(): Promise<void> {
    this.run(4);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }

  close(): void {
    this.mixer.roomClosed();
    for (const caller of this.callers) caller.close();
  }
}

beforeAll(() => preloadOpus());

describe('a room of phones of all codecs', () => {
  it('lets wide-band phones hear each other above 4 kHz, G.711 what it can bear, and nobody itself', async () => {
    const [opus, g722, law] = [await Caller.open('OPUS', 6000), await Caller.open('G722', 5200), await Caller.open('PCMU', 700)];
    const room = new Room(opus, g722, law);
    await room.begin();
    room.run(40);
    const told = `${opus.hears(6000)} of itself`;
    expect(opus.hears(5200), told).toBeGreaterThan(0.8);
    expect(opus.hears(700), told).toBeGreaterThan(0.8);
    expect(opus.hears(6000), told).toBeLessThan(0.03);
    expect(g722.hears(6000), told).toBeGreaterThan(0.8);
    expect(g722.hears(700), told).toBeGreaterThan(0.8);
    expect(g722.hears(5200), told).toBeLessThan(0.1);
    // 8000 - 6000 and 8000 - 5200: what would fold down.
    for (const hz of [700, 2000, 2800]) expect(law.hears(hz), told).toBeLessThan(0.01);
    room.close();
  });

  it('codes once for all who are silent, at 16 kHz only while a wide-band phone listens', async () => {
    const talker = await Caller.open('PCMU', 900);
    const silent = await Promise.all(Array.from({ length: 3 }, () => Caller.open('G722', 0)));
    for (const caller of silent) caller.humming = false;
    const room = new Room(talker, ...silent);
    room.run(40);
    const [one, two, three] = silent.map((caller) => caller.payloads.at(-1));
    expect(one).toEqual(two);
    expect(one).toEqual(three);
    expect(silent[0]!.hears(900)).toBeGreaterThan(0.8);
    for (const caller of silent) room.mixer.removeOutput(caller);
    let asked = 0;
    const wide = talker.ownVoice.wide.bind(talker.ownVoice);
    talker.ownVoice.wide = () => {
      asked++;
      return wide();
    };
    room.run(10);
    expect(asked).toBe(0);
    room.mixer.addOutput(silent[0]!, silent[0]!.party);
    room.run(10);
    expect(asked).toBeGreaterThan(0);
    room.close();
  });

  it.each(['G722', 'OPUS'] as const)('a %s phone that begins and ceases to talk hears no seam', async (codec) => {
    const [talker, phone, other] = [await Caller.open('PCMU', 1000), await Caller.open(codec, 3000), await Caller.open(codec, 0)];
    other.humming = false;
    phone.humming = false;
    const room = new Room(talker, phone, other);
    await room.begin();
    room.run(50);
    const shared = phone.payloads.at(-1);
    expect(shared).toEqual(other.payloads.at(-1));
    phone.heard = [];
    // Three changes each way: it speaks for 0.3 s, and is silent for 0.8 s (the first 0.3 of them are hang-over).
    for (let turn = 0; turn < 3; turn++) {
      phone.humming = true;
      room.run(15);
      phone.humming = false;
      room.run(40);
    }
    expect(phone.payloads.at(-1)).toEqual(other.payloads.at(-1));
    // In every 20 ms the tone is there, and little else.
    for (let at = 0; at + 320 <= phone.heard.length; at += 320) {
      const frame = phone.heard.slice(at, at + 320);
      const tone = phone.hears(1000, frame);
      const power = frame.reduce((sum, sample) => sum + sample * sample, 0) / 320;
      const rest = 1 - (tone * 6000) ** 2 / 2 / power;
      expect(tone, `${at}`).toBeGreaterThan(0.7);
      expect(rest, `${at}`).toBeLessThan(0.1);
    }
    room.close();
  });

  it('prompts, coaches and chosen ones are heard by wide-band phones as by others', async () => {
    const [coach, agent, caller] = [await Caller.open('G722', 5000), await Caller.open('G722', 600), await Caller.open('OPUS', 1500)];
    coach.voice = { heardBy: [agent.party.trackSid] };
    const room = new Room(coach, agent, caller);
    await room.begin();
    room.run(40);
    expect(agent.hears(5000)).toBeGreaterThan(0.8);
    expect(caller.hears(5000)).toBeLessThan(0.02);
    expect(caller.hears(600)).toBeGreaterThan(0.8);
    const prompt = new PromptVoice(new ToneSource({ frequencyHz: 2200, durationMs: 5000, levelDbov: -18 }, 1), () => {});
    room.mixer.addPrompt(prompt);
    caller.voice = { hears: [] };
    room.run(40);
    for (const each of [coach, agent, caller]) expect(each.hears(2200)).toBeGreaterThan(0.5);
    expect(caller.hears(600)).toBeLessThan(0.02);
    room.close();
  });
});
