import type { Clock, Timer } from '../../base/clock.ts';
import type { SipBody } from '../contract.ts';
import { AnswerRepeat } from './answer-repeat.ts';

interface AwaitedAck {
  readonly cseq: number;
  readonly repeat: AnswerRepeat;
  readonly again: () => void;
  readonly acked: (body: SipBody | null) => void;
  timer: Timer | null;
}

/** The 2xx of ours to INVITEs of one dialog, each repeated until its ACK. */
export class AwaitedAcks {
  readonly #clock: Clock;
  readonly #missed: () => void;
  readonly #awaited = new Map<number, AwaitedAck>();

  /** `missed`: one got no ACK in 64·T1 (RFC 3261 §13.3.1.4, §14.2). */
  constructor(clock: Clock, missed: () => void) {
    this.#clock = clock;
    this.#missed = missed;
  }

  get size(): number {
    return this.#awaited.size;
  }

  /** `again` says the 2xx once more. */
  add(cseq: number, what: Pick<AwaitedAck, 'again' | 'acked'>): void {
    const awaited: AwaitedAck = { cseq, repeat: new AnswerRepeat(this.#clock.nowMs()), again: what.again, acked: what.acked, timer: null };
    this.#awaited.set(cseq, awaited);
    this.#arm(awaited);
  }

  received(cseq: number, body: SipBody | null): void {
    const awaited = this.#awaited.get(cseq);
    if (!awaited) return;
    this.#forget(awaited);
    awaited.acked(body);
  }

  clear(): void {
    for (const awaited of [...this.#awaited.values()]) this.#forget(awaited);
  }

  #arm(awaited: AwaitedAck): void {
    awaited.timer = this.#clock.after(awaited.repeat.nextMs - this.#clock.nowMs(), () => this.#due(awaited));
  }

  #due(awaited: AwaitedAck): void {
    const what = awaited.repeat.expire(this.#clock.nowMs());
    if (what === 'give-up') {
      this.#forget(awaited);
      return this.#missed();
    }
    if (what === 'send') awaited.again();
    if (this.#awaited.get(awaited.cseq) === awaited) this.#arm(awaited);
  }

  #forget(awaited: AwaitedAck): void {
    awaited.timer?.cancel();
    this.#awaited.delete(awaited.cseq);
  }
}
