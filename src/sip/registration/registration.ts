/** A registration of ours at a carrier, as its owner sees it. `failed`: it is tried again by itself. */
export type RegistrationState = 'registering' | 'registered' | 'failed' | 'stopped';

/** An answer to REGISTER, the parts that matter. */
export interface RegisterAnswer {
  statusCode: number;
  reasonPhrase: string;
  /** For a 2xx: how long our contact is kept; null when it does not say. */
  grantedS: number | null;
  /** Min-Expires of a 423. */
  minExpiresS: number | null;
  retryAfterS: number | null;
  /** Whether its challenge can be answered. */
  answerable: boolean;
}

export type RegistrationOutput =
  /** `again`: with the answer to the challenge that came. */
  | { kind: 'send'; expiresS: number; again: boolean }
  | { kind: 'changed'; state: RegistrationState; reason: string | null }
  /** Nothing more will be sent. */
  | { kind: 'over' };

export const DEFAULT_EXPIRES_S = 600;
/** Share of its time after which a registration is renewed. */
const RENEW_SHARE = 0.85;
const MIN_RENEW_MS = 1_000;
const MAX_EXPIRES_S = 86_400;
/** RFC 5626 §4.5 with a shorter base: there is one server, and calls are lost while it does not know us. */
const BASE_WAIT_MS = 5_000;
/** Who refuses us is not asked as often as who is away. */
const REFUSED_WAIT_MS = 60_000;
const MAX_WAIT_MS = 300_000;
/** How long a last REGISTER is waited for. */
const LEAVE_MS = 1_500;

type Phase = 'idle' | 'asking' | 'kept' | 'waiting' | 'leaving' | 'over';

/**
 * REGISTER to a carrier (RFC 3261 §10.2). Pure: inputs with their time, outputs to be done in order.
 *
 *     idle ──start──▶ asking ──2xx──▶ kept ──85 % of its time, refresh──▶ asking
 *                      ▲  ╲──refused, no answer──▶ waiting ──back-off──▶ asking
 *                      └──401, 407, 423: again
 *     kept, asking ──stop──▶ leaving ──answer, 1.5 s──▶ over        idle, waiting ──stop──▶ over
 */
export class RegistrationMachine {
  readonly #random: () => number;
  #phase: Phase = 'idle';
  #state: RegistrationState = 'stopped';
  #expiresS: number;
  #dueMs: number | null = null;
  #failures = 0;
  #raised = false;
  /** What is kept at the registrar runs out then. */
  #keptUntilMs = 0;

  constructor({ expiresS = DEFAULT_EXPIRES_S, random }: { expiresS?: number; random: () => number }) {
    this.#expiresS = Math.min(expiresS, MAX_EXPIRES_S);
    this.#random = random;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** When `expire` wants to be called. */
  get nextMs(): number | null {
    return this.#dueMs;
  }

  start(): RegistrationOutput[] {
    return this.#phase === 'idle' ? [...this.#change('registering', null), ...this.#ask()] : [];
  }

  /** At once instead of later: the carrier was away and is back, or our address is another. */
  refresh(): RegistrationOutput[] {
    return this.#phase === 'kept' || this.#phase === 'waiting' ? this.#ask() : [];
  }

  stop(nowMs: number): RegistrationOutput[] {
    if (this.#phase === 'over' || this.#phase === 'leaving') return [];
    const known = this.#phase === 'asking' || this.#keptUntilMs > nowMs;
    if (!known) return this.#end();
    this.#phase = 'leaving';
    this.#dueMs = nowMs + LEAVE_MS;
    return [{ kind: 'send', expiresS: 0, again: false }];
  }

  expire(nowMs: number): RegistrationOutput[] {
    if (this.#dueMs === null || nowMs < this.#dueMs) return [];
    this.#dueMs = null;
    return this.#phase === 'leaving' ? this.#end() : this.#ask();
  }

  answered(answer: RegisterAnswer, nowMs: number): RegistrationOutput[] {
    const challenged = answer.statusCode === 401 || answer.statusCode === 407;
    if (challenged && answer.answerable) return [{ kind: 'send', expiresS: this.#phase === 'leaving' ? 0 : this.#expiresS, again: true }];
    if (this.#phase === 'leaving') return this.#end();
    if (this.#phase !== 'asking') return [];
    if (answer.statusCode < 300) return this.#kept(answer.grantedS ?? this.#expiresS, nowMs);
    if (answer.statusCode === 423 && this.#raise(answer.minExpiresS)) return this.#ask();
    return this.#failed(`${answer.statusCode} ${answer.reasonPhrase}`, { statusCode: answer.statusCode, retryAfterMs: (answer.retryAfterS ?? 0) * 1000, nowMs });
  }

  /** No answer, or not sent. */
  unanswered(reason: string, nowMs: number): RegistrationOutput[] {
    if (this.#phase === 'leaving') return this.#end();
    return this.#phase === 'asking' ? this.#failed(reason, { statusCode: 0, retryAfterMs: 0, nowMs }) : [];
  }

  #ask(): RegistrationOutput[] {
    this.#phase = 'asking';
    this.#dueMs = null;
    return [{ kind: 'send', expiresS: this.#expiresS, again: false }];
  }

  #kept(grantedS: number, nowMs: number): RegistrationOutput[] {
    if (grantedS <= 0) return this.#failed('the registrar keeps it for no time', { statusCode: 0, retryAfterMs: 0, nowMs });
    this.#phase = 'kept';
    this.#failures = 0;
    this.#raised = false;
    this.#keptUntilMs = nowMs + grantedS * 1000;
    this.#dueMs = nowMs + Math.max(MIN_RENEW_MS, Math.min(grantedS, MAX_EXPIRES_S) * 1000 * RENEW_SHARE);
    return this.#change('registered', null);
  }

  /** RFC 3261 §10.2.8; once, so that a registrar that wants ever more does not keep us busy. */
  #raise(minExpiresS: number | null): boolean {
    if (minExpiresS === null || minExpiresS <= this.#expiresS || minExpiresS > MAX_EXPIRES_S || this.#raised) return false;
    this.#raised = true;
    this.#expiresS = minExpiresS;
    return true;
  }

  #failed(reason: string, { statusCode, retryAfterMs, nowMs }: { statusCode: number; retryAfterMs: number; nowMs: number }): RegistrationOutput[] {
    const refused = statusCode >= 400 && statusCode < 500 && statusCode !== 408;
    const baseMs = refused ? REFUSED_WAIT_MS : BASE_WAIT_MS;
    const upperMs = Math.min(MAX_WAIT_MS, baseMs * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#phase = 'waiting';
    this.#dueMs = nowMs + Math.max(Math.min(retryAfterMs, MAX_WAIT_MS), upperMs * (0.5 + this.#random() / 2));
    return this.#change('failed', reason);
  }

  #end(): RegistrationOutput[] {
    this.#phase = 'over';
    this.#dueMs = null;
    return [...this.#change('stopped', null), { kind: 'over' }];
  }

  #change(state: RegistrationState, reason: string | null): RegistrationOutput[] {
    if (state === this.#state && reason === null) return [];
    this.#state = state;
    return [{ kind: 'changed', state, reason }];
  }
}
