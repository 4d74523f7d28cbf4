import type { PhoneCodecName } from '../../sdp/phone-codecs.ts';

/**
 * How a voice sounds, from what was lost and how late it was: the E-model of ITU-T G.107 with its defaults for all that is not
 * measured, delay by the approximation of Cole and Rosenbluth. Pure.
 */

interface Impairment {
  /** Of the codec without any loss (G.113 Appendix I). */
  ie: number;
  /** How well it stands random loss, per cent (G.113 Appendix I). */
  bpl: number;
}

/** G.711 with concealment is G.113's. G.722 and Opus are scored on the scale of narrow band, as no worse than it: our reading, not G.107.1. */
const IMPAIRMENTS: Readonly<Record<PhoneCodecName, Impairment>> = {
  PCMU: { ie: 0, bpl: 25.1 },
  PCMA: { ie: 0, bpl: 25.1 },
  G722: { ie: 0, bpl: 13 },
  OPUS: { ie: 0, bpl: 30 },
};

/** Ro minus the impairments of a good line (G.107 §7, default values). */
const BEST_RATING = 93.2;

export interface HeardAs {
  codec: PhoneCodecName;
  /** 0–1, after everything that comes too late counts as lost. */
  lossRatio: number;
  /** From mouth to ear. */
  delayMs: number;
}

/** 1.0 (unusable) to 4.41 (as good as a phone gets). */
export function meanOpinionScore(heard: HeardAs): number {
  const rating = BEST_RATING - delayImpairment(heard.delayMs) - lossImpairment(heard);
  if (rating <= 0) return 1;
  // G.107 Annex B; below 6.5 the curve would turn up again.
  return Math.max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6);
}

function delayImpairment(delayMs: number): number {
  return 0.024 * delayMs + (delayMs > 177.3 ? 0.11 * (delayMs - 177.3) : 0);
}

/** G.107 §7.4 for random loss (BurstR 1). */
function lossImpairment({ codec, lossRatio }: HeardAs): number {
  const { ie, bpl } = IMPAIRMENTS[codec];
  const percent = Math.min(100, Math.max(0, lossRatio * 100));
  return ie + ((95 - ie) * percent) / (percent + bpl);
}

/** What the phone tells of the stream that it gets from us. */
export interface RemoteReport {
  /** 0–256ths, since its report before. */
  fractionLost: number;
  /** Packets; negative when some came twice. */
  lost: number;
  /** Timestamp units. */
  jitter: number;
  /** Middle 32 bits of the NTP time of our report that it got last; 0: none. */
  lastSr: number;
  /** Since then, 1/65536 s. */
  delaySinceLastSr: number;
}

/** Longer than any call would be talked in. */
const MAX_ROUND_TRIP_MS = 10_000;
/** Seconds from 1900 (NTP) to 1970 (Unix). */
const NTP_OFFSET_S = 2_208_988_800;

/** RFC 3550 §6.4.1; null without a report of ours that it answers, or for an answer that cannot be. */
export function roundTripMs({ lastSr, delaySinceLastSr }: RemoteReport, wallMs: number): number | null {
  if (lastSr === 0) return null;
  const units = (Math.floor(((wallMs / 1000 + NTP_OFFSET_S) % 65_536) * 65_536) - lastSr - delaySinceLastSr) | 0;
  // Half a millisecond of rounding on either side is no time machine.
  const ms = units / 65.536;
  return ms < -2 || ms > MAX_ROUND_TRIP_MS ? null : Math.max(0, ms);
}

/** Reports of one phone, over its call. */
export class RemoteQuality {
  #last: RemoteReport | null = null;
  #roundTrips = 0;
  #roundTripSumMs = 0;

  reportReceived(report: RemoteReport, wallMs: number): void {
    this.#last = report;
    const ms = roundTripMs(report, wallMs);
    if (ms === null) return;
    this.#roundTrips++;
    this.#roundTripSumMs += ms;
  }

  /** Mean; null: never measured. */
  get roundTripMs(): number | null {
    return this.#roundTrips === 0 ? null : this.#roundTripSumMs / this.#roundTrips;
  }

  /** Of our packets, as the phone counts them; null: it never told. */
  get lost(): number | null {
    return this.#last && Math.max(0, this.#last.lost);
  }

  /** Timestamp units; null: it never told. */
  get jitter(): number | null {
    return this.#last?.jitter ?? null;
  }
}
