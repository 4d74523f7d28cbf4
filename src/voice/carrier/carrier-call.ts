import { Emitter } from '../../base/emitter.ts';
import type { OutgoingSipCall, OutgoingSipCallEvents, SipEnding, SipReferWatcher, SipSource } from '../../sip/contract.ts';

/** One try: a call to one target, not begun before it is asked for. */
export interface CarrierTry {
  /** For people: the target's URI. */
  target: string;
  place(options: { last: boolean }): OutgoingSipCall;
  /** How it went. `next`: the call goes on with another target. */
  ended(outcome: { ending: SipEnding; answerHeaders: OutgoingSipCall['answerHeaders']; next: boolean }): void;
  /** It rings, or was answered. */
  reached(): void;
}

const NO_SOURCE: SipSource = { transport: 'udp', address: '', port: 0 };

/**
 * A call that leaves by a trunk: one SIP call after the other, seen as one. Whoever listens hears of the try that got
 * through, or of the end of the last.
 *
 *     trying ──18x──▶ ringing ──2xx──▶ answered
 *       ▲ ╲              ╲────────────────╲──▶ ended
 *       └──503, 5xx, 408, nobody there: next target; no other: ended
 */
export class CarrierCall extends Emitter<OutgoingSipCallEvents> implements OutgoingSipCall {
  readonly #tries: CarrierTry[];
  #current: OutgoingSipCall | null = null;
  /** A phone rings, or answered: no other target is tried any more. */
  #reached = false;
  #left = false;
  #ended = false;
  /** What was listened for; it goes along from try to try. */
  readonly #listeners = new Set<(call: OutgoingSipCall) => void>();

  /** `withoutTries`: how it ends when there are none. */
  constructor(tries: readonly CarrierTry[], withoutTries: SipEnding = { cause: 'unreachable', reasonPhrase: 'No Target' }) {
    super();
    this.#tries = [...tries];
    queueMicrotask(() => this.#next(withoutTries));
  }

  get callId(): string {
    return this.#current?.callId ?? '';
  }

  get state(): OutgoingSipCall['state'] {
    return this.#ended ? 'ended' : this.#current && this.#current.state !== 'ended' ? this.#current.state : 'early';
  }

  get source(): SipSource {
    return this.#current?.source ?? NO_SOURCE;
  }

  get answerHeaders(): OutgoingSipCall['answerHeaders'] {
    return this.#current?.answerHeaders ?? [];
  }

  hangup(options: { reason?: string } = {}): void {
    this.#left = true;
    if (this.#current) this.#current.hangup(options);
    else this.#end({ cause: 'local' });
  }

  reoffer(...offer: Parameters<OutgoingSipCall['reoffer']>): void {
    if (this.#current) this.#current.reoffer(...offer);
    else offer[1](481, null);
  }

  refer(referTo: string, watcher: SipReferWatcher): void {
    if (this.#current) this.#current.refer(referTo, watcher);
    else watcher.answered(481);
  }

  /** All but the end is heard from the call that is being tried itself. */
  override on<K extends keyof OutgoingSipCallEvents>(event: K, listener: (...args: OutgoingSipCallEvents[K]) => void): () => void {
    if (event === 'ended') return super.on(event, listener);
    const listen = (call: OutgoingSipCall): void => void call.on(event, listener);
    this.#listeners.add(listen);
    if (this.#current) listen(this.#current);
    return () => {
      this.#listeners.delete(listen);
      this.#current?.off(event, listener);
    };
  }

  #next(ending: SipEnding): void {
    const attempt = this.#left ? undefined : this.#tries.shift();
    if (!attempt) return this.#end(this.#left ? { cause: 'local' } : ending);
    const call = attempt.place({ last: this.#tries.length === 0 });
    this.#current = call;
    call.on('progressed', (statusCode) => statusCode >= 180 && this.#reachedBy(attempt));
    call.on('accepted', () => this.#reachedBy(attempt));
    for (const listen of this.#listeners) listen(call);
    call.on('ended', (how) => this.#over(attempt, call, how));
  }

  #reachedBy(attempt: CarrierTry): void {
    if (this.#reached) return;
    this.#reached = true;
    attempt.reached();
  }

  #over(attempt: CarrierTry, call: OutgoingSipCall, ending: SipEnding): void {
    const next = !this.#left && !this.#reached && this.#tries.length > 0 && mayTryNext(ending);
    attempt.ended({ ending, answerHeaders: call.answerHeaders, next });
    if (next) this.#next(ending);
    else this.#end(ending);
  }

  #end(ending: SipEnding): void {
    if (this.#ended) return;
    this.#ended = true;
    this.emit('ended', ending);
  }
}

/** Another target may do what this one could not; the called phone's own answers (busy, no such number, 6xx) are final. */
export function mayTryNext({ cause, statusCode = 0 }: SipEnding): boolean {
  if (cause === 'unreachable') return true;
  return cause === 'rejected' && (statusCode === 408 || (statusCode >= 500 && statusCode < 600));
}
