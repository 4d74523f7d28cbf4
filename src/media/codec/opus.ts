import { createDecoder, loadLibopus, type OpusDecoderHandle } from 'libopus-wasm';

/** Opus → 8 kHz mono, one decoder per stream. Nothing else of the house knows which library does it. */
export interface OpusDecoder {
  /** One packet; null when it is broken. The result is valid until the next call. */
  decode(packet: Uint8Array): Int16Array | null;
  /** Stands in for a lost packet of `samples`; `next`, the packet after it, may hold a coarse copy (in-band FEC). */
  decodeLost(samples: number, next: Uint8Array | null): Int16Array | null;
  free(): void;
}

const RATE_HZ = 8000;

/** Compiles the library ahead of the first stream. */
export async function preloadOpus(): Promise<void> {
  await loadLibopus();
}

export async function createOpusDecoder(): Promise<OpusDecoder> {
  return new LibopusDecoder(await createDecoder({ sampleRate: RATE_HZ, channels: 1 }));
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
