import type { SipReferWatcher } from '../contract.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import type { SipRequest } from '../message/message.ts';
import { parseSipUri } from '../message/uri.ts';
import { SipError } from '../errors.ts';

/** What a NOTIFY tells of a transfer (RFC 3515 §2.4.5). */
export interface ReferNotice {
  /** Status line of its sipfrag; null when it holds none. */
  statusCode: number | null;
  /** No more will come. */
  terminated: boolean;
}

/** Null when the NOTIFY is not about a transfer (RFC 6665 §8.2.1). */
export function readReferNotice(request: SipRequest): ReferNotice | null {
  const event = request.headers.get('event')?.split(';', 1)[0]?.trim().toLowerCase();
  if (event !== 'refer') return null;
  const state = request.headers.get('subscription-state')?.split(';', 1)[0]?.trim().toLowerCase();
  return { statusCode: statusOfFragment(request), terminated: state === 'terminated' };
}

/** RFC 3420: the start of a response. */
function statusOfFragment({ headers, body }: SipRequest): number | null {
  if (!/^message\/sipfrag\s*(;|$)/i.test(headers.get('content-type') ?? '')) return null;
  const line = Buffer.from(body.subarray(0, 200)).toString('latin1');
  const code = /^\s*SIP\/2\.0\s+([1-6]\d\d)(\s|$)/i.exec(line)?.[1];
  return code === undefined ? null : Number(code);
}

/** Refer-To and Referred-By of our REFER (RFC 3515 §2.1, RFC 3892). Throws SipError for what is no SIP URI. */
export function referHeaders(referTo: string, localAddress: string): [name: string, value: string][] {
  if (!parseSipUri(referTo) || /[<>"\s]/.test(referTo)) throw new SipError(`not a SIP URI to refer to: ${JSON.stringify(referTo.slice(0, 100))}`);
  const ourselves = parseNameAddr(localAddress)?.uri;
  return [['Refer-To', `<${referTo}>`], ...(ourselves === undefined ? [] : [['Referred-By', `<${ourselves}>`] satisfies [string, string]])];
}

/** One transfer under way: passes on what is heard of it, once each, and nothing after its end. */
export class Referral {
  readonly #watcher: SipReferWatcher;
  #over = false;

  constructor(watcher: SipReferWatcher) {
    this.#watcher = watcher;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Final answer to the REFER. */
  answered(statusCode: number): void {
    if (this.#over) return;
    if (statusCode >= 300) this.#over = true;
    this.#watcher.answered(statusCode);
  }

  notified({ statusCode, terminated }: ReferNotice): void {
    if (this.#over) return;
    const final = terminated || (statusCode !== null && statusCode >= 200);
    if (final) this.#over = true;
    this.#watcher.notified({ statusCode, final });
  }
}
