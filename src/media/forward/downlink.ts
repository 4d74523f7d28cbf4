import type { Clock } from '../../base/clock.ts';
import type { TrackSid } from '../../base/sid.ts';
import type { BrowserQuality, FlowQuality, SendTrack, TrackKind, VideoPolicy } from '../protocol.ts';
import {
  PSFB_AFB,
  PSFB_FIR,
  PSFB_PLI,
  readFir,
  readNack,
  readRemb,
  readReportBlocks,
  RTCP_PSFB,
  RTCP_RR,
  RTCP_RTPFB,
  RTCP_SR,
  RTPFB_NACK,
} from '../rtp/rtcp-feedback.ts';
import type { RtcpCursor } from '../rtp/rtcp-feedback.ts';
import { PacketScratch } from './packet-scratch.ts';
import { Subscription } from './subscription.ts';
import type { SubscriberOutput } from './subscription.ts';
import type { TrackRegistry } from './track.ts';

const DEFAULT_RTT_MS = 100;

/** The browser's transport. */
export interface DownlinkPath {
  /** ICE and DTLS are up. */
  readonly open: boolean;
  /** Sends RTP or RTCP; it is copied before the call returns. */
  send(packet: Buffer): void;
}

export interface DownlinkOptions {
  registry: TrackRegistry;
  clock: Clock;
  path: DownlinkPath;
  /** Videos that the browser ceased or began to get. */
  switched: (off: TrackSid[], on: TrackSid[]) => void;
}

/** All that goes to one browser: its subscriptions, what it says of them, and which of them it may have. */
export class Downlink {
  #options: DownlinkOptions;
  #output: SubscriberOutput;
  #subscriptions = new Map<number, Subscription>();
  #bySsrc = new Map<number, Subscription>();
  #nacked: number[] = [];
  #rttMs: number | null = null;
  #rembBps: number | null = null;
  #policy: VideoPolicy | null = null;

  constructor(options: DownlinkOptions) {
    this.#options = options;
    const { path } = options;
    this.#output = {
      scratch: new PacketScratch(),
      sendRtp: (packet) => path.send(packet),
      get open() {
        return path.open;
      },
    };
  }

  /** The complete list of what the browser gets; a track is known again by its SSRC. */
  setTracks(tracks: SendTrack[]): void {
    const listed = new Set(tracks.map((track) => track.ssrc));
    for (const [ssrc, subscription] of this.#subscriptions) {
      if (listed.has(ssrc)) continue;
      subscription.close();
      this.#subscriptions.delete(ssrc);
    }
    for (const track of tracks) this.#setTrack(track);
    this.#bySsrc.clear();
    for (const subscription of this.#subscriptions.values()) {
      this.#bySsrc.set(subscription.ssrc, subscription);
      if (subscription.rtxSsrc !== undefined) this.#bySsrc.set(subscription.rtxSsrc, subscription);
    }
    this.#allocate();
  }

  #setTrack(track: SendTrack): void {
    const known = this.#subscriptions.get(track.ssrc);
    if (known) return known.update(track);
    const { registry, clock } = this.#options;
    this.#subscriptions.set(track.ssrc, new Subscription(track, { registry, output: this.#output, clock }));
  }

  setPolicy(policy: VideoPolicy): void {
    this.#policy = policy;
    this.#allocate();
  }

  transportConnected(): void {
    for (const subscription of this.#subscriptions.values()) subscription.transportConnected();
  }

  /** One RTCP packet of the browser; what is not about what we send is passed over. */
  rtcpReceived(cursor: RtcpCursor, nowMs: number): void {
    if (cursor.type === RTCP_SR || cursor.type === RTCP_RR) this.#reportsReceived(cursor, nowMs);
    else if (cursor.type === RTCP_RTPFB && cursor.count === RTPFB_NACK) this.#nackReceived(cursor, nowMs);
    else if (cursor.type === RTCP_PSFB) this.#payloadFeedbackReceived(cursor);
  }

  #reportsReceived(cursor: RtcpCursor, nowMs: number): void {
    for (const block of readReportBlocks(cursor)) {
      const rttMs = this.#bySsrc.get(block.ssrc)?.reportReceived(block, nowMs) ?? null;
      if (rttMs !== null) this.#rttMs = this.#rttMs === null ? rttMs : this.#rttMs + (rttMs - this.#rttMs) / 4;
    }
  }

  #nackReceived(cursor: RtcpCursor, nowMs: number): void {
    this.#nacked.length = 0;
    readNack(cursor, this.#nacked);
    this.#subscriptions.get(cursor.mediaSsrc)?.nackReceived(this.#nacked, nowMs);
  }

  #payloadFeedbackReceived(cursor: RtcpCursor): void {
    if (cursor.count === PSFB_PLI) this.#bySsrc.get(cursor.mediaSsrc)?.keyFrameRequested();
    else if (cursor.count === PSFB_FIR) for (const ssrc of readFir(cursor)) this.#bySsrc.get(ssrc)?.keyFrameRequested();
    else if (cursor.count === PSFB_AFB) this.#rembBps = readRemb(cursor) ?? this.#rembBps;
  }

  /** Every 50 ms while the transport is open. */
  tick(nowMs: number): void {
    for (const subscription of this.#subscriptions.values()) {
      const report = subscription.takeSenderReport(nowMs);
      if (report) this.#options.path.send(report);
    }
  }

  #allocate(): void {
    const policy = this.#policy;
    if (!policy) return;
    const hidden = new Set(policy.wishes.filter((wish) => !wish.enabled).map((wish) => wish.trackSid));
    const off: TrackSid[] = [];
    const on: TrackSid[] = [];
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.kind !== 'video' || hidden.has(subscription.trackSid) === subscription.paused) continue;
      subscription.setPaused(!subscription.paused);
      (subscription.paused ? off : on).push(subscription.trackSid);
    }
    if (off.length + on.length > 0) this.#options.switched(off, on);
  }

  /** To the browser and back, in ms; 100 while nobody has told. */
  get rttMs(): number {
    return this.#rttMs ?? DEFAULT_RTT_MS;
  }

  /** Null while nobody has told. */
  get measuredRttMs(): number | null {
    return this.#rttMs;
  }

  quality(nowMs: number): BrowserQuality['receive'] {
    return { audio: this.#flow('audio', nowMs), video: this.#flow('video', nowMs) };
  }

  #flow(kind: TrackKind, nowMs: number): FlowQuality | null {
    const flows = [...this.#subscriptions.values()].filter((subscription) => subscription.kind === kind);
    if (flows.length === 0) return null;
    const jitters = flows.flatMap(({ jitterMs }) => (jitterMs === null ? [] : [jitterMs]));
    const losses = flows.flatMap(({ fractionLost }) => (fractionLost === null ? [] : [fractionLost]));
    return {
      actualBps: flows.reduce((sum, flow) => sum + flow.rate.bps(nowMs), 0),
      availableBps: this.#rembBps,
      rttMs: this.#rttMs,
      jitterMs: jitters.length > 0 ? Math.max(...jitters) : null,
      fractionLost: losses.length > 0 ? losses.reduce((sum, loss) => sum + loss, 0) / losses.length : null,
    };
  }

  close(): void {
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#subscriptions.clear();
    this.#bySsrc.clear();
  }
}
