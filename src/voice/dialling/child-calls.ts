import type { Carriers } from '../carrier/carriers.ts';
import { Call, type CallDeps, type CallPlan } from '../call.ts';
import type { Problem } from '../call-journal.ts';
import { newCallRecord } from '../call-record.ts';
import type { CallRecord } from '../model.ts';
import type { OfferMemory } from '../offer-memory.ts';
import type { Registrations } from '../registrations.ts';
import { terminated } from '../termination.ts';
import type { Transfers } from '../transfer/transfers.ts';
import type { VoiceDeps } from '../voice-deps.ts';
import type { ChildOptions, Dialler, Relay, RelayOptions } from './dialler.ts';
import { callOptionsFor, targetLeg } from './target-leg.ts';

export interface DiallerDeps extends Pick<VoiceDeps, 'media' | 'config' | 'log' | 'clock' | 'directory' | 'trunks'>, Pick<Dialler, 'mayDial' | 'count'> {
  carriers: Pick<Carriers, 'callerFor' | 'outsideCaller'>;
  registrations: Registrations;
  offers: OfferMemory;
  transfers: Transfers | null;
  /** Keeps a new call among the live ones. */
  add(make: (deps: CallDeps, ended: (call: Call) => void) => Call): Call;
}

/** The `<Dial>` counts its own time from the bridge; this is only the end of what a call may last. */
const MAX_CALL_MS = 86_400_000;

export function createDialler(deps: DiallerDeps): Dialler {
  const { directory, registrations, trunks, transfers, mayDial, count } = deps;
  return { directory, registrations, trunks, transfers, mayDial, count, place: (options) => place(options, deps), relay: (options) => relay(options, deps) };
}

function place(options: ChildOptions, deps: DiallerDeps): Call {
  const { config, clock, add } = deps;
  const record = childRecord(options, clock.wallMs());
  const journal = (problem: Problem): void => call.journal.problem(problem);
  const leg = targetLeg({ ...options, call: record, journal }, deps);
  const { target, authToken, statusCallback, machineDetection, attend, soundedEarly, overtaken } = options;
  const plan: CallPlan = {
    source: null,
    fallback: null,
    statusCallback,
    authToken,
    timeLimitMs: MAX_CALL_MS,
    attend,
    soundedEarly,
    overtaken,
    ...(machineDetection === null ? {} : { machineDetection }),
    ...(target.sendDigits === null ? {} : { sendDigits: target.sendDigits }),
  };
  const call: Call = add((callDeps, gone) => {
    const ended = (child: Call): void => {
      gone(child);
      options.ended();
    };
    return new Call(callDeps, { record, leg, plan, ended });
  });
  // The parent may have gone before its child was sent: then nothing is.
  clock.after(0, () => void dial(call, options, config.publicAddress));
  return call;
}

async function dial(call: Call, options: ChildOptions, publicAddress: string): Promise<void> {
  if (!call.live) return;
  if (options.target.toUri === '') return call.end(terminated('unreachable', { detail: 'nowhere to send it' }));
  await call.dial(callOptionsFor({ ...options, call: call.record }, publicAddress));
}

/** A leg that is no call of its own: it takes over the media of one. */
function relay(options: RelayOptions, deps: DiallerDeps): Relay {
  const { call, target, phone } = options;
  const leg = targetLeg(options, deps);
  leg.borrow(phone);
  leg.on('closed', deps.count({ accountSid: call.accountSid, to: target.to }));
  return { leg, to: target.to, dial: () => leg.dial(callOptionsFor(options, deps.config.publicAddress)) };
}

function childRecord({ parent, target, callerId }: ChildOptions, nowMs: number): CallRecord {
  return newCallRecord({ accountSid: parent.accountSid, parentCallSid: parent.sid, to: target.to, from: callerId.text, phoneNumberSid: callerId.phoneNumberSid, direction: 'outbound-dial', nowMs });
}
