import type { TrackSid } from '../../base/sid.ts';
import type { VideoPolicy } from '../protocol.ts';

/** One layer of a video as it arrives from its publisher. */
export interface VideoLayer {
  /** Rate it comes at, or came at last; 0 when it never came. */
  bps: number;
  /** Of its last key frame; 0 when none was seen. */
  width: number;
  height: number;
}

/** One video that a browser is subscribed to. */
export interface VideoRequest {
  trackSid: TrackSid;
  /** Lowest first, one at least. */
  layers: readonly VideoLayer[];
  /** Its participant is the active speaker. */
  speaking: boolean;
}

export interface VideoBudget {
  /** What the path carries for video; null: not known, nothing is held back. */
  pathBps: number | null;
  /** The path was found full a moment ago: only then what is sent already has to give way. */
  congested: boolean;
  /** And that more than once: no false alarm. Only then a video may be switched off that was on. */
  sustained: boolean;
}

export interface VideoGrant {
  trackSid: TrackSid;
  /** Index of the highest layer it may get; -1: none, it is switched off. */
  limit: number;
  /** The highest layer that is wanted, -1 for none: `limit` where nothing holds it back. */
  desired: number;
}

export interface Allocation {
  /** In the order of the requests. */
  grants: VideoGrant[];
  /** Bit/s that would do for what the path holds back as well; 0 when it holds back nothing. */
  missingBps: number;
}

/** What goes up must fit with this reserve, so that a small fall does not bring it down again. */
const RESERVE = 1.15;
/** What came down for want of bandwidth stays down for so long. */
const HOLD_MS = 2000;
/** A layer that is this much smaller than its place still covers it. */
const COVERS = 0.9;
const CLASS = { low: 0, standard: 1, high: 2 };
const NO_POLICY: VideoPolicy = { maxBitrateBps: null, maxTracks: null, mode: 'grid', switchOff: 'disabled', wishes: [] };

interface Candidate {
  request: VideoRequest;
  grant: VideoGrant;
  rank: number;
  /** Its place among the wishes: the first goes before its equals. */
  place: number;
  /** What it had so far. */
  before: Memory | undefined;
  held: boolean;
}

interface Memory {
  level: number;
  rank: number;
  /** When bandwidth last took something from it. */
  loweredMs: number;
}

/**
 * Shares out what a path carries among the videos of one browser. Deterministic in its requests; what was given before is
 * kept while it fits, more is given with a reserve and not soon after a fall, so that nothing flaps. Pure.
 */
export class VideoAllocator {
  #memory = new Map<TrackSid, Memory>();

  /** `requests` in the order of their subscription. */
  allocate(requests: readonly VideoRequest[], given: { policy: VideoPolicy | null; budget: VideoBudget; nowMs: number }): Allocation {
    const policy = given.policy ?? NO_POLICY;
    const candidates = requests.map((request) => this.#candidate(request, policy, given.nowMs));
    const ranked = candidates.filter(({ grant }) => grant.desired >= 0).sort((a, b) => b.rank - a.rank || a.place - b.place);
    const admitted = ranked.slice(0, policy.maxTracks ?? Infinity);
    for (const { grant } of ranked.slice(admitted.length)) grant.desired = -1;
    const rounds = new Rounds(admitted, policy, given.budget);
    rounds.run();
    this.#remember(candidates, given.nowMs);
    return { grants: candidates.map(({ grant }) => grant), missingBps: rounds.missingBps };
  }

  #candidate(request: VideoRequest, policy: VideoPolicy, nowMs: number): Candidate {
    const index = policy.wishes.findIndex((each) => each.trackSid === request.trackSid);
    const wish = policy.wishes[index];
    const place = wish ? index : policy.wishes.length;
    const desired = wish?.enabled === false ? -1 : desiredLayer(request.layers, wish?.renderDimensions ?? null);
    const speaking = request.speaking && policy.mode !== 'presentation';
    const rank = CLASS[wish?.priority ?? 'standard'] + (speaking ? 1 : 0);
    const before = this.#memory.get(request.trackSid);
    const held = before !== undefined && nowMs - before.loweredMs < HOLD_MS && rank <= before.rank;
    return { request, grant: { trackSid: request.trackSid, limit: -1, desired }, rank, place, before, held };
  }

  #remember(candidates: readonly Candidate[], nowMs: number): void {
    const memory = new Map<TrackSid, Memory>();
    for (const { request, grant, rank, before } of candidates) {
      const lowered = before !== undefined && grant.limit < Math.min(before.level, grant.desired);
      memory.set(request.trackSid, { level: grant.limit, rank, loweredMs: lowered ? nowMs : (before?.loweredMs ?? -Infinity) });
    }
    this.#memory = memory;
  }
}

/** The best of the smallest size that covers the place, as far as sizes are known. */
function desiredLayer(layers: readonly VideoLayer[], place: { width: number; height: number } | null): number {
  const top = layers.length - 1;
  if (place === null) return top;
  const covering = layers.findIndex(({ width, height }) => width > 0 && (width >= COVERS * place.width || height >= COVERS * place.height));
  if (covering < 0) return top;
  const { width, height } = layers[covering] as VideoLayer;
  // Layers need not differ in size.
  return layers.findLastIndex((layer) => layer.width === width && layer.height === height);
}

/** The giving out of one budget. */
class Rounds {
  readonly #videos: readonly Candidate[];
  readonly #policy: VideoPolicy;
  readonly #budget: VideoBudget;
  #pathLeft: number;
  #capLeft: number;
  missingBps = 0;

  constructor(videos: readonly Candidate[], policy: VideoPolicy, budget: VideoBudget) {
    this.#videos = videos;
    this.#policy = policy;
    this.#budget = budget;
    this.#pathLeft = budget.pathBps ?? Infinity;
    this.#capLeft = policy.maxBitrateBps ?? Infinity;
  }

  run(): void {
    const { mode, switchOff } = this.#policy;
    if (switchOff === 'disabled') for (const video of this.#videos) this.#take(video, 0);
    if (mode === 'presentation') for (const video of this.#videos) this.#raiseToDesired(video);
    else this.#baseForAll();
    if (mode === 'collaboration') for (const video of this.#videos) this.#raiseToDesired(video);
    else if (mode === 'grid') this.#raiseInTurns();
    for (const video of this.#videos) this.#finish(video);
  }

  #baseForAll(): void {
    for (const video of this.#videos) if (video.grant.limit < 0) this.#raise(video);
  }

  #raiseToDesired(video: Candidate): void {
    while (video.grant.limit < video.grant.desired && this.#raise(video));
  }

  #raiseInTurns(): void {
    let climbing = this.#videos.filter(({ grant }) => grant.limit >= 0);
    while (climbing.length > 0) climbing = climbing.filter((video) => video.grant.limit < video.grant.desired && this.#raise(video));
  }

  /** One layer up, over layers that never came; false when it does not fit. */
  #raise(video: Candidate): boolean {
    const { grant, request } = video;
    let next = grant.limit + 1;
    while (next < grant.desired && (request.layers[next] as VideoLayer).bps === 0) next++;
    if (!this.#fits(video, next)) return false;
    this.#take(video, next);
    return true;
  }

  #fits(video: Candidate, level: number): boolean {
    const rises = level > (video.before?.level ?? -1) && video.before !== undefined;
    const cost = this.#step(video, level) * (rises ? RESERVE : 1);
    if (cost > this.#capLeft) return false;
    if (level === 0 && this.#policy.switchOff === 'detected' && !this.#budget.congested && video.before?.level !== -1) return true;
    if (this.#keeps(video, level)) return true;
    return cost <= this.#pathLeft && !(rises && video.held && this.#budget.pathBps !== null);
  }

  /** What is sent already shows that the path carries it, whatever the estimate, until the path is found full. */
  #keeps({ before }: Candidate, level: number): boolean {
    if (before === undefined || level > before.level) return false;
    const { congested, sustained } = this.#budget;
    return !congested || (level === 0 && !sustained);
  }

  #step({ grant, request }: Candidate, level: number): number {
    const had = grant.limit < 0 ? 0 : (request.layers[grant.limit] as VideoLayer).bps;
    return Math.max(0, (request.layers[level] as VideoLayer).bps - had);
  }

  #take(video: Candidate, level: number): void {
    const cost = this.#step(video, level);
    this.#pathLeft -= cost;
    this.#capLeft -= cost;
    video.grant.limit = level;
  }

  /** What the path holds back counts as missing; what the policy's own limit holds back does not. */
  #finish({ grant, request }: Candidate): void {
    if (grant.limit >= grant.desired) return;
    const had = grant.limit < 0 ? 0 : (request.layers[grant.limit] as VideoLayer).bps;
    const want = (request.layers[grant.desired] as VideoLayer).bps;
    if (want - had <= this.#capLeft) this.missingBps += Math.max(0, want - had);
  }
}
