import { bracket } from '../../sip/message/uri.ts';
import type { Carriers } from '../carrier/carriers.ts';
import type { Problem } from '../call-journal.ts';
import type { CallRecord } from '../model.ts';
import type { OfferMemory } from '../offer-memory.ts';
import { Redirects, type LegCallOptions } from '../redirects/redirects.ts';
import { OutboundLeg } from '../outbound-leg.ts';
import type { Registrations } from '../registrations.ts';
import { legAudio, mediaAddressFor, type VoiceDeps } from '../voice-deps.ts';
import type { CallerId } from './caller-id.ts';
import type { Dialler } from './dialler.ts';
import type { Target } from './target.ts';

export interface TargetLegDeps extends Pick<VoiceDeps, 'media' | 'config' | 'log' | 'clock'>, Pick<Dialler, 'mayDial'> {
  carriers: Pick<Carriers, 'callerFor' | 'outsideCaller'>;
  registrations: Registrations;
  offers: OfferMemory;
}

interface Called {
  /** Whose leg it is. */
  call: Readonly<CallRecord>;
  target: Target;
  callerId: CallerId;
}

/** The leg that calls a target: by its trunk, or where its phone is registered. */
export function targetLeg({ call, target, callerId, journal }: Called & { journal: (problem: Problem) => void }, { media, config, log, clock, carriers, registrations, mayDial, offers }: TargetLegDeps): OutboundLeg {
  const { trunk, to } = target;
  const { accountSid } = call;
  const route = trunk ? { trunk, number: to, caller: callerId.user, journal } : null;
  const outside = carriers.outsideCaller(journal);
  const redirectsOf = (first: LegCallOptions): Redirects => new Redirects({ accountSid, called: to, route, sip: outside, carriers, registrations, mayDial, clock, journal }, first);
  const caller = route ? carriers.callerFor(route) : outside;
  return new OutboundLeg(caller, { media, mediaAddressFor: mediaAddressFor(config), ...legAudio(config, trunk), offers, log: log.child({ callSid: call.sid }) }, redirectsOf);
}

/** What its INVITE says. */
export function callOptionsFor({ call, target, callerId, ringTimeoutMs }: Called & { ringTimeoutMs: number }, publicAddress: string): LegCallOptions {
  const { sid, accountSid, parentCallSid } = call;
  return {
    to: target.toUri,
    from: `sip:${callerId.user}@${bracket(publicAddress)}`,
    ringTimeoutMs,
    ...(target.outboundProxy === null ? {} : { outboundProxy: target.outboundProxy }),
    ...(target.credentials ? { credentials: target.credentials } : {}),
    headers: [
      ...target.headers,
      ['X-Twilio-CallSid', sid],
      ['X-Twilio-AccountSid', accountSid],
      ...(parentCallSid === null ? [] : [['X-Twilio-ParentCallSid', parentCallSid] as [string, string]]),
      ['X-Twilio-ApiVersion', '2010-04-01'],
    ],
  };
}
