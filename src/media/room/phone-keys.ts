import type { Clock } from '../../base/clock.ts';
import { DtmfDetector } from '../detect/dtmf-detector.ts';
import { KeyTones } from '../play/key-tones.ts';
import type { PhoneRemote } from '../protocol.ts';
import { KeySources, type KeySource } from '../rtp/key-sources.ts';
import type { PhoneTap } from '../transport/phone-taps.ts';
import type { PhoneTransport } from '../transport/phone-transport.ts';

/** Keys of one phone, both ways, however they travel: as RTP events, in signaling or, where no events were negotiated, in the sound. */
export class PhoneKeys {
  readonly #clock: Clock;
  readonly #told: (digit: string) => void;
  readonly #sources = new KeySources();
  #phone: PhoneTransport | null = null;
  #ear: PhoneTap | null = null;
  #inSound = false;

  constructor(deps: { clock: Clock; told: (digit: string) => void }) {
    this.#clock = deps.clock;
    this.#told = deps.told;
  }

  opened(phone: PhoneTransport): void {
    this.#phone = phone;
  }

  received(digit: string, source: KeySource, heldMs = 0): void {
    if (this.#sources.isNews(digit, { source, nowMs: this.#clock.nowMs(), heldMs })) this.#told(digit);
  }

  /** Listens to the sound exactly while there are no events. */
  negotiated(remote: PhoneRemote): void {
    this.#inSound = remote.dtmfPayloadType === null;
    if (this.#inSound === (this.#ear !== null)) return;
    if (this.#ear) this.#phone?.removeTap(this.#ear);
    this.#ear = this.#inSound ? new KeyEar((digit) => this.received(digit, 'sound')) : null;
    if (this.#ear) this.#phone?.addTap(this.#ear);
  }

  /** Resolves when all keys have gone. */
  async send(digits: string): Promise<void> {
    if (this.#inSound) await this.#phone?.play(new KeyTones(digits));
    else await this.#phone?.sendDigits(digits);
  }
}

class KeyEar implements PhoneTap {
  readonly #detector = new DtmfDetector();
  readonly #heard: (digit: string) => void;

  constructor(heard: (digit: string) => void) {
    this.#heard = heard;
  }

  frame(inbound: Int16Array): void {
    const digit = this.#detector.frame(inbound);
    if (digit !== null) this.#heard(digit);
  }

  phoneClosed(): void {
    // nothing to be told
  }
}
