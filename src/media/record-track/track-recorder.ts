import { isAbsolute } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { TrackSink, TrackSource } from '../forward/track.ts';
import { MediaError, type TrackRecordingOptions, type TrackRecordingResult } from '../protocol.ts';
import type { RtpView } from '../rtp/packet.ts';
import type { EncodedFrame, FrameEvents, FrameReader, RecordedCodec } from './frame-reader.ts';
import { frameReader, sameFile } from './frame-readers.ts';
import { MatroskaMuxer, type MuxedFrame } from './matroska-muxer.ts';
import { Reorder } from './reorder.ts';
import { TrackFile } from './track-file.ts';
import { trackPath } from './track-path.ts';
import { TrackTimeline, type PacketTime, type TimeReport } from './track-timeline.ts';

/** Sound is not asked for again; pictures are, for a second at most. */
const HOLD_MS = { audio: 200, video: 1000 };
/** Nothing came for so long: the owner is told. */
const MEDIA_LOST_MS = 10_000;
/** A cluster that has not been completed by further media goes to the disk after this. */
const FLUSH_MS = 1500;

/** What a track's recording is to its owner. */
export interface TrackRecorderHooks {
  started(codec: RecordedCodec, startedAtMs: number): void;
  mediaLost(): void;
  mediaReturned(): void;
  /** No further packet is wanted. */
  ending(): void;
  /** Once, when the file is complete. */
  ended(result: TrackRecordingResult): void;
  warned(why: string): void;
  /** Who has the track now, null when nobody has. */
  source(): TrackSource | null;
}

/** Writes one track's packets to a file of its own, whoever publishes it. */
export class TrackRecorder implements TrackSink {
  readonly #options: TrackRecordingOptions;
  readonly #hooks: TrackRecorderHooks;
  /** From `Clock.nowMs` to wall clock. */
  readonly #wallOffsetMs: number;
  readonly #reorder: Reorder;
  readonly #frames: FrameEvents;
  readonly #time: PacketTime = { ssrc: 0, timestamp: 0, arrivalMs: 0, durationMs: 0 };
  readonly #report: TimeReport = { ssrc: 0, rtpTimestamp: 0, receivedMs: 0 };
  readonly #muxed: MuxedFrame = { data: Buffer.alloc(0), offset: 0, length: 0, timestampMs: 0, keyFrame: false };
  #file: TrackFile | null = null;
  #codec = '';
  #unknownCodec = '';
  #reader: FrameReader | null = null;
  #timeline: TrackTimeline | null = null;
  #muxer: MatroskaMuxer | null = null;
  #lastPacketMs: number;
  #mediaLost = false;
  #lastMs = 0;
  #lastDurationMs = 0;
  #ending: Promise<TrackRecordingResult> | null = null;

  private constructor(options: TrackRecordingOptions, hooks: TrackRecorderHooks, clock: Clock) {
    this.#options = options;
    this.#hooks = hooks;
    this.#lastPacketMs = clock.nowMs();
    this.#wallOffsetMs = clock.wallMs() - this.#lastPacketMs;
    this.#frames = { frame: (frame) => this.#frame(frame), keyFrameNeeded: () => hooks.source()?.requestKeyFrame() };
    this.#reorder = new Reorder({
      holdMs: HOLD_MS[options.kind],
      events: { packet: (packet) => this.#reader?.packet(packet), lost: () => this.#reader?.lost() },
    });
  }

  /** Makes the file. Rejects with MediaError `bad-request`. */
  static async open(options: TrackRecordingOptions, hooks: TrackRecorderHooks, clock: Clock): Promise<TrackRecorder> {
    if (!isAbsolute(options.path) || !Object.hasOwn(HOLD_MS, options.kind) || !(options.maxDurationMs > 0)) {
      throw new MediaError('bad-request', 'a recording of a track needs an absolute path, a kind and a maximal duration');
    }
    const recorder = new TrackRecorder(options, hooks, clock);
    recorder.#file = await TrackFile.create(trackPath(options), (why) => recorder.#failed(why));
    return recorder;
  }

  packetForwarded(view: RtpView, codec: string, nowMs: number): void {
    if (this.#ending) return;
    this.#lastPacketMs = nowMs;
    if (this.#mediaLost) this.#returned();
    if (codec !== this.#codec && !this.#take(codec)) return;
    this.#reorder.packetReceived(view, codec, nowMs);
  }

  #returned(): void {
    this.#mediaLost = false;
    this.#hooks.mediaReturned();
  }

  /** The codec of the file is that of the first packet; one that cannot follow it ends the recording. */
  #take(codec: string): boolean {
    if (this.#reader) {
      if (!sameFile(codec, this.#codec)) return this.#stopAt(codec);
      this.#codec = codec;
      return true;
    }
    this.#reader = frameReader(codec, this.#options.kind, this.#frames);
    if (!this.#reader) return this.#pass(codec);
    this.#codec = codec;
    this.#timeline = new TrackTimeline(this.#reader.rateHz);
    return true;
  }

  #stopAt(codec: string): false {
    this.#hooks.warned(`its codec changed from ${this.#codec} to ${codec}`);
    void this.end('track-ended');
    return false;
  }

  #pass(codec: string): false {
    if (codec !== this.#unknownCodec) this.#hooks.warned(`packets of ${codec} are not recorded`);
    this.#unknownCodec = codec;
    return false;
  }

  #frame(frame: EncodedFrame): void {
    if (this.#ending && this.#muxer === null) return;
    const atMs = (this.#timeline as TrackTimeline).place(this.#timeOf(frame), this.#latestReport());
    if (atMs >= this.#options.maxDurationMs) return void this.end('max-duration');
    const muxer = this.#muxer ?? this.#start();
    const muxed = this.#muxed;
    muxed.data = frame.data;
    muxed.offset = frame.offset;
    muxed.length = frame.length;
    muxed.timestampMs = atMs;
    muxed.keyFrame = frame.keyFrame;
    const complete = muxer.frame(muxed);
    if (complete) this.#file?.append(complete, this.#endMs);
    // A picture is taken to last as long as the one before it.
    this.#lastDurationMs = frame.durationMs > 0 ? frame.durationMs : atMs - this.#lastMs;
    this.#lastMs = atMs;
  }

  #timeOf(frame: EncodedFrame): PacketTime {
    const time = this.#time;
    time.ssrc = frame.ssrc;
    time.timestamp = frame.timestamp;
    time.arrivalMs = frame.arrivalMs;
    time.durationMs = frame.durationMs;
    return time;
  }

  #latestReport(): TimeReport | null {
    const clock = this.#hooks.source()?.sourceClock;
    if (!clock) return null;
    const report = this.#report;
    report.ssrc = clock.ssrc;
    report.rtpTimestamp = clock.rtpTimestamp;
    report.receivedMs = clock.receivedMs;
    return report;
  }

  #start(): MatroskaMuxer {
    const reader = this.#reader as FrameReader;
    const muxer = new MatroskaMuxer(reader.describe(), this.#startedAtMs);
    this.#muxer = muxer;
    this.#file?.append(muxer.header, 0);
    this.#hooks.started(reader.codec, this.#startedAtMs);
    return muxer;
  }

  get #endMs(): number {
    return Math.round(this.#lastMs + this.#lastDurationMs);
  }

  get #startedAtMs(): number {
    return Math.round((this.#timeline?.startMs ?? 0) + this.#wallOffsetMs);
  }

  sourceEnded(): void {
    // Another may have taken its place under the same SID.
    if (!this.#hooks.source()) void this.end('track-ended');
  }

  /** Every half second or so. */
  tick(nowMs: number): void {
    if (this.#ending) return;
    this.#reorder.tick(nowMs);
    if (!this.#mediaLost && nowMs - this.#lastPacketMs >= MEDIA_LOST_MS) {
      this.#mediaLost = true;
      this.#hooks.mediaLost();
    }
    if (!this.#muxer) return;
    const positionMs = nowMs - (this.#timeline as TrackTimeline).startMs;
    if (positionMs >= this.#options.maxDurationMs) return void this.end('max-duration');
    const sinceMs = this.#muxer.fillingSinceMs;
    if (sinceMs !== null && positionMs - sinceMs >= FLUSH_MS) this.#flush(this.#muxer);
  }

  #flush(muxer: MatroskaMuxer): void {
    const cluster = muxer.takeCluster();
    if (cluster) this.#file?.append(cluster, this.#endMs);
  }

  #failed(why: string): void {
    this.#hooks.warned(why);
    void this.end('lost');
  }

  /** Completes the file; what ended it first is the reason. */
  end(reason: TrackRecordingResult['reason']): Promise<TrackRecordingResult> {
    this.#ending ??= this.#finish(reason);
    return this.#ending;
  }

  async #finish(reason: TrackRecordingResult['reason']): Promise<TrackRecordingResult> {
    this.#hooks.ending();
    const result = await this.#complete(reason);
    this.#hooks.ended(result);
    return result;
  }

  async #complete(reason: TrackRecordingResult['reason']): Promise<TrackRecordingResult> {
    const { kind } = this.#options;
    const [file, muxer] = [this.#file as TrackFile, this.#muxer];
    const container = kind === 'audio' ? 'mka' : 'mkv';
    if (!muxer) {
      await file.discard();
      return { reason: file.broken ? 'lost' : 'no-media', durationMs: 0, bytes: 0, codec: null, container, path: file.path, startedAtMs: null };
    }
    this.#flush(muxer);
    const { tail, patches } = muxer.end({ durationMs: this.#endMs, startedAtMs: this.#startedAtMs });
    if (tail.length > 0) file.append(tail, this.#endMs);
    await file.finish(patches);
    const codec = this.#reader?.codec ?? null;
    const what = file.broken ? { reason: 'lost' as const, durationMs: file.writtenMs } : { reason, durationMs: this.#endMs };
    return { ...what, bytes: file.bytes, codec, container, path: file.path, startedAtMs: this.#startedAtMs };
  }
}
