import type { OfferKind } from './offer-ladder.ts';

/** What a phone was found to want. */
export interface PhoneHabit {
  kind: OfferKind;
  /** It speaks ICE. */
  ice: boolean;
}

const MAX_PHONES = 2000;
const MAX_ADDRESS_LENGTH = 300;

/** Which offers phones took, so that their next calls begin there; the latest 2,000 of those that want anything but the usual one. Forgotten with the process. */
export class OfferMemory {
  /** Oldest first. */
  readonly #habits = new Map<string, PhoneHabit>();

  /** `address`: the URI that is called. */
  of(address: string): PhoneHabit | null {
    return this.#habits.get(address) ?? null;
  }

  took(address: string, habit: PhoneHabit): void {
    this.#habits.delete(address);
    if ((habit.kind === 'usual' && !habit.ice) || address.length > MAX_ADDRESS_LENGTH) return;
    this.#habits.set(address, habit);
    const [oldest] = this.#habits.keys();
    if (this.#habits.size > MAX_PHONES && oldest !== undefined) this.#habits.delete(oldest);
  }
}
