import type { CallSid } from '../../base/sid.ts';
import type { Talk } from './side.ts';

/** Who talks with whom: the bridges of `<Dial>`s and of what became of them, by both calls. */
export class Bridges {
  readonly #byCall = new Map<CallSid, Talk>();

  of(sid: CallSid): Talk | null {
    return this.#byCall.get(sid) ?? null;
  }

  add(sid: CallSid, talk: Talk): void {
    this.#byCall.set(sid, talk);
  }

  remove(sid: CallSid, talk: Talk): void {
    if (this.#byCall.get(sid) === talk) this.#byCall.delete(sid);
  }
}
