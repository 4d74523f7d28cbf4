import { bracket } from '../../sip/message/uri.ts';
import type { Carriers } from '../carrier/carriers.ts';
import { Call, type CallDeps, type CallPlan } from '../call.ts';
import type { Problem } from '../call-journal.ts';
import { newCallRecord } from '../call-record.ts';
import { OutboundLeg } from '../leg.ts';
import type { CallRecord } from '../model.ts';
import { Redirects, type LegCallOptions } from '../redirects/redirects.ts';
import type { Registrations } from '../registrations.ts';
import { terminated } from '../termination.ts';
import type { Transfers } from '../transfer/transfers.ts';
import { legAudio, mediaAddressFor, type VoiceDeps } from '../voice-deps.ts';
import type { ChildOptions, Dialler } from './dialler.ts';

export interface DiallerDeps extends Pick<VoiceDeps, 'media' | 'config' | 'log' | 'clock' | 'directory' | 'trunks'>, Pick<Dialler, 'mayDial'> {
  carriers: Pick<Carriers, 'callerFor' | 'outsideCaller'>;
  registrations: Registrations;
  transfers: Transfers | null;
  /** Keeps a new call among the live ones. */
  add(make: (deps: CallDeps, ended: (call: Call) => void) => Call): Call;
}

/** The `<Dial>` counts its own time from the bridge; this is only the end of what a call may last. */
const MAX_CALL_MS = 86_400_000;

export function createDialler(deps: DiallerDeps): Dialler {
  const { directory, registrations, trunks, transfers, mayDial } = deps;
  return { directory, registrations, trunks, transfers, mayDial, place: (options) => place(options, deps) };
}

function place(options: ChildOptions, { media, config, log, clock, add, carriers, registrations, mayDial }: DiallerDeps): Call {
  const record = childRecord(options, clock.wallMs());
  const { trunk } = options.target;
  const journal = (problem: Problem): void => call.journal.problem(problem);
  const route = trunk ? { trunk, number: record.to, caller: options.callerId.user, journal } : null;
  const outside = carriers.outsideCaller(journal);
  const caller = route ? carriers.callerFor(route) : outside;
  const redirectsOf = (first: LegCallOptions): Redirects => new Redirects({ accountSid: record.accountSid, called: record.to, route, sip: outside, carriers, registrations, mayDial, clock, journal }, first);
  const leg = new OutboundLeg(caller, { media, mediaAddressFor: mediaAddressFor(config), ...legAudio(config, trunk), log: log.child({ callSid: record.sid }) }, redirectsOf);
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

async function dial(call: Call, { target, callerId, ringTimeoutMs, parent }: ChildOptions, publicAddress: string): Promise<void> {
  if (!call.live) return;
  if (target.toUri === '') return call.end(terminated('unreachable', { detail: 'nowhere to send it' }));
  const { sid, accountSid } = call.record;
  await call.dial({
    to: target.toUri,
    from: `sip:${callerId.user}@${bracket(publicAddress)}`,
    ringTimeoutMs,
    ...(target.outboundProxy === null ? {} : { outboundProxy: target.outboundProxy }),
    ...(target.credentials ? { credentials: target.credentials } : {}),
    headers: [
      ...target.headers,
      ['X-Twilio-CallSid', sid],
      ['X-Twilio-AccountSid', accountSid],
      ['X-Twilio-ParentCallSid', parent.sid],
      ['X-Twilio-ApiVersion', '2010-04-01'],
    ],
  });
}

function childRecord({ parent, target, callerId }: ChildOptions, nowMs: number): CallRecord {
  return newCallRecord({ accountSid: parent.accountSid, parentCallSid: parent.sid, to: target.to, from: callerId.text, phoneNumberSid: callerId.phoneNumberSid, direction: 'outbound-dial', nowMs });
}
