import type { Headers } from './headers.ts';

export interface SipRequest {
  readonly kind: 'request';
  method: string;
  /** Verbatim. */
  uri: string;
  readonly headers: Headers;
  body: Uint8Array;
}

export interface SipResponse {
  readonly kind: 'response';
  readonly statusCode: number;
  readonly reasonPhrase: string;
  readonly headers: Headers;
  body: Uint8Array;
}

export type SipMessage = SipRequest | SipResponse;

export const NO_BODY: Uint8Array = new Uint8Array(0);

/** Bounds on what is accepted from outside. */
export const LIMITS = { messageBytes: 65_536, headers: 256, headerLineBytes: 8_192, vias: 70 };
