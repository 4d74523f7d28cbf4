import type { SipResponse } from '../message/message.ts';
import type { ServerMachine, ServerOutput } from './machine.ts';
import { Deadlines, GIVE_UP_MS, T1_MS, T2_MS, T4_MS } from './timers.ts';

type State = 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated';

/**
 * INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §8.5). Its driver has sent 100 through `respond`.
 *
 *     proceeding ──2xx──▶ accepted ──L──▶ terminated          (2xx is repeated by the call, not here)
 *          ╲──300-699──▶ completed ──ACK──▶ confirmed ──I──▶ terminated
 *                            ╲──H──▶ terminated
 */
export class InviteServerMachine implements ServerMachine {
  state: State = 'proceeding';
  readonly #reliable: boolean;
  readonly #timers = new Deadlines<'G' | 'H' | 'I' | 'L'>();
  #last: SipResponse | null = null;
  #intervalMs = T1_MS;

  constructor(options: { reliable: boolean }) {
    this.#reliable = options.reliable;
  }

  get nextMs(): number | null {
    return this.#timers.nextMs;
  }

  retransmission(): ServerOutput[] {
    const repeat = this.state === 'proceeding' || this.state === 'completed';
    return repeat && this.#last ? [{ kind: 'send', message: this.#last }] : [];
  }

  respond(response: SipResponse, nowMs: number): ServerOutput[] {
    if (this.state === 'accepted') return response.statusCode >= 200 && response.statusCode < 300 ? [{ kind: 'send', message: response }] : [];
    if (this.state !== 'proceeding') return [];
    this.#last = response;
    if (response.statusCode >= 300) this.#toCompleted(nowMs);
    else if (response.statusCode >= 200) this.#toAccepted(nowMs);
    return [{ kind: 'send', message: response }];
  }

  #toCompleted(nowMs: number): void {
    this.state = 'completed';
    if (!this.#reliable) this.#timers.set('G', nowMs + this.#intervalMs);
    this.#timers.set('H', nowMs + GIVE_UP_MS);
  }

  #toAccepted(nowMs: number): void {
    this.state = 'accepted';
    this.#timers.set('L', nowMs + GIVE_UP_MS);
  }

  acknowledged(nowMs: number): ServerOutput[] {
    if (this.state !== 'completed') return [];
    this.#timers.clearAll();
    if (this.#reliable) return this.#terminate();
    this.state = 'confirmed';
    this.#timers.set('I', nowMs + T4_MS);
    return [];
  }

  expire(nowMs: number): ServerOutput[] {
    const outputs: ServerOutput[] = [];
    for (let name = this.#timers.take(nowMs); name; name = this.#timers.take(nowMs)) {
      if (name === 'G') outputs.push(...this.#repeat(nowMs));
      else if (name === 'H') outputs.push({ kind: 'failed', reason: 'timeout' }, ...this.#terminate());
      else outputs.push(...this.#terminate());
    }
    return outputs;
  }

  #repeat(nowMs: number): ServerOutput[] {
    this.#intervalMs = Math.min(this.#intervalMs * 2, T2_MS);
    this.#timers.set('G', nowMs + this.#intervalMs);
    return this.#last ? [{ kind: 'send', message: this.#last }] : [];
  }

  /** RFC 6026 §7.1: in accepted the call decides, it repeats its 2xx anyway. */
  transportFailed(): ServerOutput[] {
    if (this.state !== 'completed' && this.state !== 'proceeding') return [];
    return [{ kind: 'failed', reason: 'transport' }, ...this.#terminate()];
  }

  #terminate(): ServerOutput[] {
    this.state = 'terminated';
    this.#timers.clearAll();
    return [{ kind: 'terminated' }];
  }
}
