import { createHmac, randomBytes } from 'node:crypto';
import type { SipPorts, SipTransportName } from './contract.ts';
import type { MessageCore } from './message/request-core.ts';
import { bracket } from './message/uri.ts';
import { MAGIC_COOKIE } from './message/via.ts';
import { transportParameter } from './transport/destination.ts';

/** Methods we answer, for Allow. */
export const METHODS = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'INFO', 'UPDATE', 'PRACK', 'REGISTER', 'NOTIFY', 'REFER'] as const;
export const ALLOW = METHODS.join(', ');

/** How this user agent names itself in messages. */
export class Identity {
  readonly product: string;
  readonly #addressFor: (peer: string) => string;
  readonly #ports: () => SipPorts;
  readonly #secret = randomBytes(16);

  constructor(parts: { product: string; addressFor: (peer: string) => string; ports: () => SipPorts }) {
    this.product = parts.product;
    this.#addressFor = parts.addressFor;
    this.#ports = parts.ports;
  }

  via(way: { transport: SipTransportName; peer: string }, branch: string): string {
    // RFC 5923 §5: the certificate that we show at the port we name is the one we show on connections of ours.
    const alias = way.transport === 'tls' && this.#ports().tls !== null ? ';alias' : '';
    return `SIP/2.0/${way.transport.toUpperCase()} ${this.#sentBy(way)};branch=${branch};rport${alias}`;
  }

  contact(way: { transport: SipTransportName; peer: string }): string {
    return `<sip:${this.#sentBy(way)}${transportParameter(way.transport)}>`;
  }

  /** A WebSocket has no port of ours: whoever opened it is reached on it, and nobody opens another to us from what is written here. */
  #sentBy({ transport, peer }: { transport: SipTransportName; peer: string }): string {
    const port = transport === 'ws' ? null : this.#ports()[transport];
    return `${bracket(this.#addressFor(peer))}${port === null ? '' : `:${port}`}`;
  }

  /** The tag of answers given without state: the same for every repetition of a request (RFC 3261 §8.2.7). */
  statelessTag(core: Pick<MessageCore, 'callId' | 'fromTag'>): string {
    return createHmac('sha256', this.#secret).update(`${core.callId}\n${core.fromTag}`).digest('hex').slice(0, 16);
  }
}

export function newTag(): string {
  return randomBytes(8).toString('hex');
}

export function newBranch(): string {
  return MAGIC_COOKIE + randomBytes(10).toString('hex');
}

export function newCallId(): string {
  return randomBytes(16).toString('hex');
}
