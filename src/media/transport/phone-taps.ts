import { PhoneVoice } from '../mix/phone-voice.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import type { PhoneCodec } from '../protocol.ts';
import type { RtpView } from '../rtp/packet.ts';
import type { PhoneCodecPath } from './phone-codec-path.ts';

/** Listens to one phone, 20 ms at a time: a recording, a media stream, a voice watch. */
export interface PhoneTap {
  /**
   * Once per 20 ms from the phone's `connect` on, wherever it is: alone, in a room, on a pipe, on hold. `inbound` is what the
   * phone said, after jitter buffer and concealment; `outbound` is what was sent to it, prompt or mix. 160 samples each at 8 kHz,
   * zeros for silence, valid during the call only and not to be written to. Never throws; may remove itself.
   */
  frame(inbound: Int16Array, outbound: Int16Array, nowMs: number): void;
  /** The phone has closed: the last call. */
  phoneClosed(): void;
}

/** What was sent to the phone in this step: a frame of its codec, nothing, or what the pipe brought. */
export type SentFrame = Uint8Array | null | 'pipe';

/** The taps of one phone. Decodes what nobody else decodes, and nothing while there is no tap. */
export class PhoneTaps {
  readonly #taps: PhoneTap[] = [];
  readonly #silence = new Int16Array(FRAME_SAMPLES);
  /** The room's packets as they come over a pipe, brought to 20 ms steps. */
  #pipe: PhoneVoice | null = null;

  get on(): boolean {
    return this.#taps.length > 0;
  }

  add(tap: PhoneTap): void {
    if (!this.#taps.includes(tap)) this.#taps.push(tap);
  }

  remove(tap: PhoneTap): void {
    const index = this.#taps.indexOf(tap);
    if (index >= 0) this.#taps.splice(index, 1);
    if (this.#taps.length === 0) this.pipeEnded();
  }

  pipeReceived(view: RtpView, codec: PhoneCodec, nowMs: number): void {
    this.#pipe ??= new PhoneVoice(codec);
    this.#pipe.packetReceived(view, nowMs);
  }

  /** The pipe is gone, or its codec changed. */
  pipeEnded(): void {
    this.#pipe?.close();
    this.#pipe = null;
  }

  /** `inbound`: null when the phone is silent. */
  frame(inbound: Int16Array | null, sent: SentFrame, step: { path: PhoneCodecPath; nowMs: number }): void {
    const outbound = this.#decode(sent, step);
    for (let i = this.#taps.length - 1; i >= 0; i--) (this.#taps[i] as PhoneTap).frame(inbound ?? this.#silence, outbound, step.nowMs);
  }

  phoneClosed(): void {
    for (const tap of this.#taps.splice(0)) tap.phoneClosed();
    this.pipeEnded();
  }

  #decode(sent: SentFrame, step: { path: PhoneCodecPath; nowMs: number }): Int16Array {
    const fromPipe = this.#pipe !== null && this.#pipe.pull(step.nowMs) ? this.#pipe.pcm : this.#silence;
    if (sent === 'pipe') return fromPipe;
    if (sent === null) return this.#silence;
    return step.path.decode(sent);
  }
}

