import type { SipRequest, SipResponse } from '../message/message.ts';

/** What a client transaction asks its driver to do, in order. */
export type ClientOutput =
  | { kind: 'send'; message: SipRequest }
  | { kind: 'deliver'; response: SipResponse }
  /** No answer in time, or the transport failed. */
  | { kind: 'failed'; reason: 'timeout' | 'transport' }
  /** Forget the transaction. */
  | { kind: 'terminated' };

/** What a server transaction asks its driver to do, in order. */
export type ServerOutput = { kind: 'send'; message: SipResponse } | { kind: 'failed'; reason: 'timeout' | 'transport' } | { kind: 'terminated' };

export interface ClientMachine {
  readonly state: string;
  /** When `expire` wants to be called next; null for never. */
  readonly nextMs: number | null;
  /** True once a final answer came (or will not come any more). */
  readonly answered: boolean;
  start(nowMs: number): ClientOutput[];
  response(response: SipResponse, nowMs: number): ClientOutput[];
  expire(nowMs: number): ClientOutput[];
  transportFailed(): ClientOutput[];
  /** The request has been sent often enough. */
  stopRepeating(): void;
}

export interface ServerMachine {
  readonly state: string;
  readonly nextMs: number | null;
  /** The same request once more. */
  retransmission(): ServerOutput[];
  /** An answer of the transaction user. */
  respond(response: SipResponse, nowMs: number): ServerOutput[];
  /** INVITE only: the ACK for a non-2xx came. */
  acknowledged(nowMs: number): ServerOutput[];
  expire(nowMs: number): ServerOutput[];
  transportFailed(): ServerOutput[];
}
