import { MediaError, type PhoneMedia } from '../../../media/protocol.ts';
import { talk } from '../../queue/queue-bridge.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

/** What a caller hears while others are called. */
export interface Ringback {
  /**
   * What a phone sends before it answers (an announcement, its network's own ringing) is heard instead of ringing until the
   * signal aborts; resolves when that phone is its own again. Null: the caller does not hear it.
   */
  readonly early: ((phone: PhoneMedia, until: AbortSignal) => Promise<void>) | null;
  /** Resolves when it is silent. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Answers the caller and lets it hear ringing; under `answerOnBridge` an unanswered caller hears that of its own network
 * instead, or what the called phone sends before it answers. Early sound takes the place of the ringing unless `ringTone` asks for that.
 */
export async function startRingback(dial: TwimlElement, context: VerbContext): Promise<Ringback> {
  if (dial.attributes['answerOnBridge']?.toLowerCase() === 'true' && !context.answered) return new EarlyBridge(context);
  const sound = new CallerSound(await context.answer(), context);
  const early: Ringback['early'] = (phone, until) => sound.early(phone, until);
  return { early: dial.attributes['ringTone'] === undefined ? early : null, stop: () => sound.stop() };
}

/** For a caller that is not answered: early sound of the called phone, both ways, and no other. */
class EarlyBridge implements Ringback {
  readonly #context: VerbContext;
  readonly #stopping = new AbortController();
  #heard: Promise<void> = Promise.resolve();

  constructor(context: VerbContext) {
    this.#context = context;
  }

  readonly early = (phone: PhoneMedia, until: AbortSignal): Promise<void> => (this.#heard = this.#hear(phone, AbortSignal.any([until, this.#stopping.signal, this.#context.signal])));

  async #hear(phone: PhoneMedia, until: AbortSignal): Promise<void> {
    const caller = until.aborted ? null : await this.#context.soundEarly();
    if (!caller || until.aborted) return;
    this.#context.reached('early media');
    await talk(this.#context.gatherings.media, [caller, phone], until).catch(lostAlready);
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    return this.#heard;
  }
}

class CallerSound {
  readonly #caller: PhoneMedia;
  readonly #context: VerbContext;
  readonly #stopping = new AbortController();
  #ringing = new AbortController();
  /** Resolves when what is heard now is over. */
  #silent: Promise<unknown> = Promise.resolve();

  constructor(caller: PhoneMedia, context: VerbContext) {
    this.#caller = caller;
    this.#context = context;
    this.#ring();
  }

  #ring(): void {
    const { signal } = this.#context;
    if (this.#stopping.signal.aborted || signal.aborted) return;
    this.#ringing = new AbortController();
    this.#silent = this.#caller.play({ kind: 'ringback' }, { loops: 0, signal: AbortSignal.any([this.#ringing.signal, this.#stopping.signal, signal]) }).catch(lostAlready);
  }

  /** It rings again afterwards, until `stop`: a whisper or the next phone may follow. */
  early(phone: PhoneMedia, until: AbortSignal): Promise<void> {
    const before = this.#silent;
    this.#ringing.abort();
    const heard = this.#hear(phone, { before, until: AbortSignal.any([until, this.#stopping.signal, this.#context.signal]) });
    this.#silent = heard;
    return heard.then(() => this.#ring());
  }

  async #hear(phone: PhoneMedia, { before, until }: { before: Promise<unknown>; until: AbortSignal }): Promise<void> {
    await before;
    if (until.aborted) return;
    this.#context.reached('early media');
    await talk(this.#context.gatherings.media, [this.#caller, phone], until).catch(lostAlready);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#silent;
  }
}

/** The media that is lost says so by itself. */
function lostAlready(error: unknown): void {
  if (!(error instanceof MediaError)) throw error;
}
