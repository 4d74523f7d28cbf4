import type { SipRequest, SipResponse } from '../message/message.ts';
import type { ClientMachine, ClientOutput } from './machine.ts';
import { Deadlines, GIVE_UP_MS, T1_MS, T2_MS, T4_MS } from './timers.ts';

type State = 'trying' | 'proceeding' | 'completed' | 'terminated';

/**
 * Non-INVITE client transaction (RFC 3261 §17.1.2).
 *
 *     trying ──1xx──▶ proceeding ──200-699──▶ completed ──K──▶ terminated
 *        ╲──200-699────────────────▲      F, transport error ──▶ terminated
 */
export class RequestClientMachine implements ClientMachine {
  state: State = 'trying';
  readonly #request: SipRequest;
  readonly #reliable: boolean;
  readonly #timers = new Deadlines<'E' | 'F' | 'K'>();
  #intervalMs = T1_MS;

  constructor(request: SipRequest, options: { reliable: boolean }) {
    this.#request = request;
    this.#reliable = options.reliable;
  }

  get nextMs(): number | null {
    return this.#timers.nextMs;
  }

  get answered(): boolean {
    return this.state === 'completed' || this.state === 'terminated';
  }

  start(nowMs: number): ClientOutput[] {
    if (!this.#reliable) this.#timers.set('E', nowMs + this.#intervalMs);
    this.#timers.set('F', nowMs + GIVE_UP_MS);
    return [{ kind: 'send', message: this.#request }];
  }

  response(response: SipResponse, nowMs: number): ClientOutput[] {
    if (this.answered) return [];
    const outputs: ClientOutput[] = [{ kind: 'deliver', response }];
    if (response.statusCode < 200) {
      this.state = 'proceeding';
      return outputs;
    }
    this.#timers.clearAll();
    this.state = 'completed';
    if (this.#reliable) return [...outputs, ...this.#terminate()];
    this.#timers.set('K', nowMs + T4_MS);
    return outputs;
  }

  expire(nowMs: number): ClientOutput[] {
    const outputs: ClientOutput[] = [];
    for (let name = this.#timers.take(nowMs); name; name = this.#timers.take(nowMs)) {
      if (name === 'E') outputs.push(...this.#retransmit(nowMs));
      else if (name === 'F') outputs.push({ kind: 'failed', reason: 'timeout' }, ...this.#terminate());
      else outputs.push(...this.#terminate());
    }
    return outputs;
  }

  #retransmit(nowMs: number): ClientOutput[] {
    this.#intervalMs = this.state === 'proceeding' ? T2_MS : Math.min(this.#intervalMs * 2, T2_MS);
    this.#timers.set('E', nowMs + this.#intervalMs);
    return [{ kind: 'send', message: this.#request }];
  }

  stopRepeating(): void {
    this.#timers.clear('E');
  }

  transportFailed(): ClientOutput[] {
    return this.answered ? [] : [{ kind: 'failed', reason: 'transport' }, ...this.#terminate()];
  }

  #terminate(): ClientOutput[] {
    this.state = 'terminated';
    this.#timers.clearAll();
    return [{ kind: 'terminated' }];
  }
}
