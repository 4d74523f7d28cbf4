/** Bits of a buffer from the most significant on. Behind the end there are zeros, and `overrun` is set. Pure. */
export class BitReader {
  readonly #buffer: Buffer;
  readonly #endBit: number;
  #bit: number;
  overrun = false;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#bit = start * 8;
    this.#endBit = end * 8;
  }

  /** Up to 32 of them, as an unsigned number. */
  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.#next();
    return value;
  }

  flag(): boolean {
    return this.#next() === 1;
  }

  /** ue(v) of ITU-T H.264 §9.1. */
  unsigned(): number {
    let zeros = 0;
    while (zeros < 32 && this.#next() === 0 && !this.overrun) zeros++;
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v) of ITU-T H.264 §9.1.1. */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }

  #next(): number {
    if (this.#bit >= this.#endBit) {
      this.overrun = true;
      return 0;
    }
    const byte = this.#buffer[this.#bit >> 3] as number;
    return (byte >> (7 - (this.#bit++ & 7))) & 1;
  }
}
