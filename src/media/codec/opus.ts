import { Application, createDecoder, createEncoder, EncoderCtl, loadLibopus, type OpusDecoderHandle, type OpusEncoderHandle } from 'libopus-wasm';

/** Opus → mono, one decoder per stream. Nothing else of the house knows which library does it. */
export interface OpusDecoder {
  /** One packet; null when it is broken. The result is valid until the next call. */
  decode(packet: Uint8Array): Int16Array | null;
  /** Stands in for a lost packet of `samples`; `next`, the packet after it, may hold a coarse copy (in-band FEC). */
  decodeLost(samples: number, next: Uint8Array | null): Int16Array | null;
  free(): void;
}

/** 20 ms of mono sound at 16 kHz → one packet, one encoder per stream. */
export interface OpusEncoder {
  /** 320 samples. The packet is the caller's. `alone`: it owes as little as can be to those before it, a decoder may begin there. Null: it cannot be coded. */
  encode(pcm: Int16Array, alone: boolean): Uint8Array | null;
  free(): void;
}

export interface OpusEncoderOptions {
  bitrateBps: number;
  fec: boolean;
}

const ENCODER_RATE_HZ = 16_000;
const ENCODER_FRAME_SAMPLES = 320;
/** Of ten: what speech gains beyond is small, what it costs is not. */
const COMPLEXITY = 5;
/** What FEC is made for. */
const EXPECTED_LOSS_PERCENT = 10;
const ENCODE_OPTIONS = { frameSize: ENCODER_FRAME_SAMPLES, maxPacketBytes: 600 };

/** Compiles the library ahead of the first stream. */
export async function preloadOpus(): Promise<void> {
  await loadLibopus();
}

export async function createOpusDecoder(rateHz: 8000 | 16_000 = 8000): Promise<OpusDecoder> {
  return new LibopusDecoder(await createDecoder({ sampleRate: rateHz, channels: 1 }));
}

export async function createOpusEncoder({ bitrateBps, fec }: OpusEncoderOptions): Promise<OpusEncoder> {
  return new LibopusEncoder(
    await createEncoder({ sampleRate: ENCODER_RATE_HZ, channels: 1, application: Application.Voip, bitrate: bitrateBps, complexity: COMPLEXITY, fec, frameSize: ENCODER_FRAME_SAMPLES, packetLossPercent: EXPECTED_LOSS_PERCENT }),
  );
}

class LibopusEncoder implements OpusEncoder {
  readonly #handle: OpusEncoderHandle;
  constructor(handle: OpusEncoderHandle) {
    this.#handle = handle;
  }

  encode(pcm: Int16Array, alone: boolean): Uint8Array | null {
    try {
      if (alone) this.#handle.encoderCtl(EncoderCtl.SetPredictionDisabled, 1);
      const packet = this.#handle.encode(pcm, ENCODE_OPTIONS);
      if (alone) this.#handle.encoderCtl(EncoderCtl.SetPredictionDisabled, 0);
      return packet;
    } catch {
      return null;
    }
  }

  free(): void {
    this.#handle.free();
  }
}

class LibopusDecoder implements OpusDecoder {
  readonly #handle: OpusDecoderHandle;
  constructor(handle: OpusDecoderHandle) {
    this.#handle = handle;
  }

  decode(packet: Uint8Array): Int16Array | null {
    try {
      return this.#handle.decode(packet);
    } catch {
      return null; // broken packet: treated as lost by the caller
    }
  }

  decodeLost(samples: number, next: Uint8Array | null): Int16Array | null {
    try {
      return next ? this.#handle.decode(next, { decodeFec: true, frameSize: samples }) : this.#handle.decodePacketLoss(samples);
    } catch {
      return null;
    }
  }

  free(): void {
    this.#handle.free();
  }
}
