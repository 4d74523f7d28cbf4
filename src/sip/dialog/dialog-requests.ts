import type { SipBody, SipSource } from '../contract.ts';
import { sendAlone, sendRequest, wayTo, type SipCore } from '../core.ts';
import type { Authorizer } from '../digest/authorizer.ts';
import type { SipRequest, SipResponse } from '../message/message.ts';
import { behindNat, destinationOf, isReliable, type Destination } from '../transport/destination.ts';
import { requestWithin, type Dialog, type DialogRequest } from './dialog.ts';

export interface RequestInDialog {
  method: string;
  headers?: readonly (readonly [name: string, value: string])[];
  body?: SipBody | null;
  /** Says where we are reached, as INVITE, UPDATE and REFER do. */
  contact?: boolean;
  /** A challenge is answered as long as this holds. Default: always. */
  wanted?: () => boolean;
  /** Final answer, challenges that could be answered left out; every repetition of a 2xx to INVITE. */
  answered: (response: SipResponse, request: SipRequest) => void;
  /** Nothing came in time, or it could not be sent. */
  failed: (reason: 'timeout' | 'transport') => void;
}

/** A request under way. */
export interface RequestHandle {
  /** Nothing more is heard of it. */
  abandon(): void;
}

/** Sends our requests within one dialog, and once more when they are challenged. */
export class DialogRequests {
  readonly #core: SipCore;
  readonly #dialog: Dialog;
  readonly #source: SipSource;
  readonly #authorizer: Authorizer;

  constructor(core: SipCore, parts: { dialog: Dialog; source: SipSource; authorizer: Authorizer }) {
    this.#core = core;
    this.#dialog = parts.dialog;
    this.#source = parts.source;
    this.#authorizer = parts.authorizer;
  }

  send(what: RequestInDialog): RequestHandle {
    const handle = { abandoned: false, current: null as RequestHandle | null };
    const attempt = (count: number, authorization: [string, string][]): void => {
      const made = requestWithin(this.#dialog, what.method);
      const destination = this.#destinationOf(made);
      if (!destination) return what.failed('transport');
      this.#dress(made.request, what, { destination, authorization });
      const response = (response: SipResponse): void => {
        if (handle.abandoned || response.statusCode < 200) return;
        const answer = this.#authorizer.answer(response, made.request, count);
        if (answer && what.wanted?.() !== false) attempt(count + 1, [...authorization.filter(([name]) => name !== answer[0]), answer]);
        else what.answered(response, made.request);
      };
      const failed = (reason: 'timeout' | 'transport'): void => {
        if (!handle.abandoned) what.failed(reason);
      };
      handle.current = sendRequest(this.#core, made.request, { destination, user: { response, failed } });
    };
    attempt(0, []);
    return {
      abandon: () => {
        handle.abandoned = true;
        handle.current?.abandon();
      },
    };
  }

  /** ACK for a 2xx, with the credentials of its INVITE (RFC 3261 §13.2.2.4, §22.1). */
  acknowledge(inviteCSeq: number, authorization: readonly [string, string][]): void {
    const ack = requestWithin(this.#dialog, 'ACK', inviteCSeq);
    for (const [name, value] of authorization) ack.request.headers.add(name, value);
    const destination = this.#destinationOf(ack);
    if (destination) sendAlone(this.#core, ack.request, destination);
  }

  #dress(request: SipRequest, what: RequestInDialog, way: { destination: Destination; authorization: [string, string][] }): void {
    if (what.contact) request.headers.add('Contact', this.#core.identity.contact(wayTo(way.destination)));
    for (const [name, value] of [...(what.headers ?? []), ...way.authorization]) request.headers.add(name, value);
    if (!what.body) return;
    request.headers.add('Content-Type', what.body.contentType);
    request.body = what.body.bytes;
  }

  /** The next hop's own words. But a phone behind NAT, or one that says so (`ob`, RFC 5626 §4.3), is reached on the connection it opened, or where its datagrams come from. */
  #destinationOf(request: DialogRequest): Destination | null {
    if (!request.nextHop) return null;
    const destination = destinationOf(request.nextHop);
    const source = this.#source;
    if (this.#dialog.routeSet.length > 0 || destination.transport !== source.transport) return destination;
    const direct = isReliable(source.transport) ? this.#core.layer.hasConnection(source) : request.nextHop.params.has('ob') || behindNat(destination.host, source.address);
    return direct ? { transport: source.transport, host: source.address, port: source.port, address: source.address } : destination;
  }
}

/** The credentials that a request carried. */
export function credentialsOf(request: SipRequest): [string, string][] {
  return request.headers.entries().filter(([name]) => name === 'Authorization' || name === 'Proxy-Authorization');
}
