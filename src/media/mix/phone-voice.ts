import type { G711 } from '../codec/g711.ts';
import { dbov, SILENCE_DBOV } from '../codec/level.ts';
import { FRAME_SAMPLES, JitterBuffer } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';
import { Concealment } from './concealment.ts';
import type { MixInput } from './room-mixer.ts';
import { TalkDetector } from './talk-detector.ts';

/** A phone as the mixer hears it: jitter buffer of G.711 codes, level without decoding, samples only while it talks. */
export class PhoneVoice implements MixInput {
  readonly pcm = new Int16Array(FRAME_SAMPLES);
  levelDbov = SILENCE_DBOV;
  /** What the last `pull` answered. */
  talking = false;
  readonly #buffer = new JitterBuffer();
  readonly #codes = new Int16Array(FRAME_SAMPLES);
  readonly #talk = new TalkDetector();
  readonly #concealment = new Concealment();
  #g711: G711;

  constructor(law: G711) {
    this.#g711 = law;
  }

  get discarded(): number {
    return this.#buffer.discarded;
  }

  get delayMs(): number {
    return this.#buffer.depth / 8;
  }

  /** Another codec, SSRC or room: what is buffered is void. */
  restart(law: G711): void {
    this.#g711 = law;
    this.#buffer.reset();
    this.#concealment.reset();
    this.talking = false;
  }

  packetReceived(view: RtpView, nowMs: number): void {
    this.#buffer.insert(view.timestamp, view.buffer, { offset: view.payloadOffset, samples: view.payloadLength, nowMs });
  }

  pull(nowMs: number): boolean {
    this.talking = this.#pull(nowMs);
    return this.talking;
  }

  #pull(nowMs: number): boolean {
    const pulled = this.#buffer.pull(this.#codes, nowMs);
    if (pulled === 'idle' || pulled === 'lost') return this.#conceal(pulled === 'lost');
    const { power, toPcm } = this.#g711;
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
