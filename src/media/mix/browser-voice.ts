import { g711 } from '../codec/g711.ts';
import { SILENCE_DBOV } from '../codec/level.ts';
import { G722Decoder } from '../codec/g722.ts';
import { Downsampler, Upsampler } from '../codec/half-band.ts';
import type { TrackSink } from '../forward/track.ts';
import { JitterBuffer } from '../rtp/jitter-buffer.ts';
import type { RtpView } from '../rtp/packet.ts';
import { DecodedVoice } from './decoded-voice.ts';
import { OpusStream } from './opus-stream.ts';
import type { MixInput } from './room-mixer.ts';

/** A level told by the browser's header extension is believed for this long. */
const LEVEL_FRESH_MS = 200;
/** Packets below -70 dBov are not decoded once there were this many of them. */
const QUIET_PACKETS = 25;
const QUIET_LEVEL = 70;

/** What there is for one rate: 8 kHz, or 16 kHz while a wide-band phone listens. */
interface Line {
  scale: 1 | 2;
  buffer: JitterBuffer;
  opus: OpusStream;
  voice: DecodedVoice;
}

function lineOf(scale: 1 | 2): Line {
  const buffer = new JitterBuffer(scale);
  return { scale, buffer, opus: new OpusStream(buffer, scale), voice: new DecodedVoice(scale, (out, nowMs) => buffer.pull(out, nowMs)) };
}

/**
 * A browser's audio track as the room's phones hear it: Opus (or G.711, G.722) brought to 8 or 16 kHz as it arrives, then the
 * same jitter buffer as a phone's. Nothing is decoded while `needed` is false; the level is followed all the time.
 */
export class BrowserVoice implements MixInput, TrackSink {
  /** True while a phone in the room listens. */
  needed = false;
  readonly #ended: () => void;
  readonly #insert = { offset: 0, samples: 0, nowMs: 0 };
  #line = lineOf(1);
  #closed = false;
  #ssrc = -1;
  #converter: SampleCodecs | null = null;
  #quiet = 0;
  #toldLevel = SILENCE_DBOV;
  #toldMs = -Infinity;

  constructor(options: { ended: () => void }) {
    this.#ended = options.ended;
  }

  get pcm(): Int16Array {
    return this.#line.voice.pcm;
  }

  wide(): Int16Array {
    return this.#line.voice.wide();
  }

  get levelDbov(): number {
    return this.#line.voice.levelDbov;
  }

  /** True while a wide-band phone listens. A change of it costs some 40 ms of this voice. */
  set wideWanted(wanted: boolean) {
    const scale = wanted ? 2 : 1;
    if (this.#line.scale === scale || this.#closed) return;
    this.#line.opus.close();
    this.#line = lineOf(scale);
    this.#converter = null;
  }

  /** The browser's own word on its level while it is fresh, else what was decoded. */
  levelAt(nowMs: number): number {
    return nowMs - this.#toldMs < LEVEL_FRESH_MS ? this.#toldLevel : this.levelDbov;
  }

  packetForwarded(view: RtpView, codec: string, nowMs: number): void {
    if (view.audioLevel >= 0) {
      this.#toldLevel = -view.audioLevel;
      this.#toldMs = nowMs;
    }
    if (!this.needed || this.#closed || this.#isQuiet(view) || view.payloadLength === 0) return this.#line.opus.restart();
    this.#follow(view);
    if (codec === 'opus') this.#line.opus.packetReceived(view, nowMs);
    else if (codec === 'pcmu' || codec === 'pcma' || codec === 'g722') this.#sampledReceived(view, codec, nowMs);
  }

  sourceEnded(): void {
    this.close();
    this.#ended();
  }

  close(): void {
    this.#closed = true;
    this.#line.opus.close();
  }

  pull(nowMs: number): boolean {
    return this.#line.voice.pull(nowMs);
  }

  #isQuiet(view: RtpView): boolean {
    if (view.audioLevel < QUIET_LEVEL) this.#quiet = 0;
    else this.#quiet++;
    return this.#quiet > QUIET_PACKETS;
  }

  #follow(view: RtpView): void {
    if (view.ssrc === this.#ssrc) return;
    this.#ssrc = view.ssrc;
    this.#line.opus.restart();
    this.#line.buffer.reset();
  }

  #sampledReceived(view: RtpView, codec: 'pcmu' | 'pcma' | 'g722', nowMs: number): void {
    const { scale, buffer } = this.#line;
    this.#converter ??= new SampleCodecs(scale);
    const pcm = this.#converter.decode(view, codec);
    this.#insert.samples = pcm.length;
    this.#insert.nowMs = nowMs;
    buffer.insert((view.timestamp * scale) | 0, pcm, this.#insert);
  }
}

/** The codecs that count 8 kHz, brought to one rate. */
class SampleCodecs {
  readonly #scale: 1 | 2;
  readonly #g722 = new G722Decoder();
  readonly #up = new Upsampler();
  readonly #down = new Downsampler();
  #narrow = new Int16Array(0);
  #wide = new Int16Array(0);

  constructor(scale: 1 | 2) {
    this.#scale = scale;
  }

  /** The result is valid until the next call. */
  decode(view: RtpView, codec: 'pcmu' | 'pcma' | 'g722'): Int16Array {
    const count = view.payloadLength;
    if (this.#narrow.length !== count) {
      this.#narrow = new Int16Array(count);
      this.#wide = new Int16Array(2 * count);
    }
    if (codec === 'g722') {
      this.#g722.decode(view.buffer, this.#wide, { offset: view.payloadOffset, count });
      if (this.#scale === 2) return this.#wide;
      this.#down.convert(this.#wide, this.#narrow);
      return this.#narrow;
    }
    const { toPcm } = g711(codec === 'pcmu' ? 'PCMU' : 'PCMA');
    for (let i = 0; i < count; i++) this.#narrow[i] = toPcm[view.buffer[view.payloadOffset + i] as number] as number;
    if (this.#scale === 1) return this.#narrow;
    this.#up.convert(this.#narrow, this.#wide);
    return this.#wide;
  }
}
