import type { AccountSid, CallSid } from '../base/sid.ts';
import type { PhoneMedia, RoomMedia } from '../media/protocol.ts';
import type { MachineDetectionOptions } from './machine-detection.ts';
import type { StreamControl } from './streams/contract.ts';
import type { CallEvent, CallRecord, HttpMethod } from './model.ts';

/** What api/ and bridge/ see of voice/. Refusals are thrown as TwilioError with the numbers of contract §5 and §12. */
export interface Calls {
  /** REST create: validated, stored as `queued`, dialled in the background. */
  create(accountSid: AccountSid, options: CreateCallOptions): Promise<CallRecord>;
  /** REST update (contract §5.3): redirect, cancel, complete. 404/20404 for an unknown call. */
  update(accountSid: AccountSid, sid: CallSid, options: UpdateCallOptions): Promise<CallRecord>;
  /** The live state of a call, null when it is over or unknown (then the repository has it). */
  live(sid: CallSid): CallRecord | null;
  /** Its owner closed the account: its calls end. */
  accountClosed(accountSid: AccountSid): void;
  /** Media streams of live calls. */
  readonly streams: StreamControl;
  /** Number of live calls. */
  readonly liveCount: number;
  /** Refuses new calls (503), then ends what is left after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Parameters as they came, still text where a number may be malformed; `undefined` = not given. */
export interface CreateCallOptions extends MachineDetectionOptions {
  to?: string;
  from?: string;
  url?: string;
  method?: string;
  twiml?: string;
  applicationSid?: string;
  fallbackUrl?: string;
  fallbackMethod?: string;
  statusCallback?: string;
  statusCallbackEvents?: string[];
  statusCallbackMethod?: string;
  sendDigits?: string;
  timeout?: string;
  timeLimit?: string;
  callerId?: string;
  sipAuthUsername?: string;
  sipAuthPassword?: string;
  callReason?: string;
  byoc?: string;
  /** Every other parameter by name, so that what is not built yet can be refused by name instead of ignored. */
  other: Record<string, string>;
}

export interface UpdateCallOptions {
  url?: string;
  method?: string;
  twiml?: string;
  status?: string;
  fallbackUrl?: string;
  fallbackMethod?: string;
  statusCallback?: string;
  statusCallbackMethod?: string;
  timeLimit?: string;
}

/** How the stay of a phone in a room ended; see contract §14.1. */
export type RoomDisconnectReason =
  | 'room-completed'
  | 'participant-removed'
  | 'duplicate-identity'
  | 'participant-duration'
  | 'room-not-found'
  | 'room-full'
  | 'phone-limit'
  | 'room-type'
  | 'identity-invalid'
  | 'media-lost'
  /** The call itself left: hung up, redirected. No action is requested then. */
  | 'left';

export interface RoomStay {
  reason: RoomDisconnectReason;
  /** Extra parameters for `<Connect action>`: RoomSid, RoomName, ParticipantSid, ParticipantIdentity, RoomDisconnectReason. */
  parameters: [name: string, value: string][];
  /** A debugger entry to write, when the phone could not join. */
  notification?: { errorCode: number; message: string };
}

/** What a phone wants of its stay beyond Twilio's `<Room>` (twiml/extensions.ts). */
export interface RoomWishes {
  /** It comes in muted. */
  muted: boolean;
  /** Keys that mute it and let it be heard again, such as `*6`; null: none. */
  muteKeys: string | null;
  /** While it is there, the phones of the room hear a tone when somebody joins. */
  joinTone: boolean;
  /** The same when somebody leaves. */
  leaveTone: boolean;
}

/** How `<Connect><Room>` reaches rooms without voice/ knowing them. Implemented by bridge/. */
export interface RoomConnector {
  /** The media of an in-progress room, so that a call's media can be opened beside it; null when there is no such room. */
  mediaOf(accountSid: AccountSid, roomName: string): Promise<RoomMedia | null>;
  /** Whether the room is there now; asked before an unanswered call is answered. */
  exists(accountSid: AccountSid, roomName: string): boolean;
  /** Resolves as soon as the room is there, or when the signal aborts. */
  whenOpen(accountSid: AccountSid, roomName: string, signal: AbortSignal): Promise<void>;
  /**
   * Joins and stays until the room or the call lets go. `signal` aborts when the call hangs up or is redirected: the
   * participant leaves at once and the stay resolves with `left`. Never rejects.
   */
  stay(options: {
    accountSid: AccountSid;
    call: Pick<CallRecord, 'sid' | 'from' | 'to'>;
    roomName: string;
    identity: string | null;
    wishes: RoomWishes;
    phone: PhoneMedia;
    signal: AbortSignal;
  }): Promise<RoomStay>;
}

/** Sends signed requests to customers' URLs in the background. Implemented in voice/webhook, also used for rooms. */
export interface CallbackSender {
  send(callback: {
    accountSid: AccountSid;
    url: string;
    method: HttpMethod;
    parameters: [name: string, value: string][];
    /** Nobody took it: no answer, or none with a 2xx status. */
    refused?: (problem: { errorCode: number; message: string; url: string }) => void;
  }): void;
}

export type { CallEvent };
