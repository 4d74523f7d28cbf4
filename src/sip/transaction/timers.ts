/** Round-trip estimate (RFC 3261 §17.1.1.1), ms. */
export const T1_MS = 500;
/** Longest interval between retransmissions of non-INVITE requests and INVITE responses, ms. */
export const T2_MS = 4_000;
/** Longest life of a message in the network, ms. */
export const T4_MS = 5_000;
/** 64·T1: how long either side waits before giving up, ms. */
export const GIVE_UP_MS = 64 * T1_MS;

/** Named deadlines of one machine. Holds times, starts no timers. */
export class Deadlines<Name extends string> {
  readonly #due = new Map<Name, number>();

  set(name: Name, dueMs: number): void {
    this.#due.set(name, dueMs);
  }

  clear(...names: Name[]): void {
    for (const name of names) this.#due.delete(name);
  }

  clearAll(): void {
    this.#due.clear();
  }

  /** The earliest one, or null. */
  get nextMs(): number | null {
    let next: number | null = null;
    for (const due of this.#due.values()) if (next === null || due < next) next = due;
    return next;
  }

  /** Removes and returns one that is due, earliest first. */
  take(nowMs: number): Name | null {
    let found: Name | null = null;
    let foundMs = Infinity;
    for (const [name, due] of this.#due) {
      if (due <= nowMs && due < foundMs) {
        found = name;
        foundMs = due;
      }
    }
    if (found !== null) this.#due.delete(found);
    return found;
  }
}
