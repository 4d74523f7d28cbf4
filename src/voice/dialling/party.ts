import type { Clock } from '../../base/clock.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import { terminated, type Termination } from '../termination.ts';
import type { ReferListener } from '../refer-listener.ts';
import type { DocumentSource } from '../twiml/document-loader.ts';
import type { NestingRule } from '../twiml/nesting.ts';
import type { ChildCall, ChildContext, ChildOptions, Dialler } from './dialler.ts';

/** What the called phone may be told before it is put through; a `<Dial>` there would dial out of a dialled call (13201). */
const WHISPER_VERBS: NestingRule = { verbs: ['Play', 'Say', 'Pause', 'Gather', 'Hangup', 'Redirect'], code: 12200, codes: { Dial: 13201 } };

export interface PartyOptions extends Omit<ChildOptions, 'attend' | 'soundedEarly' | 'overtaken' | 'ended'> {
  dialler: Dialler;
  clock: Clock;
  /** Runs for the called phone after its answer; `<Hangup>` in it declines the call. */
  whisper: DocumentSource | null;
  /** Lets its early sound be heard until the signal aborts, and resolves when its phone is its own again; null: nobody listens. */
  early: ((phone: PhoneMedia, until: AbortSignal) => Promise<void>) | null;
  /** Once, when its call is over. */
  ended: (party: Party) => void;
}

/**
 * One phone that a `<Dial>` calls, as the verb holds it:
 *
 *     dialled ──answered──▶ whispered to ──took the call──▶ ready ──▶ released
 *
 * From everywhere it may be gone: its call ended, or was redirected over REST and goes its own way.
 */
export class Party {
  readonly child: ChildCall;
  /** Its phone once it took the call; null when it went before. */
  readonly ready: Promise<PhoneMedia | null>;
  readonly #options: PartyOptions;
  readonly #gone = new AbortController();
  readonly #released: Promise<void>;
  #release: () => void = () => undefined;
  #becomeReady: (phone: PhoneMedia | null) => void = () => undefined;
  #goneAtMs: number | null = null;
  readonly #answered = new AbortController();
  #onRefer: ChildContext['onRefer'] = () => () => undefined;
  #kept = false;
  #early: Promise<void> = Promise.resolve();

  constructor(options: PartyOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => (this.#becomeReady = resolve));
    this.#released = new Promise((resolve) => (this.#release = resolve));
    this.child = options.dialler.place({ ...options, attend: (context) => this.#attend(context), soundedEarly: (phone) => this.#soundedEarly(phone), overtaken: () => this.#leave(), ended: () => this.#ended() });
  }

  get target(): PartyOptions['target'] {
    return this.#options.target;
  }

  /** Aborts when it is no longer with us. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whole seconds from its answer until it went; null when it did not answer. */
  get durationS(): number | null {
    const { answeredAtMs } = this.child.record;
    if (answeredAtMs === null) return null;
    return Math.max(0, Math.round(((this.#goneAtMs ?? this.#options.clock.wallMs()) - answeredAtMs) / 1000));
  }

  /** A bridge has it from now on: whoever called it no longer ends or releases it. False: it is gone. */
  keep(): boolean {
    this.#kept = !this.gone.aborted;
    return this.#kept;
  }

  /** Hears the REFERs of its phone, once it is ready. Those that come before hand its call over. */
  onRefer(listener: ReferListener): () => void {
    return this.#onRefer(listener);
  }

  /** Ends its call, unless it went its own way. */
  end(termination: Termination): void {
    if (!this.gone.aborted && !this.#kept) this.child.end(termination);
  }

  /** Its phone is its own again: a document that replaced the verb's hold may run. */
  release(): void {
    if (!this.#kept) this.#release();
  }

  /** As `release`, of the bridge that has it. */
  let(): void {
    this.#release();
  }

  async #attend(context: ChildContext): Promise<Termination | null> {
    context.signal.addEventListener('abort', () => this.#leave(), { once: true });
    const phone = await context.answer();
    this.#answered.abort();
    await this.#early;
    const declined = await this.#whisper(context);
    if (context.signal.aborted) return null;
    if (declined) return declined;
    this.#onRefer = (listener) => context.onRefer(listener);
    this.#becomeReady(phone);
    await this.#released;
    return null;
  }

  #soundedEarly(phone: PhoneMedia): void {
    const { early } = this.#options;
    if (!early) return;
    this.#early = early(phone, AbortSignal.any([this.#answered.signal, this.gone]));
    // Awaited after an answer only; a fault must not go unheard of anybody when there is none.
    this.#early.catch(() => undefined);
  }

  async #whisper(context: ChildContext): Promise<Termination | null> {
    const { whisper } = this.#options;
    if (!whisper) return null;
    const end = await context.nested(whisper, { signal: context.signal, rule: WHISPER_VERBS });
    if (end.kind === 'ended') return end.termination;
    return end.kind === 'failed' ? terminated('application-error') : null;
  }

  #ended(): void {
    this.#leave();
    this.#options.ended(this);
  }

  #leave(): void {
    this.#goneAtMs ??= this.#options.clock.wallMs();
    this.#gone.abort();
    this.#becomeReady(null);
  }
}
