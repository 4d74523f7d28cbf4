import type { Clock, Timer } from '../../../base/clock.ts';
import { messageOf } from '../../../base/errors.ts';
import type { PhoneMedia } from '../../../media/protocol.ts';
import type { Recognized, SpeechRecognizer } from '../../speech-recognition.ts';
import type { TwimlElement } from '../document.ts';
import { NEXT_VERB, methodOf, type Verb, type VerbContext } from '../verb.ts';
import { SpeechListener, type ListenerOptions } from './gather-speech.ts';
import { pause } from './pause.ts';
import { play } from './play.ts';
import { say } from './say.ts';

const DEFAULT_TIMEOUT_S = 5;
/** What may be heard while keys are awaited. */
const PROMPTS: Readonly<Record<string, Verb>> = { Say: say, Play: play, Pause: pause };

/**
 * `<Gather>`: plays what stands inside and collects keys, speech, or whichever comes first (contract §3.4). What came is sent to
 * `action`, the document's own URL by default; without any the next verb runs, unless `actionOnEmptyResult`.
 */
export const gather: Verb = async (element, context) => {
  const phone = await context.answer();
  const wanted = inputsOf(element, context);
  const collected = await collect(element, { phone, context, wanted });
  if (context.signal.aborted) return NEXT_VERB;
  const empty = collected.digits === '' && collected.heard === null;
  if (empty && element.attributes['actionOnEmptyResult']?.toLowerCase() !== 'true') return NEXT_VERB;
  return { next: 'document', reference: element.attributes['action']?.trim() ?? '', method: methodOf(element), parameters: parametersOf(collected, wanted) };
};

interface Wanted {
  keys: boolean;
  /** Null: nobody listens to speech. */
  recognizer: SpeechRecognizer | null;
}

interface Collected {
  digits: string;
  finishedOnKey: string | null;
  heard: Recognized | null;
}

/** Speech that nobody here can recognise is a debugger entry, and keys are collected instead. */
function inputsOf(element: TwimlElement, context: VerbContext): Wanted {
  const inputs = (element.attributes['input'] ?? 'dtmf').split(/\s+/);
  if (!inputs.includes('speech')) return { keys: true, recognizer: null };
  if (context.recognizer) return { keys: inputs.includes('dtmf'), recognizer: context.recognizer };
  context.report({ errorCode: 13343, message: '<Gather input> asks for speech, but this server has no speech recognizer (PARTYLINE_SPEECH_RECOGNIZER): keys are collected', log: 1 });
  return { keys: true, recognizer: null };
}

function parametersOf({ digits, finishedOnKey, heard }: Collected, { keys, recognizer }: Wanted): [name: string, value: string][] {
  if (heard) return [['SpeechResult', heard.transcript], ['Confidence', String(heard.confidence)]];
  const parameters: [string, string][] = keys ? [['Digits', digits]] : [];
  if (digits === '' && recognizer) parameters.push(['SpeechResult', ''], ['Confidence', '0']);
  if (finishedOnKey !== null) parameters.push(['FinishedOnKey', finishedOnKey]);
  return parameters;
}

/** Resolves with what came, or with what came so far when the call leaves. */
async function collect(element: TwimlElement, { phone, context, wanted }: { phone: PhoneMedia; context: VerbContext; wanted: Wanted }): Promise<Collected> {
  const collector = new KeyCollector(element, context.clock);
  const firstInput = new AbortController();
  const ear = new Ear(element, {
    context,
    phone,
    recognizer: wanted.recognizer,
    timeoutMs: collector.timeoutMs,
    began: () => {
      firstInput.abort();
      collector.suspend();
    },
  });
  const forget = phone.on('digitReceived', (digit) => {
    if (!wanted.keys) return;
    firstInput.abort();
    ear.close();
    collector.press(digit);
  });
  const leave = (): void => collector.finish();
  context.signal.addEventListener('abort', leave, { once: true });
  try {
    if (ear.bargesIn) await ear.open();
    await prompt(element, { context, signal: AbortSignal.any([context.signal, firstInput.signal]) });
    if (!context.signal.aborted && !firstInput.signal.aborted) await ear.open();
    if (context.signal.aborted) collector.finish();
    else collector.promptsEnded();
    return await Promise.race([collector.done, ear.heard.then((heard): Collected => ({ digits: '', finishedOnKey: null, heard }))]);
  } finally {
    forget();
    ear.close();
    collector.finish();
    context.signal.removeEventListener('abort', leave);
  }
}

type EarOptions = Omit<ListenerOptions, 'recognizer' | 'element'> & { recognizer: SpeechRecognizer | null };

/** The listener of one `<Gather>`, where there is one: opened with the prompts or, with `bargeIn="false"`, after them. */
class Ear {
  readonly heard: Promise<Recognized | null>;
  readonly bargesIn: boolean;
  readonly #options: EarOptions;
  readonly #element: TwimlElement;
  #resolve: (heard: Promise<Recognized | null>) => void = () => undefined;
  #listener: SpeechListener | null = null;
  #opened = false;
  #closed = false;

  constructor(element: TwimlElement, options: EarOptions) {
    this.#element = element;
    this.#options = options;
    this.bargesIn = element.attributes['bargeIn']?.toLowerCase() !== 'false';
    this.heard = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Once. A phone that cannot be listened to is a debugger entry; keys go on. */
  async open(): Promise<void> {
    const { recognizer, context } = this.#options;
    if (!recognizer || this.#opened || this.#closed) return;
    this.#opened = true;
    try {
      const listener = await SpeechListener.open({ ...this.#options, element: this.#element, recognizer });
      this.#listener = listener;
      this.#resolve(listener.heard);
      if (this.#closed) listener.giveUp();
    } catch (error) {
      if (!context.signal.aborted) context.report({ errorCode: 13343, message: `<Gather>: nobody can listen to the call (${messageOf(error)})`, log: 0 });
    }
  }

  close(): void {
    this.#closed = true;
    this.#listener?.giveUp();
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
  readonly timeoutMs: number;
  readonly #clock: Clock;
  readonly #wanted: number;
  readonly #finishOnKey: string;
  #resolve: (collected: Collected) => void = () => undefined;
  #digits = '';
  #timer: Timer | null = null;
  #over = false;
  #suspended = false;

  constructor({ attributes }: TwimlElement, clock: Clock) {
    this.#clock = clock;
    this.timeoutMs = Number(attributes['timeout'] ?? DEFAULT_TIMEOUT_S) * 1000;
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

  /** Somebody speaks: the end of that is waited for, not the time-out. */
  suspend(): void {
    this.#suspended = true;
    this.#timer?.cancel();
  }

  promptsEnded(): void {
    if (!this.#over && !this.#suspended && this.#digits === '') this.#waitForMore();
  }

  #waitForMore(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.timeoutMs, () => this.finish());
  }

  /** Idempotent. */
  finish(finishedOnKey: string | null = null): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#resolve({ digits: this.#digits, finishedOnKey, heard: null });
  }
}
