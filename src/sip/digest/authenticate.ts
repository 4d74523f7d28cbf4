import type { SipAuthentication, SipSecretLookup } from '../contract.ts';
import type { SipCore } from '../core.ts';
import type { GuardVerdict } from './guard.ts';
import type { Refusal } from '../refusals.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import { REALM } from './secret.ts';

/**
 * Checks who sent a request. With `proxy` in the manner of a proxy (407), which is how phones expect it of a call that is
 * passed on, else of a server (401). `refusal` is the answer to give when nobody was verified.
 */
export function authenticate(core: SipCore, { request, source }: ServerTransaction, { proxy, secretsOf }: { proxy: boolean; secretsOf: SipSecretLookup }): { authentication: SipAuthentication; refusal: Refusal | null } {
  const nowMs = core.clock.nowMs();
  const credentials = request.headers.lines(proxy ? 'proxy-authorization' : 'authorization');
  const verdict = core.guard.check({ method: request.method, requestUri: request.uri, credentials, source }, { realm: REALM, secretsOf }, nowMs);
  note(core, source.address, { verdict, nowMs });
  if (verdict.kind === 'verified') return { authentication: { verified: true, username: verdict.username }, refusal: null };
  if (verdict.kind === 'refused') {
    // The same words for a wrong name, a wrong password and too many of them.
    return { authentication: { verified: false, reason: verdict.limited ? 'limited' : 'wrong', username: verdict.username }, refusal: { statusCode: 403 } };
  }
  const name = proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  const headers = core.guard.challenges(REALM, { nowMs, stale: verdict.stale, source }).map((value): [string, string] => [name, value]);
  return { authentication: { verified: false, reason: 'asked', username: null }, refusal: { statusCode: proxy ? 407 : 401, headers } };
}

/** Who proves itself is known at the door from then on, who fails again and again is banned there. */
function note({ door, doorLog }: SipCore, address: string, { verdict, nowMs }: { verdict: GuardVerdict; nowMs: number }): void {
  if (verdict.kind === 'verified') door.proved(address, nowMs);
  if (verdict.kind !== 'refused') return;
  const banMs = door.failed(address, nowMs);
  if (banMs !== null) doorLog.banned(address, banMs, nowMs);
}
