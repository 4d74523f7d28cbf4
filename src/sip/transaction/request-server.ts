import type { SipResponse } from '../message/message.ts';
import type { ServerMachine, ServerOutput } from './machine.ts';
import { Deadlines, GIVE_UP_MS } from './timers.ts';

type State = 'trying' | 'proceeding' | 'completed' | 'terminated';

/**
 * Non-INVITE server transaction (RFC 3261 §17.2.2).
 *
 *     trying ──1xx──▶ proceeding ──200-699──▶ completed ──J──▶ terminated
 *        ╲──200-699────────────────▲
 */
export class RequestServerMachine implements ServerMachine {
  state: State = 'trying';
  readonly #reliable: boolean;
  readonly #timers = new Deadlines<'J'>();
  #last: SipResponse | null = null;

  constructor(options: { reliable: boolean }) {
    this.#reliable = options.reliable;
  }

  get nextMs(): number | null {
    return this.#timers.nextMs;
  }

  retransmission(): ServerOutput[] {
    return this.#last ? [{ kind: 'send', message: this.#last }] : [];
  }

  respond(response: SipResponse, nowMs: number): ServerOutput[] {
    if (this.state === 'completed' || this.state === 'terminated') return [];
    this.#last = response;
    const sent: ServerOutput = { kind: 'send', message: response };
    if (response.statusCode < 200) {
      this.state = 'proceeding';
      return [sent];
    }
    this.state = 'completed';
    if (this.#reliable) return [sent, ...this.#terminate()];
    this.#timers.set('J', nowMs + GIVE_UP_MS);
    return [sent];
  }

  acknowledged(): ServerOutput[] {
    return [];
  }

  expire(nowMs: number): ServerOutput[] {
    return this.#timers.take(nowMs) ? this.#terminate() : [];
  }

  transportFailed(): ServerOutput[] {
    return this.state === 'terminated' ? [] : [{ kind: 'failed', reason: 'transport' }, ...this.#terminate()];
  }

  #terminate(): ServerOutput[] {
    this.state = 'terminated';
    this.#timers.clearAll();
    return [{ kind: 'terminated' }];
  }
}
