import type { SipProbeOptions, SipProbeResult } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { newCallId, newTag } from '../identity.ts';
import { RoutedRequest } from '../resolve/routed-request.ts';
import { outsideRequest } from './outside-request.ts';

const DEFAULT_TIMEOUT_MS = 4_000;

/** OPTIONS outside a dialog (RFC 3261 §11): is anybody there? Rejects with SipError for a URI that is none. */
export async function probe(core: SipCore, options: SipProbeOptions): Promise<SipProbeResult> {
  const { to, timeoutMs = DEFAULT_TIMEOUT_MS, outboundProxy } = options;
  const { clock } = core;
  const from = options.from ?? core.identity.contact({ transport: 'udp', peer: '' }).replace(/^<|>$/g, '');
  const { request, destination, contact } = outsideRequest(core, { method: 'OPTIONS', uri: to, from, to, fromTag: newTag(), callId: newCallId(), cseq: 1, ...(outboundProxy !== undefined && { outboundProxy }) });
  const sentAtMs = clock.nowMs();
  return await new Promise((resolve) => {
    const settle = (statusCode: number | null, reason: string): void => {
      limit.cancel();
      resolve({ statusCode, reason, roundTripMs: clock.nowMs() - sentAtMs });
    };
    const user = {
      response: (response: { statusCode: number; reasonPhrase: string }) => response.statusCode >= 200 && settle(response.statusCode, response.reasonPhrase),
      failed: (reason: 'timeout' | 'transport') => settle(null, reason === 'timeout' ? 'no answer' : 'not reachable'),
    };
    const routed = new RoutedRequest(core, request, { destination, contact, user });
    const limit = clock.after(timeoutMs, () => {
      routed.abandon();
      settle(null, 'no answer');
    });
    routed.start();
  });
}
