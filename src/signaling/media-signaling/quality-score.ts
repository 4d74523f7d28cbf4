import type { BrowserQuality, FlowQuality } from '../../media/protocol.ts';

/** 5 is best, 1 is hardly usable, 0 is broken. */
export type QualityLevel = 0 | 1 | 2 | 3 | 4 | 5;

/** One direction of one kind as measured; null: not known. */
export interface Flow {
  actualBps: number | null;
  availableBps: number | null;
  rttMs: number | null;
  jitterMs: number | null;
  /** 0–1. */
  fractionLost: number | null;
}

export interface FlowScore {
  level: QualityLevel;
  flow: Flow;
  /** Null where nothing was measured that tells. */
  levels: { bandwidth: QualityLevel | null; latency: QualityLevel | null; fractionLost: QualityLevel | null };
}

export type Kind = 'audio' | 'video';

/** Seen from the participant: `send` is what it publishes. */
export interface ParticipantQuality {
  level: QualityLevel;
  /** Null: it has none of this kind, as a phone has no video. */
  audio: { send: FlowScore; recv: FlowScore } | null;
  video: { send: FlowScore; recv: FlowScore } | null;
}

/** Lower bounds of what is still level 5, 4, 3, 2. */
type Bounds = readonly [number, number, number, number];

/** A hundredth lost is not heard, a tenth is, concealment or not. */
const LOSS: Bounds = [0.01, 0.03, 0.06, 0.12];
/** There and back; ITU-T G.114 holds 150 ms one way for good and 400 ms for the limit, with what buffers add. */
const RTT_MS: Bounds = [150, 250, 400, 700];
const JITTER_MS: Record<Kind, Bounds> = {
  audio: [30, 50, 80, 120],
  // A frame's packets share a timestamp and leave one after another.
  video: [60, 100, 160, 240],
};
const AUDIO_BPS: Bounds = [64_000, 48_000, 32_000, 20_000];
const VIDEO_BPS: Bounds = [1_500_000, 800_000, 400_000, 150_000];
/** Room over what is sent: enough of it is enough, however little is sent. */
const HEADROOM: Bounds = [1.5, 1.25, 1.1, 1];

function atMost(value: number, bounds: Bounds): QualityLevel {
  const index = bounds.findIndex((bound) => value <= bound);
  return (index < 0 ? 1 : 5 - index) as QualityLevel;
}

function atLeast(value: number, bounds: Bounds): QualityLevel {
  const index = bounds.findIndex((bound) => value >= bound);
  return (index < 0 ? 1 : 5 - index) as QualityLevel;
}

function bandwidthLevel(kind: Kind, { actualBps, availableBps }: Flow): QualityLevel | null {
  if (availableBps === null) return null;
  const absolute = atLeast(availableBps, kind === 'audio' ? AUDIO_BPS : VIDEO_BPS);
  const relative = actualBps !== null && actualBps > 0 ? atLeast(availableBps / actualBps, HEADROOM) : 5;
  return absolute > relative ? absolute : relative;
}

function latencyLevel(kind: Kind, { rttMs, jitterMs }: Flow): QualityLevel | null {
  const levels = [rttMs === null ? null : atMost(rttMs, RTT_MS), jitterMs === null ? null : atMost(jitterMs, JITTER_MS[kind])];
  return worst(levels);
}

function worst(levels: (QualityLevel | null)[]): QualityLevel | null {
  const known = levels.filter((level) => level !== null);
  return known.length > 0 ? (Math.min(...known) as QualityLevel) : null;
}

/** The worst of what was measured; 5 when nothing was. */
export function scoreFlow(kind: Kind, flow: Flow): FlowScore {
  const levels = {
    bandwidth: bandwidthLevel(kind, flow),
    latency: latencyLevel(kind, flow),
    fractionLost: flow.fractionLost === null ? null : atMost(flow.fractionLost, LOSS),
  };
  return { level: worst(Object.values(levels)) ?? 5, flow, levels };
}

const UNKNOWN: Flow = { actualBps: null, availableBps: null, rttMs: null, jitterMs: null, fractionLost: null };

/** What a browser itself measured (rsp §5), as far as it is used. */
export interface BrowserReport {
  availableSendBps: number | null;
  rttMs: number | null;
  /** What it receives. */
  recv: Record<Kind, { bitrateBps: number | null; jitterMs: number | null; fractionLost: number | null }>;
  send: Record<Kind, { bitrateBps: number | null }>;
}

/** Our measurements and the browser's own: each direction is best seen from its receiving end, delays by whoever saw the worst. */
export function scoreBrowser(measured: BrowserQuality | null, report: BrowserReport | null): ParticipantQuality {
  const scored = (kind: Kind): { send: FlowScore; recv: FlowScore } => ({
    send: scoreFlow(kind, sendFlow(measured?.send[kind] ?? null, report, kind)),
    recv: scoreFlow(kind, receiveFlow(measured?.receive[kind] ?? null, report, kind)),
  });
  const audio = scored('audio');
  const video = scored('video');
  const level = Math.min(audio.send.level, audio.recv.level, video.send.level, video.recv.level) as QualityLevel;
  return { level, audio, video };
}

function sendFlow(measured: FlowQuality | null, report: BrowserReport | null, kind: Kind): Flow {
  // Nothing sent: only the path's delay can be told.
  if (!measured && !report?.send[kind].bitrateBps) return { ...UNKNOWN, rttMs: report?.rttMs ?? null };
  return {
    actualBps: measured?.actualBps ?? report?.send[kind].bitrateBps ?? null,
    availableBps: report?.availableSendBps ?? measured?.availableBps ?? null,
    rttMs: largest(measured?.rttMs, report?.rttMs),
    jitterMs: measured?.jitterMs ?? null,
    fractionLost: measured?.fractionLost ?? null,
  };
}

function receiveFlow(measured: FlowQuality | null, report: BrowserReport | null, kind: Kind): Flow {
  if (!measured) return { ...UNKNOWN, rttMs: report?.rttMs ?? null };
  const seen = report?.recv[kind];
  return {
    actualBps: seen?.bitrateBps ?? measured.actualBps,
    availableBps: measured.availableBps,
    rttMs: largest(measured.rttMs, report?.rttMs),
    jitterMs: largest(measured.jitterMs, seen?.jitterMs),
    fractionLost: largest(measured.fractionLost, seen?.fractionLost),
  };
}

function largest(a: number | null | undefined, b: number | null | undefined): number | null {
  if (a === null || a === undefined) return b ?? null;
  return b === null || b === undefined ? a : Math.max(a, b);
}

/** A phone: what we receive of it; its other direction is taken for as good. */
export function scorePhone(flow: Omit<Flow, 'availableBps' | 'rttMs'>): ParticipantQuality {
  const score = scoreFlow('audio', { ...UNKNOWN, ...flow });
  return { level: score.level, audio: { send: score, recv: { ...score, flow: UNKNOWN, levels: { bandwidth: null, latency: null, fractionLost: null } } }, video: null };
}

/** A participant without its path. */
export function brokenQuality(): ParticipantQuality {
  return { level: 0, audio: null, video: null };
}
