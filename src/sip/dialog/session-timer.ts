import { parseParams, parseNumber } from '../message/grammar.ts';
import type { Headers } from '../message/headers.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { supports } from '../message/option-tags.ts';

/** Shortest session interval that we take part in, s (RFC 4028 §4). */
export const MIN_SESSION_S = 90;
/** What we ask for, s. */
export const DEFAULT_SESSION_S = 1_800;
/** The side that hears of no refresh ends the session so long before it runs out, s, or a third of it if that is shorter (§10). */
const END_BEFORE_S = 32;
/** No other try is worth its while so close to the end, ms. */
const LAST_TRY_MS = 1_000;

/** Who refreshes, as the transaction at hand has it: its sender or its receiver. */
export type Refresher = 'uac' | 'uas';

/** Session-Expires: how long a session lives without a refresh, s, and by whom. */
export interface SessionTerms<R = Refresher> {
  intervalS: number;
  refresher: R;
}

/** Null when absent or malformed, which counts as absent. */
export function readSessionExpires(headers: Headers): SessionTerms<Refresher | null> | null {
  const match = /^\s*(\d{1,10})\s*(;.*)?$/s.exec(headers.get('session-expires') ?? '');
  const intervalS = parseNumber(match?.[1] ?? '', 2 ** 31 - 1);
  const params = parseParams(match?.[2] ?? '');
  if (intervalS === null || !params) return null;
  const refresher = params.get('refresher')?.toLowerCase();
  return { intervalS, refresher: refresher === 'uac' || refresher === 'uas' ? refresher : null };
}

/** Min-SE, s; default 90 (§5). */
export function readMinSe(headers: Headers): number {
  return Math.max(MIN_SESSION_S, parseNumber(/^\s*(\d{1,10})\s*(;.*)?$/s.exec(headers.get('min-se') ?? '')?.[1] ?? '', 2 ** 31 - 1) ?? 0);
}

/** A request that is answered with 422: who does not know session timers could make nothing of that (§8.1, §9). */
export function isTooBrief(request: SipRequest): boolean {
  const asked = readSessionExpires(request.headers);
  return asked !== null && asked.intervalS < MIN_SESSION_S && supports(request.headers, 'timer');
}

/** For a 422. */
export const MIN_SE_HEADER: [string, string] = ['Min-SE', String(MIN_SESSION_S)];

/**
 * What our 2xx says to a request (§9, table 2). Null: no timer. `ours.intervalS` 0: none is wanted; `refreshing`: whether
 * we refresh until now, null when nobody does.
 */
export function termsFor(request: SipRequest, ours: { intervalS: number; refreshing: boolean | null }): SessionTerms | null {
  const asked = readSessionExpires(request.headers);
  const supported = supports(request.headers, 'timer');
  if (!asked && (!supported || ours.intervalS === 0)) return null;
  const intervalS = asked ? Math.max(asked.intervalS, MIN_SESSION_S) : Math.max(ours.intervalS, readMinSe(request.headers));
  if (!supported) return { intervalS, refresher: 'uas' };
  return { intervalS, refresher: asked?.refresher ?? (ours.refreshing === false ? 'uac' : 'uas') };
}

/** What a 2xx to a request of ours settled (§7.2). Null: no timer. Whoever names nobody leaves it to us. */
export function termsOf(response: SipResponse): SessionTerms | null {
  const said = readSessionExpires(response.headers);
  return said && { intervalS: Math.max(said.intervalS, MIN_SESSION_S), refresher: said.refresher ?? 'uac' };
}

export function printSessionExpires(terms: SessionTerms<Refresher | null>): [string, string] {
  return ['Session-Expires', `${terms.intervalS}${terms.refresher === null ? '' : `;refresher=${terms.refresher}`}`];
}

/**
 * One session's time (§10). Holds times, starts no timers.
 *
 *     off ──start──▶ on ──half the interval, when we refresh──▶ `refresh`   (start again when that is answered)
 *                    on ──32 s or a third before it runs out──▶ `end`
 */
export class SessionTimer {
  #on: { intervalS: number; weRefresh: boolean } | null = null;
  #refreshMs: number | null = null;
  #endMs: number | null = null;

  get intervalS(): number | null {
    return this.#on?.intervalS ?? null;
  }

  /** Null while it is off. */
  get weRefresh(): boolean | null {
    return this.#on?.weRefresh ?? null;
  }

  /** When `expire` wants to be called next; null for never. */
  get nextMs(): number | null {
    return this.#refreshMs ?? this.#endMs;
  }

  /** From each 2xx that refreshes the session. */
  start(on: { intervalS: number; weRefresh: boolean }, nowMs: number): void {
    const { intervalS, weRefresh } = on;
    this.#on = { intervalS, weRefresh };
    this.#refreshMs = weRefresh ? nowMs + intervalS * 500 : null;
    this.#endMs = nowMs + (intervalS - Math.min(END_BEFORE_S, intervalS / 3)) * 1000;
  }

  stop(): void {
    this.#on = null;
    this.#refreshMs = null;
    this.#endMs = null;
  }

  expire(nowMs: number): 'refresh' | 'end' | null {
    if (this.#endMs !== null && nowMs >= this.#endMs) {
      this.stop();
      return 'end';
    }
    if (this.#refreshMs === null || nowMs < this.#refreshMs) return null;
    this.#refreshMs = null;
    return 'refresh';
  }

  /** It was answered otherwise than by 2xx: once more, half way to the end. */
  refreshFailed(nowMs: number): void {
    if (this.#endMs === null || !this.#on?.weRefresh) return;
    const waitMs = (this.#endMs - nowMs) / 2;
    if (waitMs > LAST_TRY_MS) this.#refreshMs = nowMs + waitMs;
  }
}
