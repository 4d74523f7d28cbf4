import { ackForFailure } from '../message/build.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import type { ClientMachine, ClientOutput } from './machine.ts';
import { Deadlines, GIVE_UP_MS, T1_MS } from './timers.ts';

type State = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';

/**
 * INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §8.4).
 *
 *     calling ──1xx──▶ proceeding ──2xx──▶ accepted ──M──▶ terminated
 *        │  ╲──2xx──────────────────────────▲
 *        │   ╲─300-699─▶ completed ──D──▶ terminated       (ACK per 300-699)
 *        └──B, transport error──▶ terminated
 */
export class InviteClientMachine implements ClientMachine {
  state: State = 'calling';
  readonly #request: SipRequest;
  readonly #reliable: boolean;
  readonly #timers = new Deadlines<'A' | 'B' | 'D' | 'M'>();
  #intervalMs = T1_MS;
  #ack: SipRequest | null = null;

  constructor(request: SipRequest, options: { reliable: boolean }) {
    this.#request = request;
    this.#reliable = options.reliable;
  }

  get nextMs(): number | null {
    return this.#timers.nextMs;
  }

  get answered(): boolean {
    return this.state !== 'calling' && this.state !== 'proceeding';
  }

  start(nowMs: number): ClientOutput[] {
    if (!this.#reliable) this.#timers.set('A', nowMs + this.#intervalMs);
    this.#timers.set('B', nowMs + GIVE_UP_MS);
    return [{ kind: 'send', message: this.#request }];
  }

  response(response: SipResponse, nowMs: number): ClientOutput[] {
    if (this.state === 'terminated') return [];
    if (response.statusCode < 200) return this.#provisional(response);
    return response.statusCode < 300 ? this.#success(response, nowMs) : this.#failure(response, nowMs);
  }

  #provisional(response: SipResponse): ClientOutput[] {
    if (this.answered) return [];
    this.state = 'proceeding';
    this.#timers.clear('A', 'B');
    return [{ kind: 'deliver', response }];
  }

  /** RFC 6026 §7.2: every 2xx goes up, of this and other branches of a fork, until timer M. */
  #success(response: SipResponse, nowMs: number): ClientOutput[] {
    if (this.state === 'completed') return [];
    if (this.state !== 'accepted') {
      this.state = 'accepted';
      this.#timers.clearAll();
      this.#timers.set('M', nowMs + GIVE_UP_MS);
    }
    return [{ kind: 'deliver', response }];
  }

  #failure(response: SipResponse, nowMs: number): ClientOutput[] {
    if (this.state === 'accepted') return [];
    if (this.state === 'completed') return this.#ack ? [{ kind: 'send', message: this.#ack }] : [];
    this.#timers.clearAll();
    this.#ack = ackForFailure(this.#request, response);
    const outputs: ClientOutput[] = [
      { kind: 'send', message: this.#ack },
      { kind: 'deliver', response },
    ];
    if (this.#reliable) return [...outputs, ...this.#terminate()];
    this.state = 'completed';
    this.#timers.set('D', nowMs + GIVE_UP_MS);
    return outputs;
  }

  expire(nowMs: number): ClientOutput[] {
    const outputs: ClientOutput[] = [];
    for (let name = this.#timers.take(nowMs); name; name = this.#timers.take(nowMs)) {
      if (name === 'A') outputs.push(...this.#retransmit(nowMs));
      else if (name === 'B') outputs.push({ kind: 'failed', reason: 'timeout' }, ...this.#terminate());
      else outputs.push(...this.#terminate());
    }
    return outputs;
  }

  #retransmit(nowMs: number): ClientOutput[] {
    this.#intervalMs *= 2;
    this.#timers.set('A', nowMs + this.#intervalMs);
    return [{ kind: 'send', message: this.#request }];
  }

  stopRepeating(): void {
    this.#timers.clear('A');
  }

  transportFailed(): ClientOutput[] {
    if (this.state === 'terminated') return [];
    return this.answered ? [] : [{ kind: 'failed', reason: 'transport' }, ...this.#terminate()];
  }

  #terminate(): ClientOutput[] {
    this.state = 'terminated';
    this.#timers.clearAll();
    return [{ kind: 'terminated' }];
  }
}
