import type { AccountSid, CallSid } from '../../base/sid.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import type { CallRecord } from '../model.ts';
import type { ReferListener } from '../refer-listener.ts';
import type { Termination } from '../termination.ts';

/** One of two who talk with each other. */
export interface Side {
  readonly record: Readonly<CallRecord>;
  readonly phone: PhoneMedia;
  /** Its call as the phone that has it now would have it: another one may have taken it over. */
  by(): Readonly<CallRecord>;
  /** It was called for this talk, and does nothing else; others have a document of their own. */
  readonly called: boolean;
  /** Aborts when it is no longer here: its call ended, or was redirected. */
  readonly gone: AbortSignal;
  /** Hears the REFERs of its phone until the returned function is called. */
  onRefer(listener: ReferListener): () => void;
  /** Ends its call. Nothing when it is gone. */
  end(termination: Termination): void;
  /** The talk is over: it goes its own way. */
  release(): void;
}

/** Two sides that talk, as others see it. */
export interface Talk {
  readonly accountSid: AccountSid;
  /** A phone that came takes the place of `sid` (RFC 3891). False: not now. */
  replace(sid: CallSid, comes: Side): boolean;
  /** Whom `sid` talks with; null: not now. */
  farOf(sid: CallSid): Side | null;
  /** Gives away whom `sid` talks with; who is `sid` is given too, to be let go. Null: not now. */
  giveAway(sid: CallSid): { leaves: Side; far: Side } | null;
}
