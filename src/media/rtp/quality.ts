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
