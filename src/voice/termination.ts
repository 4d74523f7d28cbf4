import type { SipEnding } from '../sip/contract.ts';
import type { CallStatus } from './model.ts';
import { meaningOf, readReasons } from './sip-causes.ts';

/** By whose doing a call ended. */
export type Fault = 'caller' | 'callee' | 'app' | 'network' | 'server' | 'api';

export type TerminationReason =
  /** BYE of the phone. */
  | 'hung-up'
  /** The caller gave up while it rang. */
  | 'caller-canceled'
  /** `<Reject reason="busy">`. */
  | 'rejected-busy'
  /** `<Reject>`. */
  | 'rejected'
  /** `<Hangup>`. */
  | 'hangup-verb'
  /** Nothing left to run. */
  | 'document-ended'
  /** No usable TwiML, no usable fallback (contract §3.5). */
  | 'application-error'
  | 'completed-by-api'
  | 'canceled-by-api'
  | 'time-limit'
  /** The `<Dial>` that placed it is over: its caller left, or another phone took the call. */
  | 'dial-over'
  /** Another phone of the same `<Dial>` took the call. */
  | 'answered-elsewhere'
  /** The phone handed its call on to somebody else (REFER, Replaces). */
  | 'transferred'
  /** Nobody answered in time. */
  | 'no-answer'
  /** 486, 600 and 603 of a called phone. */
  | 'busy'
  /** Any other refusal of a called phone. */
  | 'refused'
  | 'unreachable'
  /** No ACK for our 200 within 32 s. */
  | 'ack-timeout'
  | 'dialog-lost'
  /** The phone no longer said that it is there (RFC 4028). */
  | 'session-expired'
  /** The answer to our offer holds nothing we speak. */
  | 'no-common-codec'
  /** The media worker died. */
  | 'media-lost'
  /** No RTP port, or the media plane did not answer. */
  | 'media-unavailable'
  /** The phone fell silent: no packet for the media time-out. */
  | 'media-timeout'
  /** The DTLS handshake of the phone failed, or did not come. */
  | 'media-insecure'
  | 'server-stopped'
  /** The server was killed while the call was live. */
  | 'server-killed'
  | 'internal-error';

/** Why, by whose fault, and what the log should say beside it. A call ends with exactly one. */
export interface Termination {
  reason: TerminationReason;
  fault: Fault;
  detail?: string;
  /** The SIP answer that ended it, for the `SipResponseCode` of the status callback. */
  sipStatusCode?: number;
}

/** Reason → fault, and the final status of a call that was never answered. Answered calls end `completed` (contract §5.2). */
const ENDINGS: Record<TerminationReason, { fault: Fault; unanswered: FinalStatus }> = {
  'hung-up': { fault: 'caller', unanswered: 'completed' },
  'caller-canceled': { fault: 'caller', unanswered: 'no-answer' },
  'rejected-busy': { fault: 'app', unanswered: 'busy' },
  rejected: { fault: 'app', unanswered: 'no-answer' },
  'hangup-verb': { fault: 'app', unanswered: 'completed' },
  'document-ended': { fault: 'app', unanswered: 'completed' },
  'application-error': { fault: 'app', unanswered: 'failed' },
  'completed-by-api': { fault: 'api', unanswered: 'completed' },
  'canceled-by-api': { fault: 'api', unanswered: 'canceled' },
  'time-limit': { fault: 'app', unanswered: 'completed' },
  'answered-elsewhere': { fault: 'callee', unanswered: 'canceled' },
  transferred: { fault: 'caller', unanswered: 'completed' },
  'dial-over': { fault: 'caller', unanswered: 'canceled' },
  'no-answer': { fault: 'callee', unanswered: 'no-answer' },
  busy: { fault: 'callee', unanswered: 'busy' },
  refused: { fault: 'callee', unanswered: 'failed' },
  unreachable: { fault: 'network', unanswered: 'failed' },
  'ack-timeout': { fault: 'network', unanswered: 'failed' },
  'dialog-lost': { fault: 'network', unanswered: 'failed' },
  'session-expired': { fault: 'network', unanswered: 'failed' },
  'no-common-codec': { fault: 'callee', unanswered: 'failed' },
  'media-lost': { fault: 'server', unanswered: 'failed' },
  'media-unavailable': { fault: 'server', unanswered: 'failed' },
  'media-timeout': { fault: 'network', unanswered: 'failed' },
  'media-insecure': { fault: 'network', unanswered: 'failed' },
  'server-stopped': { fault: 'server', unanswered: 'failed' },
  'server-killed': { fault: 'server', unanswered: 'failed' },
  'internal-error': { fault: 'server', unanswered: 'failed' },
};

export type FinalStatus = Extract<CallStatus, 'completed' | 'busy' | 'failed' | 'no-answer' | 'canceled'>;

export function terminated(reason: TerminationReason, more: { fault?: Fault; detail?: string; sipStatusCode?: number } = {}): Termination {
  return { reason, fault: ENDINGS[reason].fault, ...more };
}

/** The status a call ends with. */
export function finalStatus(termination: Termination, answered: boolean): FinalStatus {
  return answered ? 'completed' : ENDINGS[termination.reason].unanswered;
}

/**
 * `SipResponseCode` of a call's last callback: what its INVITE was answered with, 487 when it was taken back while it rang
 * (RFC 3261 §9.2); undefined where no answer came.
 */
export function sipCodeOf({ reason, sipStatusCode }: Termination, answered: boolean): number | undefined {
  if (sipStatusCode !== undefined || answered) return sipStatusCode ?? 200;
  return reason === 'caller-canceled' || ENDINGS[reason].unanswered === 'canceled' ? 487 : undefined;
}

/** SIP answers of a called phone that mean busy (contract §5.2) … */
const BUSY = [486, 600, 603];
/** … or that nobody took the call. */
const NO_ANSWER = [408, 480, 487];

/** Reads why the SIP side is over. */
export function terminationOf(ending: SipEnding, side: 'inbound' | 'outbound'): Termination {
  const phone: Fault = side === 'inbound' ? 'caller' : 'callee';
  const sip = ending.statusCode === undefined ? {} : { sipStatusCode: ending.statusCode };
  const detail = ending.reason ?? ending.reasonPhrase;
  const more = { ...sip, ...(detail === undefined ? {} : { detail }) };
  switch (ending.cause) {
    case 'remote-bye':
      return terminated('hung-up', { ...more, fault: phone });
    case 'remote-cancel':
      return terminated('caller-canceled', more);
    case 'rejected':
      return refusal(ending, more);
    case 'ring-timeout':
      return terminated('no-answer', { sipStatusCode: 487, ...more });
    case 'ack-timeout':
    case 'dialog-lost':
    case 'session-expired':
    case 'unreachable':
    case 'server-stopped':
      return terminated(ending.cause, more);
    case 'local':
      return terminated('internal-error', { ...more, detail: 'the SIP side was ended without its call' });
  }
}

/** A SIP answer that says busy is believed; for all others the cause of Q.850 beside it is the better word. */
function refusal({ statusCode = 500, reason }: SipEnding, more: { detail?: string; sipStatusCode?: number }): Termination {
  if (BUSY.includes(statusCode)) return terminated('busy', more);
  const meaning = meaningOf(readReasons(reason));
  if (meaning) return terminated(meaning, more);
  return terminated(NO_ANSWER.includes(statusCode) ? 'no-answer' : 'refused', more);
}
