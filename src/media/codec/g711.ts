import type { PhoneCodec } from '../protocol.ts';

/** G.711 by tables: 256 entries to decode, 65,536 to encode (ITU-T G.711 §3). */

function decodeMu(code: number): number {
  const u = ~code & 0xff;
  const magnitude = (((u & 0x0f) << 3) + 0x84) << ((u & 0x70) >> 4);
  return u & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

function decodeA(code: number): number {
  const a = code ^ 0x55;
  const segment = (a & 0x70) >> 4;
  let magnitude = ((a & 0x0f) << 4) + (segment === 0 ? 8 : 0x108);
  if (segment > 1) magnitude <<= segment - 1;
  return a & 0x80 ? magnitude : -magnitude;
}

function encodeMu(sample: number): number {
  const negative = sample < 0;
  const magnitude = Math.min(negative ? -sample : sample, 32635) + 0x84;
  const segment = 31 - Math.clz32(magnitude) - 7;
  const code = (negative ? 0x80 : 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f);
  return ~code & 0xff;
}

function encodeA(sample: number): number {
  const negative = sample < 0;
  const magnitude = Math.min(negative ? -sample - 1 : sample, 32767) >> 4;
  const segment = Math.max(0, 31 - Math.clz32(magnitude | 1) - 4 + 1);
  const low = segment < 2 ? magnitude & 0x0f : (magnitude >> (segment - 1)) & 0x0f;
  return ((negative ? 0 : 0x80) | (segment << 4) | low) ^ 0x55;
}

export type LawCodec = Extract<PhoneCodec, 'PCMU' | 'PCMA'>;

/** What one G.711 variant needs, all of it built once. */
export interface G711 {
  readonly codec: LawCodec;
  /** Name on the SDP's rtpmap and in `TrackSink`, in lower case. */
  readonly name: 'pcmu' | 'pcma';
  /** Code → 16-bit sample. */
  readonly toPcm: Int16Array;
  /** 16-bit sample, as `sample & 0xffff` → code. */
  readonly toCode: Uint8Array;
  /** Code → square of its sample, full scale 1.0. */
  readonly power: Float32Array;
  /** The code of silence. */
  readonly silence: number;
}

function build(codec: LawCodec, decode: (code: number) => number, encode: (sample: number) => number): G711 {
  const toPcm = new Int16Array(256);
  const power = new Float32Array(256);
  const toCode = new Uint8Array(65_536);
  for (let code = 0; code < 256; code++) {
    const sample = decode(code);
    toPcm[code] = sample;
    power[code] = (sample / 32768) ** 2;
  }
  for (let sample = -32768; sample < 32768; sample++) toCode[sample & 0xffff] = encode(sample);
  return { codec, name: codec === 'PCMU' ? 'pcmu' : 'pcma', toPcm, toCode, power, silence: encode(0) };
}

export const pcmu: G711 = build('PCMU', decodeMu, encodeMu);
export const pcma: G711 = build('PCMA', decodeA, encodeA);

/** µ-law for what is no G.711 either. */
export function g711(codec: PhoneCodec): G711 {
  return codec === 'PCMA' ? pcma : pcmu;
}
