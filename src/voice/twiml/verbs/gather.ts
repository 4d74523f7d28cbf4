import type { Clock, Timer } from '../../../base/clock.ts';
import type { PhoneMedia } from '../../../media/protocol.ts';
import type { TwimlElement } from '../document.ts';
import { NEXT_VERB, methodOf, type Verb, type VerbContext } from '../verb.ts';
import { pause } from './pause.ts';
import { play } from './play.ts';
import { say } from './say.ts';

const DEFAULT_TIMEOUT_S = 5;
/** What may be heard while keys are awaited. */
const PROMPTS: Readonly<Record<string, Verb>> = { Say: say, Play: play, Pause: pause };

/**
 * `<Gather>`: plays what stands inside and collects keys; the first key stops the prompts (contract §3.4). Keys are sent to
 * `action`, the document's own URL by default; without any the next verb runs, unless `actionOnEmptyResult`.
 */
export const gather: Verb = async (element, context) => {
  const phone = await context.answer();
  const { digits, finishedOnKey } = await collect(element, { phone, context });
  if (context.signal.aborted) return NEXT_VERB;
  if (digits === '' && element.attributes['actionOnEmptyResult']?.toLowerCase() !== 'true') return NEXT_VERB;
  const parameters: [string, string][] = [['Digits', digits]];
  if (finishedOnKey !== null) parameters.push(['FinishedOnKey', finishedOnKey]);
  return { next: 'document', reference: element.attributes['action']?.trim() ?? '', method: methodOf(element), parameters };
};

interface Collected {
  digits: string;
  finishedOnKey: string | null;
}

/** Resolves with the keys, or with what came so far when the call leaves. */
async function collect(element: TwimlElement, { phone, context }: { phone: PhoneMedia; context: VerbContext }): Promise<Collected> {
  const collector = new KeyCollector(element, context.clock);
  const firstKey = new AbortController();
  const forget = phone.on('digitReceived', (digit) => {
    firstKey.abort();
    collector.press(digit);
  });
  const leave = (): void => collector.finish();
  context.signal.addEventListener('abort', leave, { once: true });
  try {
    await prompt(element, { context, signal: AbortSignal.any([context.signal, firstKey.signal]) });
    if (context.signal.aborted) collector.finish();
    else collector.promptsEnded();
    return await collector.done;
  } finally {
    forget();
    collector.finish();
    context.signal.removeEventListener('abort', leave);
  }
}

async function prompt(element: TwimlElement, { context, signal }: { context: VerbContext; signal: AbortSignal }): Promise<void> {
  // Getters of the context (`answered`) stay live through the prototype.
  const heard = Object.assign(Object.create(context) as VerbContext, { signal });
  for (const child of element.children) {
    if (signal.aborted) return;
    if (typeof child !== 'string') await PROMPTS[child.name]?.(child, heard);
  }
}

/** Keys until there are enough, the finishing key, or silence after the prompts or the last key. */
class KeyCollector {
  readonly done: Promise<Collected>;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #wanted: number;
  readonly #finishOnKey: string;
  #resolve: (collected: Collected) => void = () => undefined;
  #digits = '';
  #timer: Timer | null = null;
  #over = false;

  constructor({ attributes }: TwimlElement, clock: Clock) {
    this.#clock = clock;
    this.#timeoutMs = Number(attributes['timeout'] ?? DEFAULT_TIMEOUT_S) * 1000;
    this.#wanted = Number(attributes['numDigits'] ?? Number.POSITIVE_INFINITY);
    this.#finishOnKey = attributes['finishOnKey'] ?? '#';
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  press(digit: string): void {
    if (this.#over) return;
    if (this.#finishOnKey !== '' && this.#finishOnKey === digit) return this.finish(digit);
    this.#digits += digit;
    if (this.#digits.length >= this.#wanted) this.finish();
    else this.#waitForMore();
  }

  promptsEnded(): void {
    if (!this.#over && this.#digits === '') this.#waitForMore();
  }

  #waitForMore(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#timeoutMs, () => this.finish());
  }

  /** Idempotent. */
  finish(finishedOnKey: string | null = null): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#resolve({ digits: this.#digits, finishedOnKey });
  }
}
