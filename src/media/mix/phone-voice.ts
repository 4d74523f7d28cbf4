import { g711 } from '../codec/g711.ts';
import type { PhoneCodec } from '../protocol.ts';
import type { RtpView } from '../rtp/packet.ts';
import { G711Receiver } from './g711-receiver.ts';
import type { MixInput } from './room-mixer.ts';
import type { VoiceReceiver } from './voice-receiver.ts';
import { G722Receiver, OpusReceiver } from './wide-receivers.ts';

/** A phone as the mixer hears it, whatever its codec, which a re-INVITE may change. */
export class PhoneVoice implements MixInput {
  /** What the last `pull` answered. */
  talking = false;
  #codec: PhoneCodec;
  #receiver: VoiceReceiver;

  constructor(codec: PhoneCodec) {
    this.#codec = codec;
    this.#receiver = receiverOf(codec);
  }

  get pcm(): Int16Array {
    return this.#receiver.pcm;
  }

  get levelDbov(): number {
    return this.#receiver.levelDbov;
  }

  get discarded(): number {
    return this.#receiver.discarded;
  }

  get delayMs(): number {
    return this.#receiver.delayMs;
  }

  wide(): Int16Array {
    return this.#receiver.wide();
  }

  /** Another codec, SSRC or room: what is buffered is void. */
  restart(codec: PhoneCodec): void {
    if (codec === this.#codec) this.#receiver.reset();
    else {
      this.#receiver.close();
      this.#codec = codec;
      this.#receiver = receiverOf(codec);
    }
    this.talking = false;
  }

  packetReceived(view: RtpView, nowMs: number): void {
    this.#receiver.packetReceived(view, nowMs);
  }

  /** Comfort noise: silence that is not lost. */
  silenceReceived(view: RtpView): void {
    this.#receiver.silenceReceived(view);
  }

  pull(nowMs: number): boolean {
    this.talking = this.#receiver.pull(nowMs);
    return this.talking;
  }

  close(): void {
    this.#receiver.close();
  }
}

function receiverOf(codec: PhoneCodec): VoiceReceiver {
  if (codec === 'OPUS') return new OpusReceiver();
  if (codec === 'G722') return new G722Receiver();
  return new G711Receiver(g711(codec));
}
