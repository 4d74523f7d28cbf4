import { randomBytes } from 'node:crypto';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { answerChallenge, chooseChallenge } from './answer.ts';

/** How often one request is sent again because its nonce was called stale. */
const STALE_LIMIT = 3;

/** Answers the challenges to the requests of one call. */
export class Authorizer {
  readonly #credentials: { username: string; password: string } | null;
  #nonce = '';
  #nonceCount = 0;

  constructor(credentials: { username: string; password: string } | null) {
    this.#credentials = credentials;
  }

  /**
   * The header that answers a 401 or 407, or null when there is no answer: no credentials, no algorithm we speak, or the
   * credentials were refused already. `attempt` is how often this request was answered before, from 0.
   */
  answer(response: SipResponse, request: Pick<SipRequest, 'method' | 'uri'>, attempt: number): [name: string, value: string] | null {
    const proxy = response.statusCode === 407;
    if (!this.#credentials || (response.statusCode !== 401 && !proxy)) return null;
    const challenge = chooseChallenge(response.headers.lines(proxy ? 'proxy-authenticate' : 'www-authenticate'));
    if (!challenge || (attempt > 0 && !(challenge.stale && attempt <= STALE_LIMIT))) return null;
    const nonceCount = this.#count(challenge.nonce);
    const cnonce = randomBytes(8).toString('hex');
    const value = answerChallenge({ challenge, credentials: this.#credentials, method: request.method, uri: request.uri, cnonce, nonceCount });
    return [proxy ? 'Proxy-Authorization' : 'Authorization', value];
  }

  #count(nonce: string): number {
    this.#nonceCount = nonce === this.#nonce ? this.#nonceCount + 1 : 1;
    this.#nonce = nonce;
    return this.#nonceCount;
  }
}
