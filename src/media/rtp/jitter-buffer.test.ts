import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES, JitterBuffer, type PulledFrame } from './jitter-buffer.ts';

interface Packet {
  /** Index of its first sample; its samples count on from there. */
  at: number;
  samples: number;
  arrivesMs: number;
}

const START = 0x7fff_ff00; // the 32-bit sign changes, and soon after the 16-bit ring has gone round

function samplesFrom(index: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => (index + i) % 30_000);
}

/** A steady stream of `count` packets. */
function stream(count: number, options: { ptimeMs?: number; skew?: number } = {}): Packet[] {
  const { ptimeMs = 20, skew = 1 } = options;
  return Array.from({ length: count }, (_, i) => ({ at: i * ptimeMs * 8, samples: ptimeMs * 8, arrivesMs: i * ptimeMs * skew }));
}

interface Heard {
  frames: { kind: PulledFrame; first: number; delayMs: number }[];
  buffer: JitterBuffer;
}

/** Lets packets arrive and pulls a frame every 20 ms, as a mixer does; a frame's delay counts from the birth of its first sample. */
function play(packets: Packet[], pulls: number, firstPullMs = 5): Heard {
  const buffer = new JitterBuffer();
  const queue = [...packets].sort((a, b) => a.arrivesMs - b.arrivesMs);
  const out = new Int16Array(FRAME_SAMPLES);
  const frames: Heard['frames'] = [];
  for (let n = 0; n < pulls; n++) {
    const nowMs = firstPullMs + n * 20;
    while (queue[0] && queue[0].arrivesMs <= nowMs) {
      const { at, samples, arrivesMs } = queue.shift()!;
      buffer.insert((START + at) >>> 0, samplesFrom(at, samples), { offset: 0, samples, nowMs: arrivesMs });
    }
    const kind = buffer.pull(out, nowMs);
    // The count goes round every 3.75 s.
    const first = kind === 'voice' ? out[0]! + 30_000 * Math.max(0, Math.round((nowMs * 8 - out[0]!) / 30_000)) : -1;
    if (kind === 'voice') for (let i = 1; i < FRAME_SAMPLES; i++) if (out[i] !== (first + i) % 30_000) expect.fail(`frame of ${first} is torn at ${i}`);
    frames.push({ kind, first, delayMs: nowMs - first / 8 });
  }
  return { frames, buffer };
}

const kinds = (heard: Heard): string => heard.frames.map(({ kind }) => kind[0]).join('');
const voice = (heard: Heard): number[] => heard.frames.filter(({ kind }) => kind === 'voice').map(({ first }) => first);

describe('the jitter buffer', () => {
  it('hands on a steady stream whole, with one frame of delay at most', () => {
    const heard = play(stream(200), 200);
    expect(voice(heard)).toEqual(Array.from({ length: 200 }, (_, i) => i * 160));
    expect(Math.max(...heard.frames.map(({ delayMs }) => delayMs))).toBeLessThanOrEqual(20);
    expect(heard.buffer.discarded).toBe(0);
  });

  it.each([10, 30, 40, 60])('cuts packets of %i ms into frames of 20 ms without a gap', (ptimeMs) => {
    const heard = play(stream(600 / ptimeMs, { ptimeMs }), 40);
    const frames = voice(heard);
    expect(frames).toEqual(Array.from({ length: 30 }, (_, i) => i * 160));
    expect(kinds(heard).replace(/^i*/, '').slice(0, 30)).not.toMatch(/i/);
  });

  it('settles on a longer packet time after having held back at most once', () => {
    const heard = play(stream(100, { ptimeMs: 60 }), 300);
    expect(kinds(heard).slice(10)).not.toMatch(/[lp]/);
  });

  it('conceals exactly what was lost and goes on in time', () => {
    const packets = stream(100).filter((_, i) => i !== 30 && i !== 60 && i !== 61);
    const heard = play(packets, 100);
    expect(voice(heard)).toHaveLength(97);
    expect(kinds(heard).match(/l/g)).toHaveLength(3);
    // It went on by the sender's time: the delay at the end is that of the beginning, or a frame more while it could not know of the loss.
    expect(heard.frames.at(-1)!.delayMs - heard.frames[0]!.delayMs).toBeLessThanOrEqual(20);
  });

  it('puts packets back in order and drops twins', () => {
    const packets = stream(100);
    for (let i = 20; i < 80; i += 10) packets[i] = { ...packets[i]!, arrivesMs: packets[i]!.arrivesMs + 30 };
    packets.push(...stream(100).slice(40, 50).map((p) => ({ ...p, arrivesMs: p.arrivesMs + 200 })));
    const heard = play(packets, 120);
    const frames = voice(heard);
    expect(frames).toEqual([...frames].sort((a, b) => a - b));
    expect(new Set(frames).size).toBe(frames.length);
    expect(frames.length).toBeGreaterThanOrEqual(99);
  });

  it('grows with jitter until nothing is lost, and shrinks again when it calms down', () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const packets = stream(3000).map((p, i) => ({ ...p, arrivesMs: p.arrivesMs + (i < 1000 ? random() * 60 : 0) }));
    const heard = play(packets, 3000);
    const jittery = heard.frames.slice(200, 1000);
    expect(jittery.filter(({ kind }) => kind !== 'voice').length).toBeLessThan(8);
    expect(Math.max(...jittery.map(({ kind, delayMs }) => (kind === 'voice' ? delayMs : 0)))).toBeLessThanOrEqual(120);
    const calm = heard.frames.slice(2900);
    expect(calm.every(({ kind }) => kind === 'voice')).toBe(true);
    expect(Math.max(...calm.map(({ delayMs }) => delayMs))).toBeLessThanOrEqual(60);
  });

  it.each([0.998, 1.002])('follows a clock that runs at %d of ours for two minutes', (skew) => {
    const heard = play(stream(6000, { skew }), 6000);
    const delays = heard.frames.slice(100).filter(({ kind }) => kind === 'voice').map(({ first, delayMs }) => delayMs - (first / 8) * (skew - 1));
    expect(Math.max(...delays)).toBeLessThan(90);
    // 240 ms of drift are twelve frames, dropped or concealed one at a time.
    expect(heard.frames.filter(({ kind }) => kind !== 'voice').length).toBeLessThanOrEqual(20);
  });

  it('waits for the next talk spurt without concealing the pause for ever', () => {
    const packets = stream(200).filter((_, i) => i < 50 || i >= 150);
    const heard = play(packets, 200);
    expect(kinds(heard).match(/l/g)?.length ?? 0).toBeLessThanOrEqual(26);
    expect(heard.frames[120]!.kind).toBe('idle');
    const spurt = heard.frames.slice(150);
    expect(spurt.filter(({ kind }) => kind === 'voice').length).toBeGreaterThanOrEqual(49);
    expect(spurt.at(-1)!.delayMs).toBeLessThanOrEqual(40);
  });

  it('begins anew when the sender jumps in time', () => {
    const packets = stream(100).map((p, i) => (i < 50 ? p : { ...p, at: p.at + 10_000_000 }));
    const heard = play(packets, 100);
    expect(heard.frames.filter(({ kind }) => kind === 'voice').length).toBeGreaterThanOrEqual(98);
    const back = play(stream(100).map((p, i) => (i < 50 ? p : { ...p, at: p.at - 5000 })), 120);
    expect(back.frames.slice(70, 90).every(({ kind }) => kind === 'voice')).toBe(true);
  });

  it('catches up after a burst that was held up in the network', () => {
    const packets = stream(500).map((p, i) => (i >= 100 && i < 120 ? { ...p, arrivesMs: 2400 } : p));
    const heard = play(packets, 1500);
    expect(heard.frames.slice(400, 490).every(({ kind }) => kind === 'voice')).toBe(true);
    expect(heard.frames.slice(130, 490).every(({ delayMs, kind }) => kind !== 'voice' || delayMs <= 440)).toBe(true);
  });

  it('discards what is absurd and plays on', () => {
    const buffer = new JitterBuffer();
    buffer.insert(0, samplesFrom(0, 160), { offset: 0, samples: 160, nowMs: 0 });
    buffer.insert(160, new Uint8Array(4000), { offset: 0, samples: 4000, nowMs: 1 });
    buffer.insert(160, new Uint8Array(0), { offset: 0, samples: 0, nowMs: 1 });
    expect(buffer.discarded).toBe(2);
    expect(buffer.pull(new Int16Array(FRAME_SAMPLES), 20)).toBe('voice');
  });

  it('keeps samples of every value', () => {
    const buffer = new JitterBuffer();
    const out = new Int16Array(FRAME_SAMPLES);
    buffer.insert(0, new Int16Array(FRAME_SAMPLES).fill(-32_768), { offset: 0, samples: 160, nowMs: 0 });
    expect(buffer.pull(out, 20)).toBe('voice');
    expect(out.every((sample) => sample === -32_767)).toBe(true);
  });
});
