import { newSid } from '../base/sid.ts';
import type { IncomingSipCall } from '../sip/contract.ts';
import { SdpError } from '../sdp/sdp-error.ts';
import { Call } from './call.ts';
import type { CallPlan } from './call.ts';
import type { LiveCalls } from './calls.ts';
import { urlsOfNumber } from './dial-plan/application.ts';
import { callerOf, routeCall, type Route } from './dial-plan/dial-plan.ts';
import { InboundLeg } from './leg.ts';
import { checkOffer } from './leg-media.ts';
import type { CallRecord, PhoneNumberRecord } from './model.ts';
import type { VoiceDeps } from './voice-deps.ts';

/** SIP calls become Calls here, or are refused before they cost anything. */
export class IncomingCalls {
  readonly #deps: VoiceDeps & { live: LiveCalls };
  readonly #unsubscribe: () => void;

  constructor(deps: VoiceDeps & { live: LiveCalls }) {
    this.#deps = deps;
    this.#unsubscribe = deps.sip.on('incomingCall', (sip) => this.#arrived(sip));
  }

  /** New calls find nobody; the user agent refuses them. */
  stop(): void {
    this.#unsubscribe();
  }

  #arrived(sip: IncomingSipCall): void {
    const { live, directory, config, log } = this.#deps;
    if (live.stopping) return sip.reject(503, 'Server is stopping', [['Retry-After', '10']]);
    const route = routeCall(sip, { directory, localHosts: config.localHosts });
    if (route.kind === 'refused') {
      log.info({ requestUri: sip.requestUri, source: sip.source.address, statusCode: route.statusCode, reason: route.reason }, 'call refused');
      return sip.reject(route.statusCode, route.reasonPhrase, [['Reason', route.reason]]);
    }
    const unacceptable = offerProblem(sip);
    if (unacceptable !== null) {
      log.info({ requestUri: sip.requestUri, source: sip.source.address, reason: unacceptable }, 'call refused: no media in common');
      return sip.reject(488, 'Not Acceptable Here', [['Reason', `SIP;cause=488;text="${unacceptable.replace(/[^\w .,/:()=-]/g, '?')}"`]]);
    }
    this.#take(sip, route);
  }

  #take(sip: IncomingSipCall, { number, account }: Extract<Route, { kind: 'number' }>): void {
    const { live, config, media, log, clock } = this.#deps;
    const nowMs = clock.wallMs();
    const record: CallRecord = {
      sid: newSid('CA'),
      accountSid: account.sid,
      parentCallSid: null,
      to: number.phoneNumber,
      from: callerOf(sip.from),
      phoneNumberSid: number.sid,
      status: 'queued',
      direction: 'inbound',
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      startedAtMs: nowMs,
      answeredAtMs: null,
      endedAtMs: null,
      answeredBy: null,
      forwardedFrom: forwardedFrom(sip),
      callerName: null,
      terminationReason: null,
    };
    const leg = new InboundLeg(sip, { media, publicAddress: config.publicAddress, log: log.child({ callSid: record.sid }) });
    const plan = this.#plan(number, account.authToken);
    const webhookOptions = { ...plan.webhookOptions, sip: { callId: sip.callId, sourceIp: sip.source.address, headers: sip.headers } };
    const call = live.add((callDeps, ended) => new Call(callDeps, { record, leg, plan: { ...plan, webhookOptions }, ended }));
    call.startInbound();
  }

  #plan(number: PhoneNumberRecord, authToken: string): CallPlan {
    const { ringTimeoutMs } = this.#deps.config;
    const { urls, applicationSid } = urlsOfNumber(number, this.#deps.directory);
    return {
      source: urls.voiceUrl === null ? null : { kind: 'url', url: urls.voiceUrl, method: urls.voiceMethod },
      fallback: urls.voiceFallbackUrl === null ? null : { url: urls.voiceFallbackUrl, method: urls.voiceFallbackMethod },
      statusCallback: urls.statusCallback === null ? null : { url: urls.statusCallback, method: urls.statusCallbackMethod, events: ['completed'] },
      authToken,
      webhookOptions: { applicationSid },
      ...(ringTimeoutMs === undefined ? {} : { ringTimeoutMs }),
    };
  }
}

function offerProblem(sip: IncomingSipCall): string | null {
  if (!sip.body) return null;
  try {
    checkOffer(sip.body);
    return null;
  } catch (error) {
    if (error instanceof SdpError) return error.message;
    throw error;
  }
}

/** The number a call was diverted from (Diversion, RFC 5806), as it is written there. */
function forwardedFrom(sip: IncomingSipCall): string | null {
  const diversion = sip.header('Diversion')[0];
  return /sips?:([^@;>]{1,64})@/.exec(diversion ?? '')?.[1] ?? null;
}
