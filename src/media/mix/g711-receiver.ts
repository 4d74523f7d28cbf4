import type { G711 } from '../codec/g711.ts';
import { dbov, SILENCE_DBOV } from '../codec/level.ts';
import { FRAME_SAMPLES, JitterBuffer } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';
import { Concealment } from './concealment.ts';
import { TalkDetector } from './talk-detector.ts';
import { WideCopy } from './two-rates.ts';
import type { VoiceReceiver } from './voice-receiver.ts';

/** G.711: jitter buffer of codes, level without decoding, samples only while it talks. */
export class G711Receiver implements VoiceReceiver {
  readonly pcm = new Int16Array(FRAME_SAMPLES);
  levelDbov = SILENCE_DBOV;
  readonly #buffer = new JitterBuffer();
  readonly #codes = new Int16Array(FRAME_SAMPLES);
  readonly #talk = new TalkDetector();
  readonly #concealment = new Concealment();
  readonly #law: G711;
  #wide: WideCopy | null = null;
  #silent = false;

  constructor(law: G711) {
    this.#law = law;
  }

  get discarded(): number {
    return this.#buffer.discarded;
  }

  get delayMs(): number {
    return this.#buffer.depth / 8;
  }

  wide(): Int16Array {
    this.#wide ??= new WideCopy();
    return this.#wide.of(this.pcm);
  }

  packetReceived(view: RtpView, nowMs: number): void {
    this.#silent = false;
    this.#buffer.insert(view.timestamp, view.buffer, { offset: view.payloadOffset, samples: view.payloadLength, nowMs });
  }

  silenceReceived(): void {
    this.#silent = true;
  }

  reset(): void {
    this.#buffer.reset();
    this.#concealment.reset();
    this.#silent = false;
  }

  close(): void {
    // holds nothing but memory
  }

  pull(nowMs: number): boolean {
    this.#wide?.next();
    const pulled = this.#buffer.pull(this.#codes, nowMs);
    if (pulled === 'idle' || pulled === 'lost') return this.#conceal(pulled === 'lost' && !this.#silent);
    const { power, toPcm } = this.#law;
    const codes = this.#codes;
    let sum = 0;
    for (let i = 0; i < FRAME_SAMPLES; i++) sum += power[codes[i] as number] as number;
    this.levelDbov = dbov(sum / FRAME_SAMPLES);
    const talking = this.#talk.frame(this.levelDbov);
    if (!talking) {
      this.#concealment.reset();
      return false;
    }
    const { pcm } = this;
    for (let i = 0; i < FRAME_SAMPLES; i++) pcm[i] = toPcm[codes[i] as number] as number;
    this.#concealment.heard(pcm);
    return true;
  }

  #conceal(lost: boolean): boolean {
    if (!lost) this.#concealment.reset();
    const talking = this.#talk.frame(lost ? this.levelDbov : SILENCE_DBOV);
    if (!lost) this.levelDbov = SILENCE_DBOV;
    if (!talking) return false;
    if (this.#concealment.conceal(this.pcm)) return true;
    this.levelDbov = SILENCE_DBOV;
    return true;
  }
}
