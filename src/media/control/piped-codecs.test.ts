import { createDecoder, createEncoder } from 'libopus-wasm';
import { afterEach, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { MediaCallers, remoteOf, until } from '../../testing/media-callers.ts';
import { RtpCaller, tonePower } from '../../testing/rtp-caller.ts';
import { G722Decoder, G722Encoder } from '../codec/g722.ts';
import { Downsampler } from '../codec/half-band.ts';
import type { PhoneMedia, PhoneRemote } from '../protocol.ts';

const LOUD = 0.005;
const FAINT = 1e-4;
const callers = new MediaCallers();
const closing: (() => void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await callers.close();
});

interface End {
  remote: Partial<PhoneRemote>;
  units: number;
  encode(pcm: Int16Array): Uint8Array;
  /** Samples at 8 kHz. */
  decode(payloads: Buffer[]): number[];
}

function g722(): End {
  const encoder = new G722Encoder();
  return {
    remote: { codec: 'G722', payloadType: 9 },
    units: 160,
    encode: (pcm) => {
      const codes = new Uint8Array(160);
      encoder.encode(pcm, codes);
      return codes;
    },
    decode: (payloads) => {
      const codes = Buffer.concat(payloads);
      const [wide, narrow] = [new Int16Array(2 * codes.length), new Int16Array(codes.length)];
      new G722Decoder().decode(codes, wide, { offset: 0, count: codes.length });
      new Downsampler().convert(wide, narrow);
      return [...narrow];
    },
  };
}

async function opus(): Promise<End> {
  const encoder = await createEncoder({ sampleRate: 16_000, channels: 1, frameSize: 320 });
  const decoder = await createDecoder({ sampleRate: 8000, channels: 1 });
  return { remote: { codec: 'OPUS', payloadType: 111 }, units: 960, encode: (pcm) => encoder.encode(pcm, { frameSize: 320 }), decode: (payloads) => payloads.flatMap((payload) => [...decoder.decode(payload)]) };
}

/** A caller at the other end that hums in its own codec; the result tells what it heard of late. */
async function hum(phone: PhoneMedia, end: End, frequencyHz: number): Promise<() => number[]> {
  const caller = await RtpCaller.open(0);
  await phone.connect({ ...remoteOf(caller), ...end.remote });
  let frames = 0;
  const beganMs = performance.now();
  const timer = setInterval(() => {
    while (frames * 20 <= performance.now() - beganMs) {
      const pcm = Int16Array.from({ length: 320 }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * frequencyHz * (frames * 320 + i)) / 16_000)));
      caller.send(end.remote.payloadType ?? 0, Buffer.from(end.encode(pcm)), { target: phone.localPort });
      caller.timestamp += end.units;
      frames++;
    }
  }, 5);
  closing.push(() => (clearInterval(timer), caller.close()));
  return () => end.decode(caller.heard.filter(({ payloadType }) => payloadType === end.remote.payloadType).slice(-20).map(({ payload }) => payload)).slice(-1600);
}

it('phones of every codec hear each other from one worker to another, and none itself', async () => {
  const media = await callers.plane({ workers: 2 });
  const room = await media.createRoom({ roomSid: newSid('RM') });
  const phones: PhoneMedia[] = [];
  // Two on the room's own worker, two on the other.
  for (let n = 0; n < 4; n++) phones.push(await media.createPhone(n < 2 ? { near: room } : {}));
  expect(media.workers().map((worker) => worker.phones)).toEqual([2, 2]);
  const tones = [500, 800, 1250, 1900];
  const hears = await Promise.all([g722(), await opus(), g722(), await opus()].map((end, n) => hum(phones[n]!, end, tones[n]!)));
  for (const phone of phones) await phone.joinRoom(room, { trackSid: newSid('MT') });
  // One after the other: each look costs some milliseconds.
  for (const [n, heard] of hears.entries()) {
    await until(() => {
      const pcm = heard();
      return tones.every((hz, of) => (n === of ? tonePower(pcm, hz) < FAINT : tonePower(pcm, hz) > LOUD));
    });
  }
});
