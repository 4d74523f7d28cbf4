import type { IncomingSipCall } from '../sip/contract.ts';
import { readIdentity } from '../sip/message/identity-headers.ts';
import { SdpError } from '../sdp/sdp-error.ts';
import { newCallRecord } from './call-record.ts';
import { Call } from './call.ts';
import type { CallPlan } from './call.ts';
import { replacing } from './transfer/replacing-calls.ts';
import type { LiveCalls } from './calls.ts';
import { toE164 } from './carrier/number-format.ts';
import { decideCall, type Ask, type CallTarget, type Decision, type Refusal } from './dial-plan/dial-plan.ts';
import { dialPlanOf } from './explain.ts';
import { forwardedFrom } from './forwarded-from.ts';
import { InboundLeg } from './inbound-leg.ts';
import { checkOffer, type LegAudio } from './leg-media.ts';
import { legAudio, mediaAddressFor, type VoiceDeps } from './voice-deps.ts';

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
    const { live } = this.#deps;
    if (live.stopping) return sip.reject(503, 'Server is stopping', [['Retry-After', '10']]);
    const outcome = this.#decide(sip, null);
    if (outcome.kind === 'refused') return this.#refuse(sip, outcome);
    if (outcome.kind === 'ask') this.#ask(sip, outcome);
    else this.#take(sip, outcome);
  }

  #decide(sip: IncomingSipCall, provenUser: string | null): Decision['outcome'] {
    // Who takes the place of a phone (RFC 3891) calls nobody: it is judged as a user of its own SIP domain.
    return decideCall({ requestUriUser: sip.requestUriUser, requestUriHost: sip.replaces ? sip.from.host : sip.requestUriHost, toUser: sip.to.user, from: sip.from, identity: readIdentity((name) => sip.header(name)), sourceAddress: sip.source.address, provenUser }, dialPlanOf(this.#deps)).outcome;
  }

  #refuse(sip: IncomingSipCall, { statusCode, reasonPhrase, reason, why, errorCode }: Refusal): void {
    this.#deps.log.info({ requestUri: withoutPassword(sip.requestUri), source: sip.source.address, statusCode, errorCode, reason: why }, 'call refused');
    sip.reject(statusCode, reasonPhrase, reason === null ? [] : [['Reason', reason]]);
  }

  /** The user agent asks, or refuses what was answered; who has proven to be somebody is looked at again. */
  #ask(sip: IncomingSipCall, { secretsOf, errorCode }: Ask): void {
    const proof = sip.authenticate(secretsOf);
    if (!proof.verified) {
      const reason = { asked: 'credentials asked for', wrong: 'wrong credentials', limited: 'too many wrong credentials' }[proof.reason];
      return this.#deps.log.info({ requestUri: withoutPassword(sip.requestUri), source: sip.source.address, errorCode, reason }, 'call refused: credentials');
    }
    const outcome = this.#decide(sip, proof.username);
    if (outcome.kind === 'call') return this.#take(sip, outcome);
    // Who has proven to be somebody is not asked again.
    this.#refuse(sip, outcome.kind === 'refused' ? outcome : { kind: 'refused', statusCode: 403, reasonPhrase: 'Forbidden', why: 'the credentials are of nobody who may call', errorCode: null, reason: null });
  }

  #take(sip: IncomingSipCall, target: CallTarget): void {
    const { live, config, media, log, clock } = this.#deps;
    const unacceptable = offerProblem(sip, legAudio(config, target.trunk));
    if (unacceptable !== null) {
      log.info({ requestUri: withoutPassword(sip.requestUri), source: sip.source.address, reason: unacceptable }, 'call refused: no media in common');
      return sip.reject(488, 'Not Acceptable Here', [['Reason', `SIP;cause=488;text="${unacceptable.replace(/[^\w .,/:()=-]/g, '?')}"`]]);
    }
    const place = sip.replaces ? replacing(sip, { transfers: live.transfers, live: (sid) => live.live(sid) }) : null;
    const refusal = place && refusalOf(place, target);
    if (refusal) {
      log.info({ callId: sip.callId, source: sip.source.address, ...refusal }, 'a call that would replace another one is refused');
      return sip.reject(refusal.statusCode);
    }
    const nowMs = clock.wallMs();
    const record = newCallRecord({
      accountSid: target.account.sid,
      to: target.to,
      from: target.caller.from,
      phoneNumberSid: target.number?.sid ?? null,
      direction: 'inbound',
      nowMs,
      startedAtMs: nowMs,
      forwardedFrom: forwardedFrom(sip, (user) => (target.trunk && toE164(user, target.trunk.settings.numbers)) ?? user),
      callerName: callerName(target),
    });
    const leg = new InboundLeg(sip, { media, mediaAddressFor: mediaAddressFor(config), ...legAudio(config, target.trunk), log: log.child({ callSid: record.sid }) });
    const plan = { ...this.#plan(target, sip), ...(place && 'attend' in place && { attend: place.attend, source: null, fallback: null, statusCallback: null }) };
    const call = live.add((callDeps, ended) => new Call(callDeps, { record, leg, plan, ended }));
    call.startInbound();
  }

  #plan({ urls, account, applicationSid, domain, username }: CallTarget, sip: IncomingSipCall): CallPlan {
    const { ringTimeoutMs } = this.#deps.config;
    return {
      source: urls.voiceUrl === null ? null : { kind: 'url', url: urls.voiceUrl, method: urls.voiceMethod },
      fallback: urls.voiceFallbackUrl === null ? null : { url: urls.voiceFallbackUrl, method: urls.voiceFallbackMethod },
      statusCallback: urls.statusCallback === null ? null : { url: urls.statusCallback, method: urls.statusCallbackMethod, events: ['completed'] },
      authToken: account.authToken,
      webhookOptions: { applicationSid, sip: { ...sipOf(sip), ...(domain && { domain: domain.domainName, domainSid: domain.sid, ...(username === null ? {} : { username }) }) } },
      ...(ringTimeoutMs === undefined ? {} : { ringTimeoutMs }),
    };
  }
}

/** A phone replaces those of its own account only. */
function refusalOf(place: ReturnType<typeof replacing>, { account, domain }: CallTarget): { statusCode: number; why: string } | null {
  if ('statusCode' in place) return place;
  return domain && place.replaced.accountSid === account.sid ? null : { statusCode: 403, why: 'who replaces is no user of a SIP domain of the same account' };
}

function sipOf(sip: IncomingSipCall): { callId: string; sourceIp: string; headers: IncomingSipCall['headers'] } {
  return { callId: sip.callId, sourceIp: sip.source.address, headers: sip.headers };
}

/** As a carrier tells it, where its trunk wants names (CnamLookupEnabled). */
function callerName({ trunk, caller }: CallTarget): string | null {
  return trunk?.cnamLookupEnabled && caller.name !== '' && caller.from !== 'anonymous' ? caller.name : null;
}

function offerProblem(sip: IncomingSipCall, audio: LegAudio): string | null {
  if (!sip.body) return null;
  try {
    checkOffer(sip.body, audio);
    return null;
  } catch (error) {
    if (error instanceof SdpError) return error.message;
    throw error;
  }
}

/** For the log: `sip:user:password@host` without what is nobody's business. */
function withoutPassword(uri: string): string {
  return uri.replace(/^(sips?:[^:@]*):[^@]*@/i, '$1@');
}
