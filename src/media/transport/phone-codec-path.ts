import { g711, type G711 } from '../codec/g711.ts';
import { G722Decoder } from '../codec/g722.ts';
import { Upsampler } from '../codec/half-band.ts';
import { createOpusDecoder, type OpusDecoder } from '../codec/opus.ts';
import { NarrowCopy } from '../mix/two-rates.ts';
import { WideStream } from '../mix/wide-stream.ts';
import type { PhoneCodec, PhoneRemote } from '../protocol.ts';
import { FRAME_SAMPLES, WIDE_FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { OPUS_FRAME_UNITS } from '../rtp/phone-sender.ts';

/** What one phone's codec does with sound of ours: one object per stream, its buffers are used again. */
export interface PhoneCodecPath {
  readonly codec: PhoneCodec;
  /** As tracks and browsers call it: opus, g722, pcmu, pcma. */
  readonly name: string;
  readonly clockRateHz: number;
  /** RTP time of a payload of ours. */
  unitsOf(payloadBytes: number): number;
  /** For the room's mix at 16 kHz; null for G.711. */
  readonly stream: WideStream | null;
  /** 160 samples at 8 kHz → a frame of 20 ms; null while the codec is being made. */
  encode(pcm: Int16Array, nowMs: number): Uint8Array | null;
  /** A frame of silence. */
  silence(nowMs: number): Uint8Array | null;
  /** A frame that went out → 160 samples at 8 kHz. */
  decode(frame: Uint8Array): Int16Array;
  close(): void;
}

export function phoneCodecPath(remote: Pick<PhoneRemote, 'codec' | 'opus'>): PhoneCodecPath {
  if (remote.codec === 'OPUS') return new OpusPath(remote);
  if (remote.codec === 'G722') return new G722Path();
  return new G711Path(g711(remote.codec));
}

class G711Path implements PhoneCodecPath {
  readonly codec: PhoneCodec;
  readonly name: string;
  readonly clockRateHz = 8000;
  readonly stream = null;
  readonly #law: G711;
  readonly #codes = new Uint8Array(FRAME_SAMPLES);
  readonly #silence: Uint8Array;
  readonly #decoded = new Int16Array(FRAME_SAMPLES);

  constructor(law: G711) {
    this.codec = law.codec;
    this.name = law.name;
    this.#law = law;
    this.#silence = new Uint8Array(FRAME_SAMPLES).fill(law.silence);
  }

  encode(pcm: Int16Array): Uint8Array {
    const { toCode } = this.#law;
    for (let i = 0; i < FRAME_SAMPLES; i++) this.#codes[i] = toCode[(pcm[i] as number) & 0xffff] as number;
    return this.#codes;
  }

  unitsOf(payloadBytes: number): number {
    return payloadBytes;
  }

  silence(): Uint8Array {
    return this.#silence;
  }

  decode(frame: Uint8Array): Int16Array {
    const { toPcm } = this.#law;
    for (let i = 0; i < FRAME_SAMPLES; i++) this.#decoded[i] = toPcm[frame[i] as number] as number;
    return this.#decoded;
  }

  close(): void {
    // holds nothing but memory
  }
}

/** What both wide-band codecs do alike: prompts are brought up to 16 kHz. */
abstract class WidePath implements PhoneCodecPath {
  abstract readonly codec: PhoneCodec;
  abstract readonly name: string;
  abstract readonly clockRateHz: number;
  abstract readonly stream: WideStream;
  readonly #upsampler = new Upsampler();
  readonly #wide = new Int16Array(WIDE_FRAME_SAMPLES);
  readonly #silence = new Int16Array(WIDE_FRAME_SAMPLES);
  protected readonly narrow = new NarrowCopy();

  encode(pcm: Int16Array, nowMs: number): Uint8Array | null {
    this.#upsampler.convert(pcm, this.#wide);
    return this.stream.own(this.#wide, nowMs);
  }

  silence(nowMs: number): Uint8Array | null {
    return this.stream.own(this.#silence, nowMs);
  }

  abstract decode(frame: Uint8Array): Int16Array;
  abstract unitsOf(payloadBytes: number): number;

  close(): void {
    this.stream.close();
  }
}

class G722Path extends WidePath {
  readonly codec = 'G722';
  readonly name = 'g722';
  readonly clockRateHz = 8000;
  readonly stream = new WideStream('G722');
  readonly #decoder = new G722Decoder();
  readonly #decoded = new Int16Array(WIDE_FRAME_SAMPLES);
  readonly #range = { offset: 0, count: FRAME_SAMPLES };

  decode(frame: Uint8Array): Int16Array {
    this.#decoder.decode(frame, this.#decoded, this.#range);
    this.narrow.take(this.#decoded);
    return this.narrow.pcm;
  }

  /** A byte is two samples, and one unit of its clock (RFC 3551 §4.5.2). */
  unitsOf(payloadBytes: number): number {
    return payloadBytes;
  }
}

class OpusPath extends WidePath {
  readonly codec = 'OPUS';
  readonly name = 'opus';
  readonly clockRateHz = 48_000;
  readonly stream: WideStream;
  readonly #unheard = new Int16Array(FRAME_SAMPLES);
  #decoder: OpusDecoder | null = null;
  #decoderAsked = false;
  #closed = false;

  constructor({ opus }: Pick<PhoneRemote, 'opus'>) {
    super();
    this.stream = new WideStream('OPUS', opus);
  }

  /** Straight to 8 kHz. The first frame asks for the decoder. */
  decode(frame: Uint8Array): Int16Array {
    if (!this.#decoder) this.#askDecoder();
    return this.#decoder?.decode(frame) ?? this.#unheard;
  }

  unitsOf(): number {
    return OPUS_FRAME_UNITS;
  }

  override close(): void {
    super.close();
    this.#closed = true;
    this.#decoder?.free();
    this.#decoder = null;
  }

  #askDecoder(): void {
    if (this.#decoderAsked || this.#closed) return;
    this.#decoderAsked = true;
    void createOpusDecoder().then(
      (decoder) => {
        if (this.#closed) decoder.free();
        else this.#decoder = decoder;
      },
      () => {
        this.#decoderAsked = false;
      },
    );
  }
}
