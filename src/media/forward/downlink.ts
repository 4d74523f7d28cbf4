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
  RTPFB_TWCC,
} from '../rtp/rtcp-feedback.ts';
import type { RtcpCursor } from '../rtp/rtcp-feedback.ts';
import { readTransportFeedback } from '../rtp/rtcp-feedback-twcc.ts';
import { BandwidthEstimator } from './bandwidth-estimator.ts';
import { PacketScratch } from './packet-scratch.ts';
import { Prober } from './prober.ts';
import { Subscription } from './subscription.ts';
import type { SubscriberOutput } from './subscription.ts';
import type { TrackRegistry } from './track.ts';
import { VideoAllocator } from './video-allocator.ts';
import type { VideoBudget, VideoGrant, VideoRequest } from './video-allocator.ts';

const DEFAULT_RTT_MS = 100;
const ALLOCATE_MS = 200;
/** A browser that tells nothing for so long though it said that it would, is taken to have no estimate. */
const SILENT_MS = 3000;
/** Part of the path that is left to retransmissions. */
const FOR_MEDIA = 0.95;

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
  #allocator = new VideoAllocator();
  #allocatedMs = -Infinity;
  /** Videos of which it has been told that they are off. */
  #off = new Set<TrackSid>();
  #estimator = new BandwidthEstimator();
  #prober: Prober;
  /** When the first packet went with a transport-wide number; -1 before. */
  #stampedMs = -1;

  constructor(options: DownlinkOptions) {
    this.#options = options;
    const { path, clock } = options;
    this.#output = {
      scratch: new PacketScratch(),
      sendRtp: (packet, stampAt) => this.#sendRtp(packet, stampAt),
      get open() {
        return path.open;
      },
    };
    this.#prober = new Prober({ clock, estimator: this.#estimator, sendPadding: (small) => this.#sendPadding(small) });
  }

  #sendRtp(packet: Buffer, stampAt: number): void {
    if (stampAt > 0) {
      const nowMs = this.#options.clock.nowMs();
      if (this.#stampedMs < 0) this.#stampedMs = nowMs;
      packet.writeUInt16BE(this.#estimator.packetSent(packet.length, nowMs), stampAt);
    }
    this.#options.path.send(packet);
  }

  #sendPadding(small: boolean): number {
    for (const subscription of this.#subscriptions.values()) {
      const bytes = subscription.kind === 'video' ? subscription.sendPadding(small) : 0;
      if (bytes > 0) return bytes;
    }
    return 0;
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
    this.#allocate(this.#options.clock.nowMs());
  }

  #setTrack(track: SendTrack): void {
    const known = this.#subscriptions.get(track.ssrc);
    if (known) return known.update(track);
    const { registry, clock } = this.#options;
    this.#subscriptions.set(track.ssrc, new Subscription(track, { registry, output: this.#output, clock }));
  }

  setPolicy(policy: VideoPolicy): void {
    this.#policy = policy;
    this.#allocate(this.#options.clock.nowMs());
  }

  transportConnected(): void {
    for (const subscription of this.#subscriptions.values()) subscription.transportConnected();
  }

  /** One RTCP packet of the browser; what is not about what we send is passed over. */
  rtcpReceived(cursor: RtcpCursor, nowMs: number): void {
    if (cursor.type === RTCP_SR || cursor.type === RTCP_RR) this.#reportsReceived(cursor, nowMs);
    else if (cursor.type === RTCP_RTPFB && cursor.count === RTPFB_NACK) this.#nackReceived(cursor, nowMs);
    else if (cursor.type === RTCP_RTPFB && cursor.count === RTPFB_TWCC) this.#arrivalsReceived(cursor, nowMs);
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

  #arrivalsReceived(cursor: RtcpCursor, nowMs: number): void {
    const feedback = readTransportFeedback(cursor);
    if (!feedback) return;
    const before = this.#estimator.bps;
    this.#estimator.feedbackReceived(feedback, nowMs);
    if (this.#estimator.bps < before) this.#allocate(nowMs);
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
    this.#estimator.tick(nowMs);
    if (nowMs - this.#allocatedMs >= ALLOCATE_MS) this.#allocate(nowMs);
  }

  // ------------------------------------------------------------------------------------------------------ who gets what

  /** What the path carries in all; null while nobody has told. */
  #pathBps(nowMs: number): number | null {
    return this.#isEstimating(nowMs) ? this.#estimator.bps : this.#rembBps;
  }

  #isEstimating(nowMs: number): boolean {
    return this.#estimator.alive || (this.#stampedMs >= 0 && nowMs - this.#stampedMs < SILENT_MS);
  }

  #videoBps(nowMs: number): number | null {
    const pathBps = this.#pathBps(nowMs);
    return pathBps === null ? null : Math.max(0, pathBps * FOR_MEDIA - this.#sentBps('audio', nowMs));
  }

  /** A browser that sends REMB has measured: its word is the path's limit. */
  #budget(nowMs: number): VideoBudget {
    const byRemb = !this.#isEstimating(nowMs);
    return { pathBps: this.#videoBps(nowMs), congested: byRemb || this.#estimator.congested(nowMs), sustained: byRemb || this.#estimator.decreases(nowMs) > 1 };
  }

  #sentBps(kind: TrackKind, nowMs: number): number {
    let bps = 0;
    for (const subscription of this.#subscriptions.values()) if (subscription.kind === kind) bps += subscription.rate.bps(nowMs);
    return bps;
  }

  #allocate(nowMs: number): void {
    this.#allocatedMs = nowMs;
    const videos = [...this.#subscriptions.values()].filter((subscription) => subscription.kind === 'video');
    const speaker = this.#speaker();
    const requests = videos.map((video) => requestOf(video, speaker));
    const budget = this.#budget(nowMs);
    const { grants, missingBps } = this.#allocator.allocate(requests, { policy: this.#policy, budget, nowMs });
    grants.forEach((grant, i) => (videos[i] as Subscription).setLimit(grant));
    if (this.#policy) this.#tellSwitched(grants);
    const wantedBps = missingBps === 0 ? 0 : this.#sentBps('audio', nowMs) + this.#sentBps('video', nowMs) + missingBps;
    if (this.#estimator.alive && this.#options.path.open) this.#prober.wanted(wantedBps / FOR_MEDIA, nowMs);
  }

  /** Participant of whom this browser gets the sound that is the loudest. */
  #speaker(): string | null {
    const speaking = this.#options.registry.activeSpeaker ?? null;
    if (speaking === null) return null;
    for (const subscription of this.#subscriptions.values()) if (subscription.trackSid === speaking) return subscription.cname;
    return null;
  }

  #tellSwitched(grants: readonly VideoGrant[]): void {
    const nowOff = new Set(grants.filter(({ limit }) => limit < 0).map(({ trackSid }) => trackSid));
    const off = [...nowOff].filter((trackSid) => !this.#off.has(trackSid));
    const on = grants.filter(({ trackSid, limit }) => limit >= 0 && this.#off.has(trackSid)).map(({ trackSid }) => trackSid);
    this.#off = nowOff;
    if (off.length + on.length > 0) this.#options.switched(off, on);
  }

  // ------------------------------------------------------------------------------------------------------------ quality

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
      availableBps: kind === 'audio' ? this.#pathBps(nowMs) : this.#videoBps(nowMs),
      rttMs: this.#rttMs,
      jitterMs: jitters.length > 0 ? Math.max(...jitters) : null,
      fractionLost: losses.length > 0 ? losses.reduce((sum, loss) => sum + loss, 0) / losses.length : null,
    };
  }

  close(): void {
    this.#prober.close();
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#subscriptions.clear();
    this.#bySsrc.clear();
  }
}

function requestOf(video: Subscription, speaker: string | null): VideoRequest {
  const layers = video.streams.map(({ smoothBps, size }) => ({ bps: smoothBps, width: size.width, height: size.height }));
  // Also a video whose publisher is away can be off.
  if (layers.length === 0) layers.push({ bps: 0, width: 0, height: 0 });
  return { trackSid: video.trackSid, layers, speaking: video.cname === speaker };
}
