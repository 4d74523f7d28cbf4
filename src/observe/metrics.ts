import { subscribe } from 'node:diagnostics_channel';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** What the server is doing, asked for at each scrape. */
export interface MetricSources {
  calls(): number;
  /** Targets of trunks that are probed, and our registrations at carriers, by state. */
  carriers(): { targets: Record<string, number>; registrations: Record<string, number> };
  /** SIP messages and calls that were not taken since the start, by why. */
  sipRefused(): Record<string, number>;
  /** What the SIP side holds right now: dialogs, transactions, connections. */
  sipOpen(): Record<string, number>;
  rooms(): number;
  participants(): { browser: number; phone: number };
  /** What each living media worker has used since its start. */
  workers(): Promise<{ userMs: number; systemMs: number; rssBytes: number; lateMs: number }[]>;
}

/** How it was for one browser, by its own account; null: it never said. */
export interface BrowserReport {
  durationS: number;
  path: string | null;
  meanRoundTripMs: number | null;
  audioLoss: number | null;
  videoLoss: number | null;
  maxAudioJitterMs: number | null;
  stalls: number;
  reconnections: number;
  limitedByCpu: number;
  limitedByBandwidth: number;
}

export interface Metrics {
  browserReported(report: BrowserReport): void;
  /** Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

const LOSS_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8];
/** How a browser reached us, as it may be told: a label must not be a stranger's free text. */
const PATHS = new Set(['host/udp', 'host/tcp', 'srflx/udp', 'srflx/tcp', 'prflx/udp', 'prflx/tcp', 'relay/udp', 'relay/tcp']);

/** Prometheus metrics (docs/reference/metrics.md). Nothing here is called from calls or rooms; they are looked at. */
export function createMetrics(sources: MetricSources): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register, prefix: 'partyline_' });
  addGauges(register, sources);
  phoneMetrics(register);
  const reported = browserMetrics(register);
  return { browserReported: reported, text: () => register.metrics(), contentType: register.contentType };
}

function addGauges(register: Registry, sources: MetricSources): void {
  const registers = [register];
  new Gauge({ name: 'partyline_calls', help: 'Live calls', registers, collect() { this.set(sources.calls()); } });
  new Gauge({ name: 'partyline_rooms', help: 'Rooms in progress', registers, collect() { this.set(sources.rooms()); } });
  new Gauge({
    name: 'partyline_participants',
    help: 'Participants of rooms in progress',
    labelNames: ['medium'],
    registers,
    collect() {
      for (const [medium, count] of Object.entries(sources.participants())) this.set({ medium }, count);
    },
  });
  addStateGauge(register, { name: 'partyline_trunk_targets', help: 'Targets of trunks that are probed', states: () => sources.carriers().targets });
  addStateGauge(register, { name: 'partyline_sip_registrations', help: 'Registrations of this server at carriers', states: () => sources.carriers().registrations });
  new Counter({
    name: 'partyline_sip_refused_total',
    help: 'SIP messages that were not read (rate, total-rate, banned) and calls that were answered with 503 (max-calls, late, media-late)',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(sources.sipRefused())) this.inc({ reason }, count);
    },
  });
  new Gauge({
    name: 'partyline_sip_open',
    help: 'SIP dialogs, transactions and connections that stand',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, count] of Object.entries(sources.sipOpen())) this.set({ kind }, count);
    },
  });
  addWorkerGauge(register, sources, { name: 'partyline_media_cpu_seconds', help: 'CPU that the living media workers have used since their start', value: ({ userMs, systemMs }) => (userMs + systemMs) / 1000 });
  addWorkerGauge(register, sources, { name: 'partyline_media_late_seconds', help: 'By how much the 20 ms steps of the living media workers came too late since their start, summed', value: ({ lateMs }) => lateMs / 1000 });
  addWorkerGauge(register, sources, { name: 'partyline_media_resident_memory_bytes', help: 'Memory of the media workers', value: ({ rssBytes }) => rssBytes });
}

function addStateGauge(register: Registry, { name, help, states }: { name: string; help: string; states: () => Record<string, number> }): void {
  new Gauge({
    name,
    help,
    labelNames: ['state'],
    registers: [register],
    collect() {
      for (const [state, count] of Object.entries(states())) this.set({ state }, count);
    },
  });
}

type WorkerUsage = Awaited<ReturnType<MetricSources['workers']>>[number];

function addWorkerGauge(register: Registry, sources: MetricSources, { name, help, value }: { name: string; help: string; value: (usage: WorkerUsage) => number }): void {
  new Gauge({
    name,
    help,
    labelNames: ['worker'],
    registers: [register],
    async collect() {
      const workers = await sources.workers();
      this.reset();
      for (const [worker, usage] of workers.entries()) this.set({ worker }, value(usage));
    },
  });
}

const MOS_BUCKETS = [1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.3, 4.4];

/** Phones tell at the end of their calls, over the channel of voice/leg-quality.ts. */
function phoneMetrics(register: Registry): void {
  const registers = [register];
  const mos = new Histogram({ name: 'partyline_phone_mos', help: 'Mean opinion score of the sound of a phone (ITU-T G.107), at the end of its call', labelNames: ['codec'], buckets: MOS_BUCKETS, registers });
  const roundTrip = new Histogram({ name: 'partyline_phone_round_trip_seconds', help: 'Mean round-trip time of a phone that answers our RTCP', buckets: SECONDS_BUCKETS, registers });
  subscribe('partyline:phone-quality', (message) => {
    const heard = message as { codec: string; mos: number | null; roundTripMs: number | null };
    if (heard.mos !== null) mos.observe({ codec: heard.codec }, heard.mos);
    observe(roundTrip, heard.roundTripMs === null ? null : heard.roundTripMs / 1000);
  });
}

function browserMetrics(register: Registry): (report: BrowserReport) => void {
  const registers = [register];
  const counter = (name: string, help: string, label?: string): Counter => new Counter({ name: `partyline_browser_${name}`, help, ...(label !== undefined && { labelNames: [label] }), registers });
  const histogram = (name: string, help: string, buckets: number[]): Histogram => new Histogram({ name: `partyline_browser_${name}`, help, buckets, registers });
  const sessions = counter('sessions_total', 'Browsers that reported how it was, by their path to us', 'path');
  const seconds = counter('session_seconds_total', 'How long they were there');
  const roundTrip = histogram('round_trip_seconds', 'Mean round-trip time of a browser', SECONDS_BUCKETS);
  const audioLoss = histogram('audio_loss_ratio', 'Share of our audio packets that a browser missed', LOSS_BUCKETS);
  const videoLoss = histogram('video_loss_ratio', 'Share of our video packets that a browser missed', LOSS_BUCKETS);
  const jitter = histogram('audio_jitter_seconds', 'Greatest audio jitter of a browser', SECONDS_BUCKETS);
  const stalls = counter('track_stalls_total', 'Tracks that stood still at a browser');
  const reconnections = counter('reconnections_total', 'How often browsers lost their connection and looked for it');
  const limited = counter('video_limited_total', 'How often a browser began to send less video than it would', 'by');
  return (report) => {
    sessions.inc({ path: report.path !== null && PATHS.has(report.path) ? report.path : 'unknown' });
    seconds.inc(report.durationS);
    observe(roundTrip, report.meanRoundTripMs === null ? null : report.meanRoundTripMs / 1000);
    observe(audioLoss, report.audioLoss);
    observe(videoLoss, report.videoLoss);
    observe(jitter, report.maxAudioJitterMs === null ? null : report.maxAudioJitterMs / 1000);
    stalls.inc(report.stalls);
    reconnections.inc(report.reconnections);
    limited.inc({ by: 'cpu' }, report.limitedByCpu);
    limited.inc({ by: 'bandwidth' }, report.limitedByBandwidth);
  };
}

function observe(histogram: Histogram, value: number | null): void {
  if (value !== null) histogram.observe(value);
}
