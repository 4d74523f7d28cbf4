import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { TrackSid } from '../../base/sid.ts';
import { VoiceDetector } from '../detect/voice-detector.ts';
import { MediaError, type Utterance } from '../protocol.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import type { VoiceTap } from '../mix/room-mixer.ts';
import { WAV_HEADER_BYTES, wavHeader } from './wav-writer.ts';

const FRAME_MS = 20;
/** Kept from before the first sound, so that no beginning of a word is lost. */
const LEAD_FRAMES = 15;
/** A pause of so long ends an utterance. */
const PAUSE_FRAMES = 30;
const MAX_FRAMES = 750;
/** Less sound than this is a cough. */
const MIN_VOICE_FRAMES = 8;
/** Files that the disk has not taken yet; more are left out. */
const MAX_WRITING = 4;
const SILENCE = new Int16Array(FRAME_SAMPLES);

export interface UtterancesHooks {
  spoken(utterance: Utterance): void;
  /** The room has closed. */
  ended(): void;
  failed(error: unknown): void;
  wallMs(): number;
}

/** Hears one track and puts each utterance into a file of its own, when it is over. */
export class Utterances implements VoiceTap {
  readonly trackSid: TrackSid;
  readonly #folder: string;
  readonly #hooks: UtterancesHooks;
  readonly #voice = new VoiceDetector();
  /** The lead while nobody speaks (a ring), then the utterance from its start. */
  readonly #samples = new Int16Array(MAX_FRAMES * FRAME_SAMPLES);
  #frames = 0;
  #voiceFrames = 0;
  #startedAtMs = 0;
  #speaking = false;
  #writing = 0;
  /** One after another: they are told in the order in which they were said. */
  #written: Promise<void> = Promise.resolve();

  /** Throws MediaError `bad-request`. */
  constructor(options: { trackSid: TrackSid; folder: string }, hooks: UtterancesHooks) {
    if (!isAbsolute(options.folder)) throw new MediaError('bad-request', 'utterances need an absolute folder');
    this.trackSid = options.trackSid;
    this.#folder = options.folder;
    this.#hooks = hooks;
  }

  frame(pcm: Int16Array | null): void {
    const heard = pcm ?? SILENCE;
    this.#voice.frame(heard);
    if (this.#speaking) return this.#further(heard);
    this.#keepLead(heard);
    if (this.#voice.speaking) this.#begin();
  }

  #keepLead(pcm: Int16Array): void {
    if (this.#frames === LEAD_FRAMES) {
      this.#samples.copyWithin(0, FRAME_SAMPLES, LEAD_FRAMES * FRAME_SAMPLES);
      this.#frames--;
    }
    this.#append(pcm);
  }

  #append(pcm: Int16Array): void {
    this.#samples.set(pcm, this.#frames * FRAME_SAMPLES);
    this.#frames++;
  }

  #begin(): void {
    this.#speaking = true;
    this.#voiceFrames = 0;
    this.#startedAtMs = this.#hooks.wallMs() - this.#frames * FRAME_MS;
  }

  #further(pcm: Int16Array): void {
    this.#append(pcm);
    if (this.#voice.speaking) this.#voiceFrames++;
    if (this.#voice.quietFrames >= PAUSE_FRAMES || this.#frames === MAX_FRAMES) void this.#end();
  }

  /** Resolves when it is told. */
  #end(): Promise<void> {
    this.#speaking = false;
    const frames = this.#frames;
    this.#frames = 0;
    if (this.#voiceFrames < MIN_VOICE_FRAMES || this.#writing >= MAX_WRITING) return this.#written;
    const utterance = { path: join(this.#folder, `${randomUUID()}.wav`), startedAtMs: this.#startedAtMs, durationMs: frames * FRAME_MS };
    const samples = this.#samples.slice(0, frames * FRAME_SAMPLES);
    this.#writing++;
    this.#written = this.#written.then(() => this.#write(utterance, samples));
    return this.#written;
  }

  async #write(utterance: Utterance, samples: Int16Array): Promise<void> {
    const header = wavHeader(1);
    header.writeUInt32LE(WAV_HEADER_BYTES - 8 + samples.byteLength, 4);
    header.writeUInt32LE(samples.byteLength, 40);
    try {
      await writeFile(utterance.path, Buffer.concat([header, Buffer.from(samples.buffer)]), { flag: 'wx', mode: 0o600 });
      this.#hooks.spoken(utterance);
    } catch (error) {
      this.#hooks.failed(error);
    } finally {
      this.#writing--;
    }
  }

  /** What is being said counts as said. Resolves when it is told. */
  finish(): Promise<void> {
    return this.#speaking ? this.#end() : this.#written;
  }

  roomClosed(): void {
    void this.finish().then(() => this.#hooks.ended());
  }
}
