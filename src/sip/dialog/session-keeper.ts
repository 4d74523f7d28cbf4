import type { Clock, Timer } from '../../base/clock.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { supports } from '../message/option-tags.ts';
import { MIN_SESSION_S, printSessionExpires, readMinSe, SessionTimer, termsFor, termsOf } from './session-timer.ts';

export interface SessionKeeperParts {
  clock: Clock;
  /** What we ask for, s; 0: nothing. */
  intervalS: number;
  /** A refresh is due; tell how it went by `answered` or `refreshFailed`. */
  refresh: () => void;
  /** Nobody refreshed the session in time. */
  expired: () => void;
}

/** Keeps the session timer of one dialog (RFC 4028): what its messages say about it, and when it is due. */
export class SessionKeeper {
  readonly #parts: SessionKeeperParts;
  readonly #timer = new SessionTimer();
  #minS = MIN_SESSION_S;
  #alarm: Timer | null = null;

  constructor(parts: SessionKeeperParts) {
    this.#parts = parts;
  }

  /** A 2xx of ours to INVITE or UPDATE: its headers, and the session is refreshed. */
  answer(request: SipRequest): [string, string][] {
    const terms = termsFor(request, { intervalS: this.#parts.intervalS, refreshing: this.#timer.weRefresh });
    this.#restart(terms && { intervalS: terms.intervalS, weRefresh: terms.refresher === 'uas' });
    if (!terms) return [];
    return supports(request.headers, 'timer') ? [['Require', 'timer'], printSessionExpires(terms)] : [printSessionExpires(terms)];
  }

  /** A request of ours got a 2xx. */
  answered(response: SipResponse): void {
    const terms = termsOf(response);
    this.#restart(terms && { intervalS: terms.intervalS, weRefresh: terms.refresher === 'uac' });
  }

  /** For INVITE and UPDATE of ours within the dialog. */
  ask(): [string, string][] {
    const { intervalS, weRefresh } = this.#timer;
    const min: [string, string][] = this.#minS > MIN_SESSION_S ? [['Min-SE', String(this.#minS)]] : [];
    return intervalS === null ? min : [printSessionExpires({ intervalS: Math.max(intervalS, this.#minS), refresher: weRefresh ? 'uac' : 'uas' }), ...min];
  }

  /** A 422 wants longer sessions. False when it says nothing new (§7.4). */
  raise(refusal: SipResponse): boolean {
    const minS = readMinSe(refusal.headers);
    if (minS <= this.#minS) return false;
    this.#minS = minS;
    return true;
  }

  refreshFailed(): void {
    this.#timer.refreshFailed(this.#parts.clock.nowMs());
    this.#arm();
  }

  stop(): void {
    this.#restart(null);
  }

  #restart(on: { intervalS: number; weRefresh: boolean } | null): void {
    if (on) this.#timer.start(on, this.#parts.clock.nowMs());
    else this.#timer.stop();
    this.#arm();
  }

  #arm(): void {
    this.#alarm?.cancel();
    const { nextMs } = this.#timer;
    const { clock } = this.#parts;
    this.#alarm = nextMs === null ? null : clock.after(nextMs - clock.nowMs(), () => this.#due());
  }

  #due(): void {
    const what = this.#timer.expire(this.#parts.clock.nowMs());
    this.#arm();
    if (what === 'refresh') this.#parts.refresh();
    else if (what === 'end') this.#parts.expired();
  }
}
