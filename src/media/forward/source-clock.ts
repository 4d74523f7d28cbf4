/** How the timestamps of a source relate to its publisher's wall clock: its last sender report (RFC 3550 §6.4.1). */
export interface SourceClock {
  ssrc: number;
  ntpSeconds: number;
  ntpFraction: number;
  rtpTimestamp: number;
  /** When the report came, `Clock.nowMs`. */
  receivedMs: number;
}
