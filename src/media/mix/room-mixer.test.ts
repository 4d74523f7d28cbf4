import { beforeEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { muLawToPcm, tonePower } from '../../testing/rtp-caller.ts';
import { g711 } from '../codec/g711.ts';
import { ToneSource } from '../play/pcm-source.ts';
import type { PhoneCodec, RoomVoice } from '../protocol.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { MixParty } from './mix-party.ts';
import { PhoneVoice } from './phone-voice.ts';
import { PromptVoice } from './prompt-voice.ts';
import { RoomMixer, type MixOutput } from './room-mixer.ts';
import { WideStream } from './wide-stream.ts';

/** A caller that hums into its voice and keeps what it is given. */
class Caller implements MixOutput {
  readonly codec: PhoneCodec;
  readonly ownVoice: PhoneVoice;
  readonly party = new MixParty(newSid('MT'));
  readonly stream: WideStream | null;
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
    this.ownVoice = new PhoneVoice(this.codec);
    this.stream = this.codec === 'G722' || this.codec === 'OPUS' ? new WideStream(this.codec) : null;
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

  set voice(voice: Partial<RoomVoice>) {
    this.party.setVoice({ muted: false, held: false, heardBy: null, hears: null, ...voice });
  }
}

function room(...callers: Caller[]): RoomMixer {
  const mixer = new RoomMixer();
  for (const caller of callers) {
    mixer.addInput(caller.ownVoice, caller.party);
    mixer.addOutput(caller, caller.party);
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

describe('who hears whom', () => {
  const TONES = [440, 700, 1130, 1500];
  let callers: Caller[];
  let mixer: RoomMixer;

  beforeEach(() => {
    callers = TONES.map((tone) => new Caller(tone));
    mixer = room(...callers);
  });

  /** Per caller the tones it hears, once everybody has spoken for a second. */
  function heard(): number[][] {
    for (const caller of callers) caller.heard.length = 0;
    run(mixer, callers, 50);
    return callers.map((caller) => TONES.filter((tone) => caller.hears(tone) > LOUD / 2 || (caller.hears(tone) > FAINT && expect.fail(`${tone} is half there`))));
  }

  it('a muted one hears all and is heard by none, and is heard again', () => {
    callers[0]!.voice = { muted: true };
    expect(heard()).toEqual([[700, 1130, 1500], [1130, 1500], [700, 1500], [700, 1130]]);
    callers[0]!.voice = {};
    expect(heard()[1]).toEqual([440, 1130, 1500]);
  });

  it('one on hold is neither heard nor hears', () => {
    callers[0]!.voice = { held: true };
    expect(heard()).toEqual([[], [1130, 1500], [700, 1500], [700, 1130]]);
  });

  it('a coach hears all and is heard by the one who is coached', () => {
    callers[0]!.voice = { heardBy: [callers[1]!.party.trackSid] };
    expect(heard()).toEqual([[700, 1130, 1500], [440, 1130, 1500], [700, 1500], [700, 1130]]);
    callers[0]!.voice = { heardBy: [callers[1]!.party.trackSid], muted: true };
    expect(heard()[1]).toEqual([1130, 1500]);
  });

  it('who has chosen whom to hear hears these alone', () => {
    callers[0]!.voice = { hears: [callers[2]!.party.trackSid] };
    callers[1]!.voice = { hears: [] };
    callers[2]!.voice = { heardBy: [callers[3]!.party.trackSid] };
    expect(heard()).toEqual([[], [], [440, 700, 1500], [440, 700, 1130]]);
  });

  it('a prompt is heard by all but those on hold, and is not recorded; the recording has no whispers', () => {
    let outcome = '';
    const prompt = new PromptVoice(new ToneSource({ frequencyHz: 2200, durationMs: 2000, levelDbov: -15 }), (how) => {
      outcome = how;
      mixer.removePrompt(prompt);
    });
    mixer.addPrompt(prompt);
    const recorded: number[] = [];
    mixer.addTap({ frame: (mix) => recorded.push(...mix), roomClosed: () => {} });
    callers[0]!.voice = { hears: [] };
    callers[1]!.voice = { held: true };
    callers[2]!.voice = { heardBy: [callers[3]!.party.trackSid] };
    run(mixer, callers, 50);
    expect(callers.map((caller) => caller.hears(2200) > LOUD / 2)).toEqual([true, false, true, true]);
    expect(recorded).toHaveLength(8000);
    expect([440, 700, 1130, 1500, 2200].filter((tone) => tonePower(recorded.slice(-4000), tone) > LOUD / 2)).toEqual([440, 1500]);
    expect(outcome).toBe('');
    run(mixer, callers, 60);
    expect(outcome).toBe('finished');
    expect(callers[0]!.heard.slice(-1000).every((sample) => sample === 0)).toBe(true);
  });
});
