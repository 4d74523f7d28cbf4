import { pcmu } from '../codec/g711.ts';
import type { StreamOptions, StreamWarning } from '../protocol.ts';
import { FRAME_SAMPLES } from '../rtp/jitter-buffer.ts';
import { CONNECTED, dtmfText, markText, mediaText, readPeerMessage, startText, stopText, type StreamTrackName } from './messages.ts';
import { StreamPlayback } from './playback.ts';

/** Text that waits for the other side may be as old as this; audio beyond it is left out. */
const MAX_UNSENT_MS = 5000;
/** An other side that takes nothing for so long is given up. */
const MAX_CONGESTED_MS = 10_000;
/** What 20 ms of one track take on the wire, about: 216 characters of base64 and their frame. */
const BYTES_PER_FRAME = 400;
const MAX_UNSENT_BYTES = (MAX_UNSENT_MS / 20) * BYTES_PER_FRAME;

/** What a session makes happen. */
export interface StreamSessionOutputs {
  send(text: string): void;
  /** Audio came while nothing was playing: the phone's prompt is `playback` from now on. */
  playbackFilled(): void;
  /** Once per kind. */
  warned(warning: StreamWarning, detail: string): void;
  /** The other side does not read. */
  congested(): void;
}

/**
 * One media stream once its WebSocket is open, without the socket: frames of the phone become messages, messages of the
 * other side become audio for the phone. `unsentBytes` is what the socket still holds.
 */
export class StreamSession {
  readonly playback: StreamPlayback;
  readonly #options: StreamOptions;
  readonly #outputs: StreamSessionOutputs;
  readonly #chunks = { inbound: 0, outbound: 0 };
  readonly #codes = Buffer.alloc(FRAME_SAMPLES);
  readonly #warned = new Set<StreamWarning>();
  #sequence = 0;
  #startedMs = 0;
  #congestedSinceMs: number | null = null;

  constructor(options: StreamOptions, outputs: StreamSessionOutputs) {
    this.#options = options;
    this.#outputs = outputs;
    this.playback = new StreamPlayback((name) => outputs.send(markText(options.streamSid, ++this.#sequence, name)));
  }

  opened(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#outputs.send(CONNECTED);
    this.#outputs.send(startText(this.#options, ++this.#sequence));
  }

  /** 20 ms of the phone, 160 samples each. */
  frame(inbound: Int16Array, outbound: Int16Array, step: { nowMs: number; unsentBytes: number }): void {
    if (this.#isCongested(step)) return;
    const { track } = this.#options;
    if (track !== 'outbound') this.#media('inbound', inbound, step.nowMs);
    if (track !== 'inbound') this.#media('outbound', outbound, step.nowMs);
  }

  /** A key of the phone; told on bidirectional streams only. */
  digit(digit: string): void {
    if (this.#options.bidirectional) this.#outputs.send(dtmfText(this.#options.streamSid, ++this.#sequence, digit));
  }

  textReceived(text: string): void {
    if (!this.#options.bidirectional) return this.#warn('invalid-message', 'this stream takes no messages: <Connect><Stream> does');
    const message = readPeerMessage(text, this.#options.streamSid);
    if (message.kind === 'invalid') this.#warn('invalid-message', message.problem);
    else if (message.kind === 'clear') this.playback.clear();
    else if (message.kind === 'mark') this.#mark(message.name);
    else this.#audioReceived(message.payload);
  }

  binaryReceived(): void {
    this.#warn('invalid-message', 'messages are text, not binary');
  }

  /** The last message. */
  stopped(): void {
    this.#outputs.send(stopText(this.#options, ++this.#sequence));
  }

  #mark(name: string): void {
    if (!this.playback.mark(name)) this.#warn('buffer-overflow', 'too many marks wait to be reached');
  }

  #audioReceived(codes: Buffer): void {
    const wasEmpty = this.playback.empty;
    if (!this.playback.push(codes)) this.#warn('buffer-overflow', 'more than 10 minutes of audio wait to be played');
    else if (wasEmpty && !this.playback.empty) this.#outputs.playbackFilled();
  }

  #media(track: StreamTrackName, pcm: Int16Array, nowMs: number): void {
    const codes = this.#codes;
    for (let i = 0; i < FRAME_SAMPLES; i++) codes[i] = pcmu.toCode[(pcm[i] as number) & 0xffff] as number;
    const timestampMs = Math.max(0, Math.round(nowMs - this.#startedMs));
    this.#outputs.send(mediaText(this.#options.streamSid, { sequenceNumber: ++this.#sequence, track, chunk: ++this.#chunks[track], timestampMs, payload: codes.toString('base64') }));
  }

  #isCongested({ nowMs, unsentBytes }: { nowMs: number; unsentBytes: number }): boolean {
    if (unsentBytes <= MAX_UNSENT_BYTES) {
      this.#congestedSinceMs = null;
      return false;
    }
    this.#warn('buffer-overflow', 'the other side reads too slowly: audio was left out');
    this.#congestedSinceMs ??= nowMs;
    if (nowMs - this.#congestedSinceMs >= MAX_CONGESTED_MS) this.#outputs.congested();
    return true;
  }

  #warn(warning: StreamWarning, detail: string): void {
    if (this.#warned.has(warning)) return;
    this.#warned.add(warning);
    this.#outputs.warned(warning, detail);
  }
}
