import { SipError } from '../../../sip/errors.ts';
import { parseSipUri } from '../../../sip/message/uri.ts';
import { isFinal } from '../../call-state.ts';
import type { DialRefusal } from '../../dial-plan/fraud-guard.ts';
import { e164Of } from '../../dial-plan/number.ts';
import type { ReferResult } from '../../refer-call.ts';
import { textOf } from '../document.ts';
import { tellAction } from '../tell-action.ts';
import { NEXT_VERB, methodOf, type Verb, type VerbContext, type VerbOutcome } from '../verb.ts';

/** How long the phone may take to tell how the new call went. */
const WAIT_MS = 120_000;

/**
 * `<Refer><Sip>uri</Sip></Refer>`: asks the phone to call somebody else and waits for what comes of it (contract §3.4,
 * RFC 3515). `action` hears of it, also when the phone hangs up first; without one the next verb runs, and when there is none the call ends.
 */
export const refer: Verb = async (element, context) => {
  const noun = element.children.find((child) => typeof child !== 'string' && child.name === 'Sip');
  const uri = noun === undefined || typeof noun === 'string' ? '' : textOf(noun).trim();
  const { direction, to } = context.by();
  if (direction !== 'inbound' && /^\+?\d+$/.test(to)) return skip(context, { errorCode: 13801, message: '<Refer> is for SIP calls only; this one goes to a phone number' });
  if (!/^sips?:[^\s<>"]+$/i.test(uri)) return skip(context, badUri(uri));
  const refusal = refusalOf(uri, context);
  if (refusal) return skip(context, { errorCode: 13802, message: `<Refer>: ${refusal.message}` });
  await context.answer();
  try {
    const result = await waited(uri, context);
    const action = element.attributes['action']?.trim();
    if (action === undefined) return NEXT_VERB;
    if (context.signal.aborted) {
      // The phone may have hung up before it told how the new call went.
      if (isFinal(context.call.status)) tellAction(element, action, { context, parameters: parametersOf(result, isKnown(result) ? statusOf(result) : 'canceled') });
      return NEXT_VERB;
    }
    // A phone that was transferred hangs up at once: that must not take the news back.
    return { next: 'document', reference: action, method: methodOf(element), parameters: parametersOf(result), outlivesCall: true };
  } catch (error) {
    if (error instanceof SipError) return skip(context, badUri(uri));
    throw error;
  }
};

/** A carrier that brought the call reads a number in whatever address it is sent to, and charges for it. */
function refusalOf(uri: string, context: VerbContext): DialRefusal | null {
  const { accountSid, direction, to } = context.by();
  const { dialler } = context;
  const number = direction === 'inbound' && /^\+?\d+$/.test(to) ? e164Of(parseSipUri(uri)?.user ?? '') : null;
  const atCarrier = number === null ? null : dialler.mayDial({ accountSid, to: number, trunk: dialler.trunks.defaultTrunk(accountSid) });
  return atCarrier ?? dialler.mayDial({ accountSid, to: uri });
}

function skip(context: VerbContext, problem: { errorCode: number; message: string }): VerbOutcome {
  context.report({ ...problem, log: 0 });
  return NEXT_VERB;
}

function badUri(uri: string): { errorCode: number; message: string } {
  return { errorCode: 13802, message: uri === '' ? '<Refer> needs <Sip> with a SIP URI' : `'${uri.slice(0, 100)}' in <Refer> is no SIP URI` };
}

async function waited(uri: string, { refer: send, clock }: VerbContext): Promise<ReferResult> {
  const late = new AbortController();
  const timer = clock.after(WAIT_MS, () => late.abort());
  try {
    return await send(uri, late.signal);
  } finally {
    timer.cancel();
  }
}

function parametersOf(result: ReferResult, status: string | null = statusOf(result)): [name: string, value: string][] {
  const { referStatusCode, notifyStatusCode } = result;
  const parameters: [string, string][] = status === null ? [] : [['ReferCallStatus', status]];
  if (referStatusCode !== null) parameters.push(['ReferSipResponseCode', String(referStatusCode)]);
  if (notifyStatusCode !== null) parameters.push(['NotifySipResponseCode', String(notifyStatusCode)]);
  return parameters;
}

/** Whether it was told how the new call went, not only that it is on its way. */
function isKnown({ referStatusCode, notifyStatusCode }: ReferResult): boolean {
  return (referStatusCode ?? 0) >= 300 || (notifyStatusCode ?? 0) >= 200;
}

/** Null: the phone took the REFER and told nothing. */
function statusOf({ referStatusCode, notifyStatusCode }: ReferResult): string | null {
  if (referStatusCode !== null && referStatusCode >= 300) return 'failed';
  if (notifyStatusCode === null) return null;
  if (notifyStatusCode >= 200 && notifyStatusCode < 300) return 'in-progress';
  if ([486, 600, 603].includes(notifyStatusCode)) return 'busy';
  return notifyStatusCode < 200 || [408, 480, 487].includes(notifyStatusCode) ? 'no-answer' : 'failed';
}
