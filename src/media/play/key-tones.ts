import type { PcmSource } from './pcm-source.ts';

const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const KEYS = '123A456B789C*0#D';
/** Peak of each tone of 32,768: about -9 and -7 dBm0, the high one a little stronger as lines want it. */
const LOW_PEAK = 8000;
const HIGH_PEAK = 10_000;
const TONE_SAMPLES = 800;
const GAP_SAMPLES = 800;
const PAUSES_MS: Readonly<Record<string, number>> = { w: 500, W: 1000 };

interface Piece {
  samples: number;
  lowStep: number;
  highStep: number;
}

/** Keys as sound (ITU-T Q.23): 100 ms each and 100 ms between, `w` a pause of 0.5 s, `W` 1 s. For phones that take no RTP events. */
export class KeyTones implements PcmSource {
  readonly #pieces: Piece[];
  #at = 0;

  constructor(digits: string) {
    this.#pieces = [...digits].flatMap(piecesOf);
  }

  read(out: Int16Array): number {
    let filled = 0;
    while (filled < out.length && this.#pieces.length > 0) filled += this.#fill(out, filled, this.#pieces[0] as Piece);
    out.fill(0, filled);
    return filled;
  }

  #fill(out: Int16Array, from: number, piece: Piece): number {
    const n = Math.min(out.length - from, piece.samples - this.#at);
    for (let i = 0; i < n; i++) out[from + i] = Math.round(LOW_PEAK * Math.sin(piece.lowStep * (this.#at + i)) + HIGH_PEAK * Math.sin(piece.highStep * (this.#at + i)));
    this.#at += n;
    if (this.#at === piece.samples) {
      this.#pieces.shift();
      this.#at = 0;
    }
    return n;
  }
}

function piecesOf(key: string): Piece[] {
  const pauseMs = PAUSES_MS[key];
  if (pauseMs !== undefined) return [silence(pauseMs * 8)];
  const at = KEYS.indexOf(key.toUpperCase());
  if (at < 0) return [];
  const step = (hz: number | undefined): number => (2 * Math.PI * (hz ?? 0)) / 8000;
  return [{ samples: TONE_SAMPLES, lowStep: step(ROWS_HZ[at >> 2]), highStep: step(COLUMNS_HZ[at & 3]) }, silence(GAP_SAMPLES)];
}

function silence(samples: number): Piece {
  return { samples, lowStep: 0, highStep: 0 };
}
