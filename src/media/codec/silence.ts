import { pcma, pcmu } from './g711.ts';
import { G722Encoder } from './g722.ts';

/** More than any packet of a phone holds. */
const MOST_BYTES = 960;
const FRAME_BYTES = 160;

const PAYLOADS: Readonly<Record<string, Buffer>> = {
  pcmu: Buffer.alloc(MOST_BYTES, pcmu.silence),
  pcma: Buffer.alloc(MOST_BYTES, pcma.silence),
  g722: silentG722(),
  // RFC 6716: 20 ms, mono, CELT, and nothing coded in it.
  opus: Buffer.from([0xf8, 0xff, 0xfe]),
};

/** What an encoder says of silence once it has come to rest. */
function silentG722(): Buffer {
  const encoder = new G722Encoder();
  const frame = Buffer.alloc(FRAME_BYTES);
  for (let n = 0; n < 10; n++) encoder.encode(new Int16Array(2 * FRAME_BYTES), frame);
  return Buffer.concat(Array.from({ length: MOST_BYTES / FRAME_BYTES }, () => frame));
}

/** Silence in a phone's codec: any number of its first bytes, for Opus all of them (20 ms). Not to be written to. */
export function silentPayload(codec: string): Buffer {
  return PAYLOADS[codec] ?? (PAYLOADS['pcmu'] as Buffer);
}
