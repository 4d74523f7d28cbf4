import { z } from 'zod';

const finite = z.number().finite().nonnegative().catch(0);
const trackStatsShape = z.object({ trackSid: z.string().max(64), packetsReceived: finite.optional(), packetsSent: finite.optional(), packetsLost: finite, jitter: finite }).partial({ packetsLost: true, jitter: true });
const tracks = z.array(trackStatsShape).max(256).catch([]);
const statsShape = z.object({ audioTrackStats: tracks, videoTrackStats: tracks });
const candidateShape = z.object({ candidateType: z.string().max(16), protocol: z.string().max(16) });
const pairShape = z.object({ currentRoundTripTime: finite, localCandidate: candidateShape });
const limitedShape = z.object({ qualityLimitationReason: z.enum(['none', 'cpu', 'bandwidth', 'other']) });

/** One event of a browser, read; its payload is as the browser sent it. */
export interface TelemetryEvent {
  group: string;
  name: string;
  payload: unknown;
}

/** How it was for one browser, by its own account. */
export interface TelemetrySummary {
  events: number;
  /** How it reached us: `host/udp`, `relay/tcp` …; null: never told. */
  path: string | null;
  meanRoundTripMs: number | null;
  maxRoundTripMs: number | null;
  /** Of what we sent: 0–1, null when nothing came. */
  audioLoss: number | null;
  videoLoss: number | null;
  maxAudioJitterMs: number | null;
  /** Tracks that stood still. */
  stalls: number;
  reconnections: number;
  /** What held its own video down, and how often that began. */
  limitedByCpu: number;
  limitedByBandwidth: number;
}

interface Flow {
  received: number;
  lost: number;
}

const MAX_TRACKS = 512;

/** Turns a browser's telemetry (rsp §6) into a few figures. Pure; whatever it is fed, it stays small. */
export class TelemetryDigest {
  #events = 0;
  #path: string | null = null;
  #roundTrips = 0;
  #roundTripSumMs = 0;
  #maxRoundTripMs = 0;
  #maxAudioJitterMs: number | null = null;
  #stalls = 0;
  #reconnections = 0;
  #limitedByCpu = 0;
  #limitedByBandwidth = 0;
  /** Counts of the SDK run on for the life of a track. */
  readonly #audio = new Map<string, Flow>();
  readonly #video = new Map<string, Flow>();

  eventReceived({ group, name, payload }: TelemetryEvent): void {
    this.#events++;
    if (group === 'quality' && name === 'stats-report') this.#statsReceived(payload);
    else if (group === 'quality' && name === 'active-ice-candidate-pair') this.#pairReceived(payload);
    else if (group === 'quality' && name === 'quality-limitation-state-changed') this.#limitationReceived(payload);
    else if (group === 'track-warning-raised' && name === 'track-stalled') this.#stalls++;
    else if (group === 'room' && name === 'reconnecting') this.#reconnections++;
  }

  #statsReceived(payload: unknown): void {
    const stats = statsShape.safeParse(payload).data;
    if (!stats) return;
    for (const track of stats.audioTrackStats) {
      note(this.#audio, track);
      this.#maxAudioJitterMs = Math.max(this.#maxAudioJitterMs ?? 0, track.jitter ?? 0);
    }
    for (const track of stats.videoTrackStats) note(this.#video, track);
  }

  #pairReceived(payload: unknown): void {
    const pair = pairShape.safeParse(payload).data;
    if (!pair) return;
    this.#path = `${pair.localCandidate.candidateType}/${pair.localCandidate.protocol}`;
    // Before the first answer to a check the SDK says 0.
    if (pair.currentRoundTripTime === 0) return;
    const roundTripMs = pair.currentRoundTripTime * 1000;
    this.#roundTrips++;
    this.#roundTripSumMs += roundTripMs;
    this.#maxRoundTripMs = Math.max(this.#maxRoundTripMs, roundTripMs);
  }

  #limitationReceived(payload: unknown): void {
    const reason = limitedShape.safeParse(payload).data?.qualityLimitationReason;
    if (reason === 'cpu') this.#limitedByCpu++;
    if (reason === 'bandwidth') this.#limitedByBandwidth++;
  }

  summary(): TelemetrySummary {
    return {
      events: this.#events,
      path: this.#path,
      meanRoundTripMs: this.#roundTrips > 0 ? Math.round(this.#roundTripSumMs / this.#roundTrips) : null,
      maxRoundTripMs: this.#roundTrips > 0 ? Math.round(this.#maxRoundTripMs) : null,
      audioLoss: lossOf(this.#audio),
      videoLoss: lossOf(this.#video),
      maxAudioJitterMs: this.#maxAudioJitterMs,
      stalls: this.#stalls,
      reconnections: this.#reconnections,
      limitedByCpu: this.#limitedByCpu,
      limitedByBandwidth: this.#limitedByBandwidth,
    };
  }
}

function note(flows: Map<string, Flow>, track: z.infer<typeof trackStatsShape>): void {
  if (flows.size >= MAX_TRACKS && !flows.has(track.trackSid)) return;
  flows.set(track.trackSid, { received: track.packetsReceived ?? 0, lost: track.packetsLost ?? 0 });
}

function lossOf(flows: ReadonlyMap<string, Flow>): number | null {
  let received = 0;
  let lost = 0;
  for (const flow of flows.values()) {
    received += flow.received;
    lost += flow.lost;
  }
  return received + lost > 0 ? Number((lost / (received + lost)).toFixed(4)) : null;
}
