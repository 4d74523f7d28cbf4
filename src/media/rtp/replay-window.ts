/** Packets behind the newest that are still told from repeated ones (RFC 3711 §3.3.2: at least 64). */
const SIZE = 128;

/** Which of the last indices were here before. Pure. */
export class ReplayWindow {
  readonly #seen = new Uint8Array(SIZE);
  #highest = -1;

  /** True for an index that came before, or is too old to know. */
  seen(index: number): boolean {
    if (index > this.#highest) return false;
    return this.#highest - index >= SIZE || this.#seen[index % SIZE] === 1;
  }

  /** Of a packet that was authentic. */
  add(index: number): void {
    if (index > this.#highest) {
      if (index - this.#highest >= SIZE) this.#seen.fill(0);
      else for (let i = this.#highest + 1; i < index; i++) this.#seen[i % SIZE] = 0;
      this.#highest = index;
    }
    this.#seen[index % SIZE] = 1;
  }
}
