import type { PhoneTap } from '../transport/phone-taps.ts';
import { BeepDetector } from './beep-detector.ts';
import { VoiceDetector } from './voice-detector.ts';

export interface VoiceWatchEvents {
  voiceChanged(speaking: boolean): void;
  /** A beep has ended. */
  beepHeard(): void;
}

/** Listens to what a phone says and tells when it speaks, and when it beeps. */
export class VoiceWatch implements PhoneTap {
  readonly #events: VoiceWatchEvents;
  readonly #voice = new VoiceDetector();
  readonly #beep = new BeepDetector();

  constructor(events: VoiceWatchEvents) {
    this.#events = events;
  }

  frame(inbound: Int16Array): void {
    if (this.#voice.frame(inbound)) this.#events.voiceChanged(this.#voice.speaking);
    if (this.#beep.frame(inbound)) this.#events.beepHeard();
  }

  phoneClosed(): void {
    // nothing to be told
  }
}
