import type { SipSource } from '../contract.ts';

/** One phone of an address-of-record. */
export interface Binding {
  /** Contact URI, verbatim. */
  readonly uri: string;
  /** Tells contacts apart: user, host, port and transport of the URI, or device and flow when the phone numbers its flows. */
  readonly key: string;
  /** `+sip.instance` and `reg-id` of a phone that keeps the flow of its REGISTER open for us (RFC 5626); null for others. */
  readonly outbound: { instance: string; regId: number } | null;
  /** Proxies between us and the phone, the nearest first, as Route values (RFC 3327). */
  readonly path: readonly string[];
  readonly callId: string;
  readonly cseq: number;
  /** 0–1, default 1. */
  readonly q: number;
  readonly expiresAtMs: number;
  readonly updatedAtMs: number;
  /** Where the REGISTER came from. */
  readonly source: SipSource;
}
