import { isAbsolute } from 'node:path';
import { VoiceDetector } from '../detect/voice-detector.ts';
import { MediaError, type RecordingEndReason, type RecordingOptions, type RecordingResult } from '../protocol.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { WavWriter } from './wav-writer.ts';

const FRAME_MS = 20;
const SAMPLES_PER_MS = 8;
/** Kept before the first sound when silence is cut off, so that no beginning of a word is lost. */
const LEAD_FRAMES = 5;
const SILENCE = new Int16Array(FRAME_SAMPLES);

/** What a recording is to its owner. */
export interface RecordingHooks {
  /** No further frame is wanted. */
  ending(): void;
  /** Once, when the file is complete. */
  ended(result: RecordingResult): void;
  /** Why it is lost. */
  failed(why: string): void;
}

/**
 * A recording: is given 20 ms at a time and decides what of it is written and when it is over. The leading silence of a
 * trimmed one is never written; the trailing one is cut off at the end.
 */
export class Recording {
  readonly #options: RecordingOptions;
  readonly #hooks: RecordingHooks;
  readonly #inboundVoice = new VoiceDetector();
  readonly #outboundVoice = new VoiceDetector();
  readonly #block: Int16Array;
  readonly #lead: Int16Array[];
  #leadFrames = 0;
  #writer: WavWriter | null = null;
  #paused: 'skip' | 'silence' | null = null;
  #frames = 0;
  #writtenFrames = 0;
  /** Written frames up to the last sound. */
  #soundFrames = 0;
  #ending: Promise<RecordingResult> | null = null;

  private constructor(options: RecordingOptions, hooks: RecordingHooks) {
    this.#options = options;
    this.#hooks = hooks;
    const blockSamples = FRAME_SAMPLES * options.channels;
    this.#block = new Int16Array(blockSamples);
    this.#lead = Array.from({ length: options.trimSilence ? LEAD_FRAMES : 0 }, () => new Int16Array(blockSamples));
  }

  /** Makes the file. Rejects with MediaError `bad-request`. */
  static async open(options: RecordingOptions, hooks: RecordingHooks): Promise<Recording> {
    const { path, channels, maxDurationMs } = options;
    if (!isAbsolute(path) || (channels !== 1 && channels !== 2) || !(maxDurationMs > 0)) {
      throw new MediaError('bad-request', 'a recording needs an absolute path, one or two channels and a maximal duration');
    }
    const recording = new Recording(options, hooks);
    recording.#writer = await WavWriter.create(path, { channels, failed: (why) => recording.#failed(why) });
    return recording;
  }

  pause(mode: 'skip' | 'silence'): void {
    this.#paused = mode;
  }

  resume(): void {
    this.#paused = null;
  }

  /** 160 samples each. */
  frame(inbound: Int16Array, outbound: Int16Array): void {
    if (this.#ending || this.#paused === 'skip') return;
    if (this.#paused === null) {
      this.#inboundVoice.frame(inbound);
      this.#outboundVoice.frame(outbound);
      this.#lay(inbound, outbound);
    } else {
      this.#block.fill(0);
    }
    this.#keep(this.#paused === null && this.#isSound());
    this.#frames++;
    this.#checkLimits();
  }

  /** Completes the file; what ended it first is the reason. */
  end(reason: RecordingEndReason): Promise<RecordingResult> {
    this.#ending ??= this.#finish(reason);
    return this.#ending;
  }

  #lay(inbound: Int16Array, outbound: Int16Array): void {
    const { source, channels } = this.#options;
    const left = source === 'outbound' ? SILENCE : inbound;
    const right = source === 'inbound' ? SILENCE : outbound;
    if (channels === 2) interleave(this.#block, left, right);
    else mix(this.#block, left, right);
  }

  #isSound(): boolean {
    const { source } = this.#options;
    return (source !== 'outbound' && this.#inboundVoice.speaking) || (source !== 'inbound' && this.#outboundVoice.speaking);
  }

  #keep(sound: boolean): void {
    if (!this.#options.trimSilence) return this.#write(this.#block);
    if (this.#writtenFrames === 0) {
      if (!sound) return this.#keepForLead();
      this.#writeLead();
    }
    this.#write(this.#block);
    if (sound) this.#soundFrames = this.#writtenFrames;
  }

  #keepForLead(): void {
    (this.#lead[this.#leadFrames % LEAD_FRAMES] as Int16Array).set(this.#block);
    this.#leadFrames++;
  }

  #writeLead(): void {
    for (let at = Math.max(0, this.#leadFrames - LEAD_FRAMES); at < this.#leadFrames; at++) this.#write(this.#lead[at % LEAD_FRAMES] as Int16Array);
  }

  #write(block: Int16Array): void {
    this.#writer?.write(block);
    this.#writtenFrames++;
  }

  #checkLimits(): void {
    const { maxDurationMs, silenceTimeoutMs } = this.#options;
    if (this.#frames * FRAME_MS >= maxDurationMs) void this.end('max-duration');
    else if (silenceTimeoutMs > 0 && this.#inboundVoice.quietFrames * FRAME_MS >= silenceTimeoutMs) void this.end('silence');
  }

  #failed(why: string): void {
    this.#hooks.failed(why);
    void this.end('lost');
  }

  async #finish(reason: RecordingEndReason): Promise<RecordingResult> {
    this.#hooks.ending();
    const { maxDurationMs, trimSilence } = this.#options;
    const frames = trimSilence ? this.#soundFrames : this.#writtenFrames;
    const wanted = Math.min(frames * FRAME_SAMPLES, Math.round(maxDurationMs * SAMPLES_PER_MS));
    const writer = this.#writer as WavWriter;
    const { samples, bytes } = await writer.finish(wanted);
    const result: RecordingResult = { reason: writer.broken ? 'lost' : reason, durationMs: Math.round(samples / SAMPLES_PER_MS), bytes };
    this.#hooks.ended(result);
    return result;
  }
}

function interleave(block: Int16Array, left: Int16Array, right: Int16Array): void {
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    block[2 * i] = left[i] as number;
    block[2 * i + 1] = right[i] as number;
  }
}

function mix(block: Int16Array, a: Int16Array, b: Int16Array): void {
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    const sum = (a[i] as number) + (b[i] as number);
    block[i] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum;
  }
}
