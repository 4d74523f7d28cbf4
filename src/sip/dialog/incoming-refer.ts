import type { IncomingSipRefer } from '../contract.ts';
import { SipError } from '../errors.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import type { SipRequest } from '../message/message.ts';
import { parseReplaces, type Replaces } from '../message/replaces.ts';
import { oneLine } from '../message/serialize.ts';
import { reasonPhraseOf } from '../message/status.ts';
import { parseSipUri, requestUriOf } from '../message/uri.ts';

/** What a REFER asks for. */
export interface ReferAsked {
  target: string;
  replaces: Replaces | null;
  referredBy: string | null;
  /** It wants no NOTIFY (RFC 4488). */
  silent: boolean;
}

/** Reads Refer-To and what goes with it (RFC 3515 §2.1, RFC 3891, RFC 3892, RFC 4488); a number: what to refuse it with. */
export function readRefer({ headers }: SipRequest): ReferAsked | number {
  if (headers.count('refer-to') !== 1) return 400;
  const uri = parseNameAddr(headers.get('refer-to') ?? '')?.uri ?? '';
  const silent = /^\s*false\b/i.test(headers.get('refer-sub') ?? '');
  const referredBy = headers.get('referred-by') ?? null;
  if (/^tel:[^\s<>]+$/i.test(uri)) return { target: uri, replaces: null, referredBy, silent };
  const parsed = parseSipUri(uri);
  if (!parsed) return 400;
  // RFC 3515 §2.4.2 leaves other methods open; here only calls are transferred.
  if (![undefined, 'INVITE'].includes(parsed.params.get('method')?.toUpperCase())) return 501;
  const [text, ...more] = parsed.headers.filter(([name]) => name.toLowerCase() === 'replaces').map(([, value]) => value);
  const replaces = text === undefined ? null : parseReplaces(text);
  if (more.length > 0 || (text !== undefined && !replaces)) return 400;
  return { target: requestUriOf(uri), replaces, referredBy, silent };
}

export interface ReferVoice {
  /** Answers the REFER. */
  answer(statusCode: number, options: { reasonPhrase?: string; headers: [name: string, value: string][] }): void;
  /** Sends a NOTIFY within the dialog; false: the dialog is over. `lost`: the other side knows no such subscription. */
  notify(headers: [name: string, value: string][], fragment: string, lost: () => void): boolean;
  /** Of the Event header, when it is not the first REFER of its dialog (RFC 3515 §2.4.6). */
  eventId: string | null;
}

/** How long the other side may count on NOTIFYs; a transfer is over before. */
const EXPIRES_S = 300;

/** A REFER that came: answered once, then told how the new call goes until that is final (RFC 3515 §2.4.4). */
export class IncomingRefer implements IncomingSipRefer {
  readonly target: string;
  readonly replaces: Replaces | null;
  readonly referredBy: string | null;
  readonly #silent: boolean;
  readonly #voice: ReferVoice;
  #state: 'asked' | 'accepted' | 'over' = 'asked';

  constructor({ target, replaces, referredBy, silent }: ReferAsked, voice: ReferVoice) {
    this.target = target;
    this.replaces = replaces;
    this.referredBy = referredBy;
    this.#silent = silent;
    this.#voice = voice;
  }

  get answered(): boolean {
    return this.#state !== 'asked';
  }

  accept(): void {
    if (this.#state !== 'asked') return;
    this.#state = 'accepted';
    this.#voice.answer(202, { headers: this.#silent ? [['Refer-Sub', 'false']] : [] });
    this.#notify(100);
  }

  reject(statusCode: number, reasonPhrase?: string): void {
    if (this.#state !== 'asked') return;
    if (!Number.isInteger(statusCode) || statusCode < 300 || statusCode > 699) throw new SipError(`a REFER is not rejected with ${statusCode}`);
    this.#state = 'over';
    this.#voice.answer(statusCode, { ...(reasonPhrase !== undefined && { reasonPhrase: oneLine(reasonPhrase) }), headers: [] });
  }

  progress(statusCode: number): void {
    this.#notify(statusCode);
  }

  #notify(statusCode: number): void {
    if (this.#state !== 'accepted') return;
    const final = statusCode >= 200;
    if (final) this.#state = 'over';
    if (this.#silent) return;
    const { eventId } = this.#voice;
    const headers: [string, string][] = [
      ['Event', eventId === null ? 'refer' : `refer;id=${eventId}`],
      ['Subscription-State', final ? 'terminated;reason=noresource' : `active;expires=${EXPIRES_S}`],
    ];
    const lost = (): void => void (this.#state = 'over');
    if (!this.#voice.notify(headers, `SIP/2.0 ${statusCode} ${reasonPhraseOf(statusCode)}\r\n`, lost)) lost();
  }
}
