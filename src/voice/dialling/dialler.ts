import type { MachineDetection } from '../machine-detection.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import type { StatusCallback } from '../call-callbacks.ts';
import type { TrunkDirectory } from '../carrier/model.ts';
import type { Destination, DialRefusal } from '../dial-plan/fraud-guard.ts';
import type { CallRecord, DirectoryRepository } from '../model.ts';
import type { OutboundLeg } from '../outbound-leg.ts';
import type { Registrations } from '../registrations.ts';
import type { Termination } from '../termination.ts';
import type { Problem } from '../call-journal.ts';
import type { DocumentSource } from '../twiml/document-loader.ts';
import type { NestedOptions, RunEnd } from '../twiml/nesting.ts';
import type { ReferListener } from '../refer-listener.ts';
import type { Transfers } from '../transfer/transfers.ts';
import type { CallerId } from './caller-id.ts';
import type { Target } from './target.ts';

/** A call that a `<Dial>` placed, as far as the verb deals with it. */
export interface ChildCall {
  readonly record: Readonly<CallRecord>;
  /** As the phone that has it now would have it: another one may have taken it over. */
  readonly by: Readonly<CallRecord>;
  /** Why it ended; null while it lives. */
  readonly termination: Termination | null;
  /** Call-ID of its dialog; null before anything was sent. */
  readonly sipCallId: string | null;
  /** Headers of its phone's final answer, refusals too; none while there is none. */
  readonly sipAnswerHeaders: readonly (readonly [name: string, value: string])[];
  end(termination: Termination): void;
}

/** What a child may do from its answer on. */
export interface ChildContext {
  /** Aborts when its call ends or is redirected over REST. */
  readonly signal: AbortSignal;
  /** Its phone. */
  answer(): Promise<PhoneMedia>;
  nested(source: DocumentSource, options: NestedOptions): Promise<RunEnd>;
  /** Hears the REFERs of its phone. */
  onRefer(listener: ReferListener): () => void;
}

/** A call that a `<Dial>` places for its caller (contract §3.4). */
export interface ChildOptions {
  parent: Readonly<CallRecord>;
  target: Target;
  callerId: CallerId;
  authToken: string;
  ringTimeoutMs: number;
  statusCallback: StatusCallback | null;
  /** Listened for beside the call; null: not at all. */
  machineDetection: MachineDetection | null;
  /** What it does from its answer on; the verb that placed it holds it there. */
  attend: (context: ChildContext) => Promise<Termination | null>;
  /** It sends sound before it answers. */
  soundedEarly: (phone: PhoneMedia) => void;
  /** It was redirected over REST before that began. */
  overtaken: () => void;
  /** Once, after everything of it was closed and saved. */
  ended: () => void;
}

/** A phone that is called to take the place of another one in a call. */
export interface RelayOptions {
  call: Readonly<CallRecord>;
  target: Target;
  callerId: CallerId;
  ringTimeoutMs: number;
  /** The call's media. */
  phone: PhoneMedia;
  journal: (problem: Problem) => void;
}

export interface Relay {
  readonly leg: OutboundLeg;
  /** Who is called, as a Call resource would have it. */
  readonly to: string;
  /** Rejects with SipError, and then nothing was sent. */
  dial(): Promise<void>;
}

/** Places calls for `<Dial>`: they are Calls like any other, seen and ended over REST. */
export interface Dialler {
  readonly directory: DirectoryRepository;
  readonly registrations: Registrations;
  /** Where numbers go. */
  readonly trunks: TrunkDirectory;
  /** Asked before anybody is called; null: they may be. */
  mayDial(destination: Destination): DialRefusal | null;
  /** Counts a call to somebody that is no Call of its own, until the returned function is called. */
  count(destination: Pick<Destination, 'accountSid' | 'to'>): () => void;
  /** Null: phones may not transfer. */
  readonly transfers: Transfers | null;
  /** Starts dialling; failures arrive as `ended`. */
  place(options: ChildOptions): ChildCall;
  /** A leg, yet to be dialled, with the media of a call that goes on with it. */
  relay(options: RelayOptions): Relay;
}
