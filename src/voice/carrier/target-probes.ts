import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { SipProbeResult, SipUserAgent } from '../../sip/contract.ts';
import type { Trunk, TrunkDirectory } from './model.ts';
import { wayOf, type TargetHealth } from './target-health.ts';

/** First probes after the start, or after a change, are spread over this time. */
const SPREAD_MS = 2_000;
/** A probe comes up to so much earlier than its interval, so that many do not come at once. */
const JITTER_SHARE = 0.2;
const MIN_INTERVAL_MS = 1_000;
const PROBE_TIMEOUT_MS = 4_000;
/** Answers of a server that takes no calls now; all others show that somebody is there (RFC 3261 §11). */
const NOT_ALIVE = [408, 503];

interface Probe {
  way: string;
  trunk: Trunk;
  target: string;
  intervalMs: number;
  timer: Timer | null;
}

export interface TargetProbesDeps {
  sip: Pick<SipUserAgent, 'probe'>;
  trunks: TrunkDirectory;
  health: TargetHealth;
  clock: Clock;
  log: Log;
  /** A target of a trunk answers again. */
  cameBack: (trunk: Trunk) => void;
}

/** Asks the targets of all trunks by OPTIONS, each at its trunk's interval, whether they are there. */
export class TargetProbes {
  readonly #deps: TargetProbesDeps;
  readonly #probes = new Map<string, Probe>();
  #stopWatching: (() => void) | null = null;

  constructor(deps: TargetProbesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stopWatching ??= this.#deps.trunks.onChanged(() => this.#follow());
    this.#follow();
  }

  stop(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
    for (const probe of [...this.#probes.values()]) this.#forget(probe);
  }

  counts(): { healthy: number; unhealthy: number } {
    const unhealthy = [...this.#probes.keys()].filter((way) => !this.#deps.health.isHealthy(way)).length;
    return { healthy: this.#probes.size - unhealthy, unhealthy };
  }

  /** Takes up new targets and lets go of those that are gone. */
  #follow(): void {
    const wanted = wantedProbes(this.#deps.trunks.all());
    for (const probe of [...this.#probes.values()]) if (!wanted.has(probe.way)) this.#forget(probe);
    for (const [way, { trunk, target, intervalMs }] of wanted) {
      const known = this.#probes.get(way);
      if (known) Object.assign(known, { trunk, intervalMs });
      else this.#begin({ way, trunk, target, intervalMs, timer: null });
    }
  }

  #begin(probe: Probe): void {
    this.#probes.set(probe.way, probe);
    probe.timer = this.#deps.clock.after(randomInt(SPREAD_MS), () => void this.#ask(probe));
  }

  #forget(probe: Probe): void {
    probe.timer?.cancel();
    this.#probes.delete(probe.way);
    this.#deps.health.forget(probe.way);
  }

  async #ask(probe: Probe): Promise<void> {
    const { proxy } = probe.trunk.settings.outbound;
    const result = await this.#deps.sip
      .probe({ to: probe.target, timeoutMs: Math.min(PROBE_TIMEOUT_MS, probe.intervalMs), ...(proxy !== null && { outboundProxy: proxy }) })
      .catch((error: unknown): SipProbeResult => ({ statusCode: null, reason: messageOf(error), roundTripMs: 0 }));
    if (this.#probes.get(probe.way) !== probe) return;
    this.#heard(probe, result);
    const earlierMs = randomInt(Math.max(1, Math.round(probe.intervalMs * JITTER_SHARE)));
    probe.timer = this.#deps.clock.after(probe.intervalMs - earlierMs, () => void this.#ask(probe));
  }

  #heard({ way, trunk, target }: Probe, { statusCode, reason }: SipProbeResult): void {
    const { health, log, cameBack } = this.#deps;
    const change = health.probed(way, statusCode !== null && !NOT_ALIVE.includes(statusCode));
    if (change === null) return;
    const fields = { trunk: trunk.name, target, ...(statusCode !== null && { statusCode }), reason };
    if (change === 'unhealthy') return log.warn(fields, 'a target of a trunk does not answer, others are tried before it');
    log.info(fields, 'a target of a trunk answers again');
    cameBack(trunk);
  }
}

/** By way; of trunks that share one the shortest interval counts. */
function wantedProbes(trunks: readonly Trunk[]): Map<string, { trunk: Trunk; target: string; intervalMs: number }> {
  const wanted = new Map<string, { trunk: Trunk; target: string; intervalMs: number }>();
  for (const trunk of trunks) {
    if (trunk.settings.probeIntervalMs === null) continue;
    const intervalMs = Math.max(MIN_INTERVAL_MS, trunk.settings.probeIntervalMs);
    for (const target of trunk.targets.filter(({ enabled }) => enabled)) {
      const way = wayOf(trunk, target);
      const known = wanted.get(way);
      if (!known || known.intervalMs > intervalMs) wanted.set(way, { trunk, target: target.target, intervalMs });
    }
  }
  return wanted;
}
