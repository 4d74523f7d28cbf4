import type { CallRecord } from '../model.ts';

const API_VERSION = '2010-04-01';
const PLACES = ['City', 'State', 'Zip', 'Country'];

/** What a webhook is told beside the call's own record. */
export interface ParameterOptions {
  applicationSid?: string | null;
  /** Of a call that came over SIP (contract §4.1). */
  sip?: { callId: string; sourceIp: string; domain?: string; domainSid?: string; username?: string; headers: readonly (readonly [name: string, value: string])[] };
}

/** The standard parameters of every voice webhook (contract §4.1), in the order Twilio's logs show them. */
export function callParameters(call: Readonly<CallRecord>, options: ParameterOptions = {}): [name: string, value: string][] {
  const parameters: [string, string][] = [
    ['CallSid', call.sid],
    ['AccountSid', call.accountSid],
    ['From', call.from],
    ['To', call.to],
    ['Caller', call.from],
    ['Called', call.to],
    ['CallStatus', call.status],
    ['ApiVersion', API_VERSION],
    ['Direction', call.direction],
  ];
  const optional: [string, string | null | undefined][] = [
    ['ParentCallSid', call.parentCallSid],
    ['ForwardedFrom', call.forwardedFrom],
    ['CallerName', call.callerName],
    ['AnsweredBy', call.answeredBy],
    ['ApplicationSid', options.applicationSid],
  ];
  for (const [name, value] of optional) if (value !== null && value !== undefined) parameters.push([name, value]);
  if (call.direction === 'inbound') parameters.push(...unknownPlaces());
  if (options.sip) parameters.push(...sipParameters(options.sip));
  return parameters;
}

/** Where the two ends are is not known here: the parameters are there, empty. */
function unknownPlaces(): [string, string][] {
  return ['From', 'To', 'Caller', 'Called'].flatMap((end) => PLACES.map((place): [string, string] => [end + place, '']));
}

/** Headers of SIP messages that webhooks are told of. */
export function isTold(header: string): boolean {
  return /^(x-|user-to-user$)/i.test(header);
}

function sipParameters(sip: NonNullable<ParameterOptions['sip']>): [string, string][] {
  const parameters: [string, string][] = [
    ['SipCallId', sip.callId],
    ['SipSourceIp', sip.sourceIp],
  ];
  if (sip.domain !== undefined) parameters.push(['SipDomain', sip.domain]);
  if (sip.domainSid !== undefined) parameters.push(['SipDomainSid', sip.domainSid]);
  if (sip.username !== undefined) parameters.push(['SipUsername', sip.username]);
  for (const [name, value] of sip.headers) if (isTold(name)) parameters.push([`SipHeader_${name}`, value]);
  return parameters;
}
