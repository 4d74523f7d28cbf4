import { describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import type { CallRecord } from '../model.ts';
import { callParameters } from './parameters.ts';

function call(over: Partial<CallRecord> = {}): CallRecord {
  return {
    sid: newSid('CA'), accountSid: newSid('AC'), parentCallSid: null, to: '+15550100', from: '+15550111', phoneNumberSid: null, status: 'ringing', direction: 'inbound', createdAtMs: 0, updatedAtMs: 0,
    startedAtMs: 0, answeredAtMs: null, endedAtMs: null, answeredBy: null, forwardedFrom: null, callerName: null, terminationReason: null, ...over,
  };
}

const of = (...args: Parameters<typeof callParameters>): Record<string, string> => Object.fromEntries(callParameters(...args));

describe('the parameters of a webhook', () => {
  it('are those of every call, once each', () => {
    const record = call();
    expect(of(record)).toMatchObject({ CallSid: record.sid, AccountSid: record.accountSid, From: '+15550111', To: '+15550100', Caller: '+15550111', Called: '+15550100', CallStatus: 'ringing', ApiVersion: '2010-04-01', Direction: 'inbound' });
    const names = callParameters(record).map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('name places of a call that came in, empty, and none of one that went out', () => {
    expect(of(call())).toMatchObject({ FromCity: '', FromState: '', FromZip: '', FromCountry: '', ToCity: '', CallerCity: '', CalledCountry: '' });
    expect(Object.keys(of(call({ direction: 'outbound-api' }))).filter((name) => /City|State|Zip|Country/.test(name))).toEqual([]);
  });

  it('say what is known, and nothing of what is not', () => {
    const parentCallSid = newSid('CA');
    expect(of(call({ parentCallSid, forwardedFrom: '+15550199', callerName: 'Ada', answeredBy: 'human' }), { applicationSid: 'AP1' })).toMatchObject({ ParentCallSid: parentCallSid, ForwardedFrom: '+15550199', CallerName: 'Ada', AnsweredBy: 'human', ApplicationSid: 'AP1' });
    for (const name of ['ParentCallSid', 'ForwardedFrom', 'CallerName', 'AnsweredBy', 'ApplicationSid', 'SipCallId']) expect(of(call())).not.toHaveProperty(name);
  });

  it('of a SIP call carry its X- headers and User-to-User, no others', () => {
    const headers: [string, string][] = [['X-Team', 'a'], ['User-to-User', 'x;encoding=hex'], ['Via', 'SIP/2.0/UDP'], ['Authorization', 'Digest secret']];
    const parameters = of(call(), { sip: { callId: 'abc@host', sourceIp: '198.51.100.7', domain: 'acme.sip.example', domainSid: 'SD1', headers } });
    expect(parameters).toMatchObject({ SipCallId: 'abc@host', SipSourceIp: '198.51.100.7', SipDomain: 'acme.sip.example', SipDomainSid: 'SD1', 'SipHeader_X-Team': 'a', 'SipHeader_User-to-User': 'x;encoding=hex' });
    expect(Object.keys(parameters).filter((name) => name.startsWith('SipHeader_'))).toHaveLength(2);
  });
});
