import { describe, expect, it } from 'vitest';
import { muLawOf, tonePower } from '../../testing/rtp-caller.ts';
import { g711 } from '../codec/g711.ts';
import { G722Encoder } from '../codec/g722.ts';
import { parseRtp, RtpView } from '../rtp/packet.ts';
import { G711Receiver } from './g711-receiver.ts';
import type { VoiceReceiver } from './voice-receiver.ts';
import { G722Receiver } from './wide-receivers.ts';

const PACKETS = 3000;
const FRAMES_PER_WINDOW = 5;
const TONE_HZ = 400;
const AMPLITUDE = 8000;
/** A window is heard when each 20 ms of it has a quarter of the amplitude that was sent: one hole is too many. */
const HEARD_POWER = (AMPLITUDE / 4 / 32_768) ** 2;

const toneAt = (n: number, rateHz: number): number => AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * n) / rateHz);

function packetOf(n: number, payload: Uint8Array): Buffer {
  const packet = Buffer.alloc(12 + payload.length);
  packet[0] = 0x80;
  packet.writeUInt16BE(n & 0xffff, 2);
  packet.writeUInt32BE(160 * n, 4);
  packet.writeUInt32BE(7, 8);
  packet.set(payload, 12);
  return packet;
}

function muLawPackets(): (n: number) => Uint8Array {
  return (n) => Uint8Array.from({ length: 160 }, (_, i) => muLawOf(toneAt(n * 160 + i, 8000)));
}

function g722Packets(): (n: number) => Uint8Array {
  const encoder = new G722Encoder();
  return (n) => {
    const bytes = new Uint8Array(160);
    encoder.encode(Int16Array.from({ length: 320 }, (_, i) => toneAt(n * 320 + i, 16_000)), bytes);
    return bytes;
  };
}

/** Share of windows of 100 ms in which the tone is heard when a tenth of the packets is lost at random. */
function heardShare(receiver: VoiceReceiver, payloadOf: (n: number) => Uint8Array): { share: number; lost: number } {
  const view = new RtpView();
  let [seed, lost, heard, whole] = [11, 0, 0, true];
  for (let n = 0; n < PACKETS; n++) {
    const payload = payloadOf(n);
    seed = (seed * 16_807) % 2_147_483_647;
    if (n > 0 && seed < 214_748_364) lost++;
    else if (parseRtp(view, packetOf(n, payload))) receiver.packetReceived(view, n * 20);
    if (!receiver.pull(n * 20 + 5) || tonePower(receiver.pcm, TONE_HZ) < HEARD_POWER) whole = false;
    if (n % FRAMES_PER_WINDOW !== FRAMES_PER_WINDOW - 1) continue;
    if (whole) heard++;
    whole = true;
  }
  return { share: (heard * FRAMES_PER_WINDOW) / PACKETS, lost };
}

describe('a tone of a phone that loses a tenth of its packets', () => {
  it.each([
    ['G.711', () => new G711Receiver(g711('PCMU')), muLawPackets],
    ['G.722', () => new G722Receiver(), g722Packets],
  ])('is heard in nearly every tenth of a second: %s', (_codec, receiver, packets) => {
    const { share, lost } = heardShare(receiver(), packets());
    expect(lost).toBeGreaterThan(250);
    expect(share).toBeGreaterThanOrEqual(0.95);
  });
});

/** A tone whose cycles fit no frame, as it is played: with packets lost, and without any. */
function played(receiver: VoiceReceiver, { rateHz, isLost, payloadOf }: { rateHz: number; isLost: (n: number) => boolean; payloadOf: (n: number) => Uint8Array }): Int16Array {
  const samples = rateHz / 50;
  const out = new Int16Array(CLICK_PACKETS * samples);
  const view = new RtpView();
  for (let n = 0; n < CLICK_PACKETS; n++) {
    const payload = payloadOf(n);
    if (!isLost(n) && parseRtp(view, packetOf(n, payload))) receiver.packetReceived(view, n * 20);
    if (receiver.pull(n * 20 + 5)) out.set(rateHz === 8000 ? receiver.pcm : receiver.wide(), n * samples);
  }
  return out;
}

const CLICK_PACKETS = 200;
/** Where the voice has come in and after which nothing is missing any more. */
const [FROM, TO] = [10, 190];

/** The sharpest bend of the line through three samples: a click is one. */
function sharpestBend(pcm: Int16Array, frame: number): number {
  let most = 0;
  for (let i = FROM * frame; i < TO * frame; i++) most = Math.max(most, Math.abs((pcm[i + 1] ?? 0) - 2 * (pcm[i] ?? 0) + (pcm[i - 1] ?? 0)));
  return most;
}

describe('what stands in for lost packets', () => {
  const tone = (rateHz: number) => (n: number): number => AMPLITUDE * Math.sin((2 * Math.PI * 437 * n) / rateHz);
  const g711Payloads = (n: number): Uint8Array => Uint8Array.from({ length: 160 }, (_, i) => muLawOf(tone(8000)(n * 160 + i)));
  const g722Payloads = (): ((n: number) => Uint8Array) => {
    const encoder = new G722Encoder();
    return (n) => {
      const bytes = new Uint8Array(160);
      encoder.encode(Int16Array.from({ length: 320 }, (_, i) => tone(16_000)(n * 320 + i)), bytes);
      return bytes;
    };
  };
  const single = (n: number): boolean => n > 5 && n % 10 === 0;
  const bursts = (n: number): boolean => n > 5 && n % 20 < 2;

  it.each([
    { name: 'G.711, one in ten', rateHz: 8000, isLost: single, leastSnrDb: 18, receiver: () => new G711Receiver(g711('PCMU')), payloads: () => g711Payloads },
    { name: 'G.711, two in twenty', rateHz: 8000, isLost: bursts, leastSnrDb: 14, receiver: () => new G711Receiver(g711('PCMU')), payloads: () => g711Payloads },
    { name: 'G.722, one in ten', rateHz: 16_000, isLost: single, leastSnrDb: 18, receiver: () => new G722Receiver(), payloads: g722Payloads },
    { name: 'G.722, two in twenty', rateHz: 16_000, isLost: bursts, leastSnrDb: 14, receiver: () => new G722Receiver(), payloads: g722Payloads },
  ])('clicks no more than the tone itself, and adds little to it: $name', ({ rateHz, isLost, leastSnrDb, receiver, payloads }) => {
    const frame = rateHz / 50;
    const whole = played(receiver(), { rateHz, isLost: () => false, payloadOf: payloads() });
    const patched = played(receiver(), { rateHz, isLost, payloadOf: payloads() });
    expect(sharpestBend(patched, frame)).toBeLessThan(1.5 * sharpestBend(whole, frame));
    // The first loss lets the buffer grow by a frame, or not: a shift of whole frames is none to the ear.
    const snrDb = Math.max(...[0, 1, 2].map((shift) => snr(whole, patched, shift * frame)));
    expect(snrDb).toBeGreaterThan(leastSnrDb);
  });

  function snr(whole: Int16Array, patched: Int16Array, shift: number): number {
    const frame = whole.length / CLICK_PACKETS;
    let [signal, noise] = [0, 1];
    for (let i = 20 * frame; i < (TO - 3) * frame; i++) {
      signal += (whole[i] ?? 0) ** 2;
      noise += ((patched[i + shift] ?? 0) - (whole[i] ?? 0)) ** 2;
    }
    return 10 * Math.log10(signal / noise);
  }
});
