import { aborted } from '../../base/abort.ts';
import type { IncomingSipCall } from '../../sip/contract.ts';
import type { CallPlan } from '../call.ts';
import { terminated } from '../termination.ts';
import type { CallRecord } from '../model.ts';
import type { RunContext } from '../twiml/interpreter.ts';
import type { Talk } from './side.ts';
import { sideOfCall } from './sides.ts';
import type { Transfers } from './transfers.ts';

/** Whose place a call takes that came with Replaces, and what it does for that. */
export interface Replacing {
  replaced: Readonly<CallRecord>;
  attend: NonNullable<CallPlan['attend']>;
}

/** The talk that a phone wants to enter in the place of another one (RFC 3891), or why it cannot. */
export function replacing(sip: Pick<IncomingSipCall, 'replaces'>, { transfers, live }: { transfers: Transfers | null; live: (sid: CallRecord['sid']) => CallRecord | null }): Replacing | { statusCode: number; why: string } {
  if (!transfers) return { statusCode: 603, why: 'transfers are off' };
  const sid = sip.replaces && transfers.callNamed(sip.replaces.callId);
  const replaced = sid ? live(sid) : null;
  if (!replaced) return { statusCode: 481, why: 'no call is there to be replaced' };
  const talk = transfers.bridges.of(replaced.sid);
  if (!talk) return { statusCode: 603, why: 'the call to be replaced talks with nobody' };
  return { replaced, attend: (context) => takePlace(context, talk, replaced) };
}

async function takePlace(context: RunContext, talk: Talk, replaced: Readonly<CallRecord>): Promise<ReturnType<typeof terminated> | null> {
  const phone = await context.answer();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  if (!talk.replace(replaced.sid, sideOfCall(context, phone, release))) return terminated('unreachable', { detail: 'the call to be replaced had ended' });
  await Promise.race([released, aborted(context.signal)]);
  return context.signal.aborted ? null : terminated('dial-over');
}
