import type { Clock } from '../../base/clock.ts';
import type { PhoneMedia, RoomMedia } from '../../media/protocol.ts';
import type { Problem } from '../call-journal.ts';
import type { RoomConnector } from '../contract.ts';
import type { Dialler } from '../dialling/dialler.ts';
import type { Gatherings } from '../gatherings.ts';
import type { CallRecord, HttpMethod } from '../model.ts';
import type { Prompts } from '../prompts.ts';
import type { Recordings } from '../recording/recordings.ts';
import type { ReferResult } from '../refer-call.ts';
import type { Speech } from '../speech.ts';
import type { SpeechRecognizer } from '../speech-recognition.ts';
import type { CallStreams } from '../streams/call-streams.ts';
import type { Termination } from '../termination.ts';
import type { ReferListener } from '../refer-listener.ts';
import type { CookieJar } from '../webhook/client.ts';
import type { TwimlElement } from './document.ts';
import type { DocumentSource } from './document-loader.ts';
import type { NestedOptions, RunEnd } from './nesting.ts';

export type { NestedOptions, NestingRule, RunEnd } from './nesting.ts';

/** What a verb may do with its call. */
export interface VerbContext {
  readonly call: Readonly<CallRecord>;
  readonly clock: Clock;
  readonly rooms: RoomConnector;
  readonly speech: Speech;
  /** Null: this server recognises no speech. */
  readonly recognizer: SpeechRecognizer | null;
  readonly prompts: Prompts;
  /** The media streams of this call. */
  readonly streams: CallStreams;
  readonly recordings: Recordings;
  readonly gatherings: Gatherings;
  readonly dialler: Dialler;
  readonly authToken: string;
  readonly cookies: CookieJar;
  /** Aborts when the call ends or is redirected: the verb lets go at once, its outcome no longer counts. */
  readonly signal: AbortSignal;
  /** URL of the document that runs; null for TwiML given over REST. */
  readonly documentUrl: string | null;
  readonly answered: boolean;
  /** The standard parameters of its webhooks at this moment (contract §4.1). */
  parameters(): [name: string, value: string][];
  /** Runs documents beside this verb (a whisper, a waiting room); ends when `signal` aborts too. */
  nested(source: DocumentSource, options: NestedOptions): Promise<RunEnd>;
  /** Picks up unless that was done, beside a room's media when one is named. */
  answer(near?: RoomMedia | null): Promise<PhoneMedia>;
  /** Asks the phone to call somebody else (REFER). Rejects with SipError for what is no SIP URI. */
  refer(uri: string, signal: AbortSignal): Promise<ReferResult>;
  /** Lets a caller that is not answered hear and be heard (183); null where that cannot be. */
  soundEarly(): Promise<PhoneMedia | null>;
  /** Hears the REFERs of its phone until the returned function is called; answered with 603 when nobody does. */
  onRefer(listener: ReferListener): () => void;
  /** The call as the phone that has it now would have it: another one may have taken it over, and `to` is whom that was called as. */
  by(): Readonly<CallRecord>;
  /** Ends the call: its phone went elsewhere. */
  end(termination: Termination): void;
  /** A debugger entry; the exchange that brought the document is added. */
  report(problem: Omit<Problem, 'exchange'>): void;
  /** Keeps the time of a milestone, the first of each name. */
  reached(milestone: string): void;
}

/** How a verb left. */
export type VerbOutcome =
  | { next: 'verb' }
  /** The rest of the document is replaced by what `reference` answers. */
  | {
      next: 'document';
      reference: string;
      method: HttpMethod;
      parameters?: [name: string, value: string][];
      /** What is told there is told even when the call ends meanwhile. */
      outlivesCall?: true;
    }
  /** Out of a waiting room (`<Leave>`); at the end of a call's own document it is the end of that document. */
  | { next: 'leave' }
  | { next: 'end'; termination: Termination };

/** One verb, one file. Rejections are for the interpreter: MediaError ends the call, everything else is a fault of ours. */
export type Verb = (element: TwimlElement, context: VerbContext) => Promise<VerbOutcome>;

export const NEXT_VERB: VerbOutcome = { next: 'verb' };

export function methodOf(element: TwimlElement): HttpMethod {
  return element.attributes['method']?.toUpperCase() === 'GET' ? 'GET' : 'POST';
}
