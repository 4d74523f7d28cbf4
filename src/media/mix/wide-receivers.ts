import { G722Decoder } from '../codec/g722.ts';
import { FRAME_SAMPLES, JitterBuffer, type PulledFrame } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';
import { DecodedVoice } from './decoded-voice.ts';
import { OpusStream } from './opus-stream.ts';
import type { VoiceReceiver } from './voice-receiver.ts';

/** What both wide-band codecs do alike. */
abstract class WideReceiver implements VoiceReceiver {
  protected abstract readonly buffer: JitterBuffer;
  protected abstract readonly voice: DecodedVoice;
  /** Set by comfort noise until the next voice packet. */
  protected silent = false;

  get pcm(): Int16Array {
    return this.voice.pcm;
  }

  get levelDbov(): number {
    return this.voice.levelDbov;
  }

  get discarded(): number {
    return this.buffer.discarded;
  }

  abstract readonly delayMs: number;
  abstract packetReceived(view: RtpView, nowMs: number): void;
  abstract close(): void;

  wide(): Int16Array {
    return this.voice.wide();
  }

  silenceReceived(_view: RtpView): void {
    this.silent = true;
  }

  pull(nowMs: number): boolean {
    return this.voice.pull(nowMs);
  }

  reset(): void {
    this.silent = false;
    this.buffer.reset();
    this.voice.reset();
  }

  /** What was not sent is not lost. */
  protected judged(pulled: PulledFrame): PulledFrame {
    return pulled === 'lost' && this.silent ? 'idle' : pulled;
  }
}

/** G.722: jitter buffer of codes, so that late packets find their place, decoded in order as they are played. */
export class G722Receiver extends WideReceiver {
  protected readonly buffer = new JitterBuffer();
  protected readonly voice = new DecodedVoice(2, (out, nowMs) => this.#fetch(out, nowMs));
  readonly #decoder = new G722Decoder();
  readonly #codes = new Int16Array(FRAME_SAMPLES);
  readonly #range = { offset: 0, count: FRAME_SAMPLES };
  readonly #insert = { offset: 0, samples: 0, nowMs: 0 };

  get delayMs(): number {
    return this.buffer.depth / 8;
  }

  packetReceived(view: RtpView, nowMs: number): void {
    this.silent = false;
    const insert = this.#insert;
    insert.offset = view.payloadOffset;
    insert.samples = view.payloadLength;
    insert.nowMs = nowMs;
    this.buffer.insert(view.timestamp, view.buffer, insert);
  }

  close(): void {
    // holds nothing but memory
  }

  override reset(): void {
    super.reset();
    this.#decoder.reset();
  }

  #fetch(out: Int16Array, nowMs: number): PulledFrame {
    const pulled = this.buffer.pull(this.#codes, nowMs);
    if (pulled === 'voice' || pulled === 'patched') this.#decoder.decode(this.#codes, out, this.#range);
    return this.judged(pulled);
  }
}

/** The least that a packet with sound has; below it is DTX (RFC 6716 §2.1.9, as encoders do it). */
const LEAST_OPUS_BYTES = 3;

export class OpusReceiver extends WideReceiver {
  protected readonly buffer = new JitterBuffer(2);
  protected readonly voice = new DecodedVoice(2, (out, nowMs) => this.judged(this.buffer.pull(out, nowMs)));
  readonly #stream = new OpusStream(this.buffer, 2);

  get delayMs(): number {
    return this.buffer.depth / 16;
  }

  packetReceived(view: RtpView, nowMs: number): void {
    if (view.payloadLength < LEAST_OPUS_BYTES) return this.silenceReceived(view);
    this.silent = false;
    this.#stream.packetReceived(view, nowMs);
  }

  override silenceReceived(view: RtpView): void {
    super.silenceReceived(view);
    this.#stream.silenceReceived(view);
  }

  override reset(): void {
    super.reset();
    this.#stream.restart();
  }

  close(): void {
    this.#stream.close();
  }
}
