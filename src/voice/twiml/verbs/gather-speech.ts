import type { Timer } from '../../../base/clock.ts';
import type { MediaRecording, PhoneMedia } from '../../../media/protocol.ts';
import type { Recognized, RecognitionWishes, SpeechRecognizer } from '../../speech-recognition.ts';
import { watchVoice } from '../../voice-watch.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

const DEFAULT_MAX_SPEECH_S = 60;
/** `speechTimeout="auto"`: a pause as people make it at the end of a sentence. */
const AUTO_SPEECH_TIMEOUT_MS = 1000;
/** Of the recording, which begins with the prompts. */
const MAX_RECORDING_MS = 3_600_000;

export interface ListenerOptions {
  element: TwimlElement;
  phone: PhoneMedia;
  context: Pick<VerbContext, 'clock' | 'signal' | 'report'>;
  recognizer: SpeechRecognizer;
  /** Silence that ends speech unless `speechTimeout` says otherwise: the `timeout` of the verb. */
  timeoutMs: number;
  /** Somebody has begun to speak; called once. */
  began: () => void;
}

/** Waits for one utterance: records from its opening, notices speech and its end, has it recognised. */
export class SpeechListener {
  /** What was understood, null when nothing was. Never settles when it was given up; never rejects. */
  readonly heard: Promise<Recognized | null>;
  readonly #options: ListenerOptions;
  readonly #recording: MediaRecording;
  readonly #path: string;
  readonly #letGo: () => void;
  readonly #forget: () => void;
  readonly #speechTimeoutMs: number;
  #resolve: (heard: Recognized | null) => void = () => undefined;
  #silence: Timer | null = null;
  #longest: Timer | null = null;
  #over = false;

  /** Rejects with MediaError when the phone cannot be listened to. */
  static async open(options: ListenerOptions): Promise<SpeechListener> {
    const path = await options.recognizer.newFile();
    const recording = await options.phone.record({ path, source: 'inbound', channels: 1, maxDurationMs: MAX_RECORDING_MS, silenceTimeoutMs: 0, trimSilence: true });
    try {
      return new SpeechListener(options, { path, recording, letGo: await watchVoice(options.phone) });
    } catch (error) {
      await recording.stop().catch(() => undefined);
      await options.recognizer.discard(path);
      throw error;
    }
  }

  private constructor(options: ListenerOptions, { path, recording, letGo }: { path: string; recording: MediaRecording; letGo: () => void }) {
    this.#options = options;
    this.#path = path;
    this.#recording = recording;
    this.#letGo = letGo;
    this.#speechTimeoutMs = speechTimeoutMs(options);
    this.heard = new Promise((resolve) => (this.#resolve = resolve));
    this.#forget = options.phone.on('voiceChanged', (speaking) => this.#voiceChanged(speaking));
  }

  /** Keys came, the time was over, or the call left. Idempotent, and nothing after `heard`. */
  giveUp(): void {
    if (this.#close()) void this.#discard();
  }

  #voiceChanged(speaking: boolean): void {
    const { context, element, began } = this.#options;
    const { clock } = context;
    this.#silence?.cancel();
    if (!speaking) {
      if (this.#longest) this.#silence = clock.after(this.#speechTimeoutMs, () => this.#spoken());
      return;
    }
    if (this.#longest) return;
    this.#longest = clock.after(Number(element.attributes['maxSpeechTime'] ?? DEFAULT_MAX_SPEECH_S) * 1000, () => this.#spoken());
    began();
  }

  #spoken(): void {
    if (this.#close()) void this.#recognize().then(this.#resolve);
  }

  /** False when it was closed before. */
  #close(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#silence?.cancel();
    this.#longest?.cancel();
    this.#forget();
    this.#letGo();
    return true;
  }

  async #recognize(): Promise<Recognized | null> {
    const { recognizer, context, element } = this.#options;
    try {
      await this.#recording.stop();
      return await recognizer.recognize(this.#path, wishesOf(element, context.signal));
    } catch (error) {
      if (!context.signal.aborted) context.report({ errorCode: 13343, message: `<Gather>: what was said could not be recognised: ${error instanceof Error ? error.message : String(error)}`, log: 0 });
      return null;
    } finally {
      await recognizer.discard(this.#path);
    }
  }

  async #discard(): Promise<void> {
    await this.#recording.stop().catch(() => undefined);
    await this.#options.recognizer.discard(this.#path);
  }
}

function speechTimeoutMs({ element, timeoutMs }: ListenerOptions): number {
  const given = element.attributes['speechTimeout'];
  if (given === undefined) return timeoutMs;
  return given === 'auto' ? AUTO_SPEECH_TIMEOUT_MS : Number(given) * 1000;
}

function wishesOf({ attributes }: TwimlElement, signal: AbortSignal): RecognitionWishes {
  return {
    language: attributes['language'] ?? 'en-US',
    hints: (attributes['hints'] ?? '').split(',').map((hint) => hint.trim()).filter((hint) => hint !== ''),
    model: attributes['speechModel'] ?? '',
    profanityFilter: attributes['profanityFilter']?.toLowerCase() !== 'false',
    enhanced: attributes['enhanced']?.toLowerCase() === 'true',
    signal,
  };
}
