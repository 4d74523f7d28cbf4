import { describe, expect, it } from 'vitest';
import { muLawToPcm, tonePower } from '../../testing/rtp-caller.ts';
import { g711 } from '../codec/g711.ts';
import type { PhoneCodec } from '../protocol.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { PhoneVoice } from './phone-voice.ts';
import { RoomMixer, type MixOutput } from './room-mixer.ts';

/** A caller that hums into its voice and keeps what it is given. */
class Caller implements MixOutput {
  readonly codec: PhoneCodec;
  readonly ownVoice: PhoneVoice;
  wantsMix = true;
  readonly heard: number[] = [];
  readonly buffers = new Set<Uint8Array>();
  readonly #frequencyHz: number;
  readonly #amplitude: number;
  readonly #view = new RtpView();
  #frames = 0;

  constructor(frequencyHz: number, options: { codec?: PhoneCodec; amplitude?: number } = {}) {
    this.codec = options.codec ?? 'PCMU';
    this.#frequencyHz = frequencyHz;
    this.#amplitude = options.amplitude ?? 6000;
    this.ownVoice = new PhoneVoice(g711(this.codec));
  }

  speak(nowMs: number): void {
    const packet = Buffer.alloc(172);
    const { toCode } = g711(this.codec);
    writeRtpHeader(packet, { payloadType: 0, marker: false, sequenceNumber: this.#frames, timestamp: this.#frames * 160, ssrc: 1 });
    for (let i = 0; i < 160; i++) {
      const sample = Math.round(this.#amplitude * Math.sin((2 * Math.PI * this.#frequencyHz * (this.#frames * 160 + i)) / 8000));
      packet[12 + i] = toCode[sample & 0xffff]!;
    }
    this.#frames++;
    parseRtp(this.#view, packet);
    this.ownVoice.packetReceived(this.#view, nowMs);
  }

  tick(mix: Uint8Array | null): void {
    if (!mix) return;
    this.buffers.add(mix);
    const { toPcm } = g711(this.codec);
    for (const code of mix) this.heard.push(toPcm[code]!);
  }

  hears(frequencyHz: number): number {
    return tonePower(this.heard.slice(-4000), frequencyHz);
  }
}

function room(...callers: Caller[]): RoomMixer {
  const mixer = new RoomMixer();
  for (const caller of callers) {
    mixer.addInput(caller.ownVoice);
    mixer.addOutput(caller);
  }
  return mixer;
}

function run(mixer: RoomMixer, callers: Caller[], frames = 40): void {
  for (let n = 0; n < frames; n++) {
    for (const caller of callers) caller.speak(n * 20);
    mixer.tick(n * 20);
  }
}

const LOUD = 0.03; // 6000 of 32,768 squared
const FAINT = 1e-5;

describe('a room’s mix', () => {
  it('lets each hear the others and nobody itself', () => {
    const tones = [440, 700, 1130];
    const callers = tones.map((tone) => new Caller(tone));
    run(room(...callers), callers);
    for (const [i, caller] of callers.entries()) {
      for (const [j, tone] of tones.entries()) {
        if (i === j) expect(caller.hears(tone)).toBeLessThan(FAINT);
        else expect(caller.hears(tone)).toBeCloseTo(LOUD, 2);
      }
    }
  });

  it('mixes µ-law and A-law callers', () => {
    const [mu, a] = [new Caller(440), new Caller(700, { codec: 'PCMA' })];
    run(room(mu, a), [mu, a]);
    expect(mu.hears(700)).toBeCloseTo(LOUD, 2);
    expect(a.hears(440)).toBeCloseTo(LOUD, 2);
    expect(a.hears(700)).toBeLessThan(FAINT);
  });

  it('gives all who are silent one buffer, encoded once per codec', () => {
    const talker = new Caller(440);
    const silent = Array.from({ length: 5 }, () => new Caller(0));
    const silentA = [new Caller(0, { codec: 'PCMA' }), new Caller(0, { codec: 'PCMA' })];
    const all = [talker, ...silent, ...silentA];
    run(room(...all), all);
    const buffers = new Set(silent.flatMap((caller) => [...caller.buffers]));
    expect(buffers.size).toBe(1);
    expect(new Set(silentA.flatMap((caller) => [...caller.buffers])).size).toBe(1);
    for (const caller of [...silent, ...silentA]) expect(caller.hears(440)).toBeCloseTo(LOUD, 2);
    expect(talker.hears(440)).toBeLessThan(FAINT);
  });

  it('saturates instead of wrapping round when many shout', () => {
    const callers = Array.from({ length: 6 }, () => new Caller(500, { amplitude: 32_000 }));
    const listener = new Caller(0);
    run(room(...callers, listener), [...callers, listener]);
    const tail = listener.heard.slice(-160);
    expect(Math.max(...tail)).toBe(32_124);
    expect(Math.min(...tail)).toBe(-32_124);
    // Wrapped samples would jump from one end to the other.
    const jumps = tail.filter((sample, i) => i > 0 && Math.abs(sample - tail[i - 1]!) > 64_000);
    expect(jumps).toEqual([]);
    expect(listener.hears(500)).toBeGreaterThan(0.9);
  });

  it('forgets who has left', () => {
    const [a, b] = [new Caller(440), new Caller(0)];
    const mixer = room(a, b);
    run(mixer, [a, b]);
    mixer.removeInput(a.ownVoice);
    mixer.removeOutput(a);
    const before = a.heard.length;
    run(mixer, [b], 30);
    expect(b.hears(440)).toBeLessThan(FAINT);
    expect(a.heard.length).toBe(before);
  });

  it('bothers nobody who does not want it', () => {
    const [a, b] = [new Caller(440), new Caller(0)];
    b.wantsMix = false;
    run(room(a, b), [a, b]);
    expect(b.heard).toEqual([]);
  });

  it('fades a talker whose packets stop, and is silent after', () => {
    const [a, b] = [new Caller(440), new Caller(0)];
    const mixer = room(a, b);
    run(mixer, [a, b]);
    run(mixer, [b], 60);
    expect(b.heard.slice(-1600).every((sample) => sample === 0)).toBe(true);
    expect(muLawToPcm(0xff) + 0).toBe(0);
  });
});
