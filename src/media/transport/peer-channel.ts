import type { DataChannel } from 'node-datachannel';

/** Keeps exceptions of a callback inside: one that left it would abort the process. Nothing is called once the peer is closed. */
export type Guard = <A extends unknown[]>(fn: (...args: A) => unknown) => (...args: A) => void;

/** A data channel of a browser that outlives its transport: the one after an ICE restart takes it up under the same stream. */
export interface PeerChannel {
  readonly label: string;
  /** For `PeerConnection.createDataChannel`; `negotiated` once the stream is known to both. */
  readonly init: { negotiated?: boolean; id?: number };
  /** Takes over a new channel; events of the one before are of no interest any more. */
  attach(channel: DataChannel, guard: Guard): void;
}
