import type { IncomingSipCall } from '../sip/contract.ts';
import { SdpError } from '../sdp/sdp-error.ts';
import { newCallRecord } from './call-record.ts';
import { Call } from './call.ts';
import type { CallPlan } from './call.ts';
import type { LiveCalls } from './calls.ts';
import { urlsOfNumber } from './dial-plan/application.ts';
import { callerOf, routeCall, type Route } from './dial-plan/dial-plan.ts';
import { admitToDomain, sipCallerOf } from './dial-plan/sip-domain.ts';
import { InboundLeg } from './leg.ts';
import type { PhoneCodecName } from '../sdp/phone-codecs.ts';
import { checkOffer } from './leg-media.ts';
import type { AccountRecord, PhoneNumberRecord, SipDomainRecord, VoiceUrls } from './model.ts';
import { mediaAddressFor, type VoiceDeps } from './voice-deps.ts';

/** Who is called, and who answers. */
interface Target {
  account: AccountRecord;
  to: string;
  from: string;
  phoneNumberSid: PhoneNumberRecord['sid'] | null;
  urls: VoiceUrls;
  webhookOptions: NonNullable<CallPlan['webhookOptions']>;
}

type IncomingDeps = VoiceDeps & { live: LiveCalls };

/** SIP calls become Calls here, or are refused before they cost anything. */
export class IncomingCalls {
  readonly #deps: IncomingDeps;
  readonly #unsubscribe: () => void;

  constructor(deps: IncomingDeps) {
    this.#deps = deps;
    this.#unsubscribe = deps.sip.on('incomingCall', (sip) => this.#arrived(sip));
  }

  /** New calls find nobody; the user agent refuses them. */
  stop(): void {
    this.#unsubscribe();
  }

  #arrived(sip: IncomingSipCall): void {
    const { live, directory, sipDirectory, config, log } = this.#deps;
    if (live.stopping) return sip.reject(503, 'Server is stopping', [['Retry-After', '10']]);
    const route = routeCall(sip, { directory, sipDirectory, localHosts: config.localHosts });
    if (route.kind === 'refused') {
      log.info({ requestUri: withoutPassword(sip.requestUri), source: sip.source.address, statusCode: route.statusCode, reason: route.reason }, 'call refused');
      return sip.reject(route.statusCode, route.reasonPhrase, [['Reason', route.reason]]);
    }
    const unacceptable = offerProblem(sip, this.#deps.config.phoneCodecs);
    if (unacceptable !== null) {
      log.info({ requestUri: withoutPassword(sip.requestUri), source: sip.source.address, reason: unacceptable }, 'call refused: no media in common');
      return sip.reject(488, 'Not Acceptable Here', [['Reason', `SIP;cause=488;text="${unacceptable.replace(/[^\w .,/:()=-]/g, '?')}"`]]);
    }
    const target = route.kind === 'number' ? this.#ofNumber(sip, route) : this.#ofDomain(sip, route);
    if (target) this.#take(sip, target);
  }

  #ofNumber(sip: IncomingSipCall, { number, account }: Extract<Route, { kind: 'number' }>): Target {
    const { urls, applicationSid } = urlsOfNumber(number, this.#deps.directory);
    return { account, to: number.phoneNumber, from: callerOf(sip.from), phoneNumberSid: number.sid, urls, webhookOptions: { applicationSid, sip: sipOf(sip) } };
  }

  /** Null: refused, and answered. */
  #ofDomain(sip: IncomingSipCall, { domain, account }: Extract<Route, { kind: 'domain' }>): Target | null {
    const { sipDirectory, log } = this.#deps;
    const admission = admitToDomain(sip, domain, sipDirectory);
    if (!admission.admitted) {
      log.info({ requestUri: withoutPassword(sip.requestUri), source: sip.source.address, errorCode: admission.errorCode, reason: admission.reason }, 'call to a SIP domain refused');
      if (!admission.answered) sip.reject(403, 'Forbidden');
      return null;
    }
    const { username } = admission;
    return { account, to: calledAddress(sip, domain), from: sipCallerOf(sip.from), phoneNumberSid: null, urls: domain, webhookOptions: { sip: { ...sipOf(sip), domain: domain.domainName, domainSid: domain.sid, ...(username === null ? {} : { username }) } } };
  }

  #take(sip: IncomingSipCall, target: Target): void {
    const { live, config, media, log, clock } = this.#deps;
    const nowMs = clock.wallMs();
    const record = newCallRecord({
      accountSid: target.account.sid,
      to: target.to,
      from: target.from,
      phoneNumberSid: target.phoneNumberSid,
      direction: 'inbound',
      nowMs,
      startedAtMs: nowMs,
      forwardedFrom: forwardedFrom(sip),
    });
    const leg = new InboundLeg(sip, { media, mediaAddressFor: mediaAddressFor(config), codecs: config.phoneCodecs, log: log.child({ callSid: record.sid }) });
    const plan = this.#plan(target);
    const call = live.add((callDeps, ended) => new Call(callDeps, { record, leg, plan, ended }));
    call.startInbound();
  }

  #plan({ urls, account, webhookOptions }: Target): CallPlan {
    const { ringTimeoutMs } = this.#deps.config;
    return {
      source: urls.voiceUrl === null ? null : { kind: 'url', url: urls.voiceUrl, method: urls.voiceMethod },
      fallback: urls.voiceFallbackUrl === null ? null : { url: urls.voiceFallbackUrl, method: urls.voiceFallbackMethod },
      statusCallback: urls.statusCallback === null ? null : { url: urls.statusCallback, method: urls.statusCallbackMethod, events: ['completed'] },
      authToken: account.authToken,
      webhookOptions,
      ...(ringTimeoutMs === undefined ? {} : { ringTimeoutMs }),
    };
  }
}

function sipOf(sip: IncomingSipCall): { callId: string; sourceIp: string; headers: IncomingSipCall['headers'] } {
  return { callId: sip.callId, sourceIp: sip.source.address, headers: sip.headers };
}

/** `sip:user@domain`, as it was asked for but for port and parameters. */
function calledAddress({ requestUriUser }: IncomingSipCall, { domainName }: SipDomainRecord): string {
  return requestUriUser === '' ? `sip:${domainName}` : `sip:${requestUriUser}@${domainName}`;
}

function offerProblem(sip: IncomingSipCall, codecs?: readonly PhoneCodecName[]): string | null {
  if (!sip.body) return null;
  try {
    checkOffer(sip.body, codecs);
    return null;
  } catch (error) {
    if (error instanceof SdpError) return error.message;
    throw error;
  }
}

/** The number a call was diverted from (Diversion, RFC 5806), as it is written there. */
function forwardedFrom(sip: IncomingSipCall): string | null {
  const diversion = sip.header('Diversion')[0];
  return /sips?:([^@;>\p{Cc}]{1,64})@/u.exec(diversion ?? '')?.[1] ?? null;
}

/** For the log: `sip:user:password@host` without what is nobody's business. */
function withoutPassword(uri: string): string {
  return uri.replace(/^(sips?:[^:@]*):[^@]*@/i, '$1@');
}
