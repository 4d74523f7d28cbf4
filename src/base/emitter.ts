import { reportListenerError } from './listener-errors.ts';

type Listener<A extends unknown[]> = (...args: A) => void;

/**
 * A typed event emitter; `E` maps an event name (past tense) to its arguments, `{ answered: []; ended: [reason: string] }`.
 * Its listeners cannot hurt it: a listener that throws is reported (see `listener-errors.ts`)
 * and the others still run. Listeners run synchronously, in the order they were added.
 */
export class Emitter<E extends { [K in keyof E]: unknown[] }> {
  #listeners = new Map<keyof E, Set<Listener<never>>>();

  /** Adds a listener; the returned function removes it again. */
  on<K extends keyof E>(event: K, listener: Listener<E[K]>): () => void {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    set.add(listener as Listener<never>);
    return () => this.off(event, listener);
  }

  /** As `on`, but for the next event only. */
  once<K extends keyof E>(event: K, listener: Listener<E[K]>): () => void {
    const remove = this.on(event, (...args) => {
      remove();
      listener(...args);
    });
    return remove;
  }

  off<K extends keyof E>(event: K, listener: Listener<E[K]>): void {
    this.#listeners.get(event)?.delete(listener as Listener<never>);
  }

  /** Public so that owners can emit for what they own; nobody else should. */
  emit<K extends keyof E>(event: K, ...args: E[K]): void {
    const set = this.#listeners.get(event);
    if (!set) return;
    for (const listener of [...set]) {
      try {
        (listener as Listener<E[K]>)(...args);
      } catch (error) {
        reportListenerError(String(event), error);
      }
    }
  }

  /** Number of listeners of one event. */
  listenerCount(event: keyof E): number {
    return this.#listeners.get(event)?.size ?? 0;
  }

  removeAllListeners(): void {
    this.#listeners.clear();
  }
}
