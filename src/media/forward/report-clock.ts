import type { ReportBlock } from '../rtp/rtcp.ts';
import type { SenderInfo } from '../rtp/rtcp-feedback.ts';
import type { StreamRewriter } from './stream-rewriter.ts';
import type { SourceClock } from './source-clock.ts';

const INTERVAL_MS = 1000;
/** Seconds from 1900 (NTP) to 1970 (Unix). */
const NTP_OFFSET_S = 2_208_988_800;

/** When a subscription reports and what its reports say of time (RFC 3550 §6.4.1). Pure. */
export class ReportClock {
  #lastMs = -Infinity;
  #lastSr = 0;

  due(nowMs: number): boolean {
    return nowMs - this.#lastMs >= INTERVAL_MS;
  }

  /**
   * Picture and sound of one publisher stay together because both keep that publisher's NTP time; only the RTP side is moved
   * into our numbers. Without any report of the publisher's (`source` undefined: a phone) our own clock stands in. Null while a
   * publisher's first report is still awaited.
   */
  senderInfo(options: {
    ssrc: number;
    source: SourceClock | null | undefined;
    rewriter: StreamRewriter;
    nowMs: number;
    wallMs: number;
  }): SenderInfo | null {
    const { source, rewriter, nowMs } = options;
    if (source === null || (source && source.ssrc !== rewriter.sourceSsrc)) return null;
    const info = source ? fromSource(source, options) : fromOwnClock(options);
    this.#lastMs = nowMs;
    this.#lastSr = ((info.ntpSeconds << 16) | (info.ntpFraction >>> 16)) >>> 0;
    return info;
  }

  /** RFC 3550 §6.4.1: now - LSR - DLSR. Only the latest report counts. */
  roundTripMs(block: ReportBlock, nowMs: number): number | null {
    if (block.lastSr === 0 || block.lastSr !== this.#lastSr) return null;
    const rttMs = nowMs - this.#lastMs - (block.delaySinceLastSr * 1000) / 65536;
    return rttMs >= 0 && rttMs < 10_000 ? rttMs : null;
  }
}

/** The publisher's relation, counted on to now: it stays on the same line, however late its report came. */
function fromSource(source: SourceClock, options: { ssrc: number; rewriter: StreamRewriter; nowMs: number }): SenderInfo {
  const elapsedMs = options.nowMs - source.receivedMs;
  const seconds = source.ntpFraction / 0x1_0000_0000 + elapsedMs / 1000;
  return {
    ssrc: options.ssrc,
    ntpSeconds: (source.ntpSeconds + Math.floor(seconds)) >>> 0,
    ntpFraction: Math.floor((seconds % 1) * 0x1_0000_0000) >>> 0,
    rtpTimestamp: (source.rtpTimestamp + Math.round((elapsedMs * options.rewriter.clockRateHz) / 1000) + options.rewriter.timestampOffset) >>> 0,
  };
}

function fromOwnClock(options: { ssrc: number; rewriter: StreamRewriter; nowMs: number; wallMs: number }): SenderInfo {
  const seconds = options.wallMs / 1000;
  return {
    ssrc: options.ssrc,
    ntpSeconds: (Math.floor(seconds) + NTP_OFFSET_S) >>> 0,
    ntpFraction: Math.floor((seconds % 1) * 0x1_0000_0000) >>> 0,
    rtpTimestamp: options.rewriter.timestampAt(options.nowMs),
  };
}
