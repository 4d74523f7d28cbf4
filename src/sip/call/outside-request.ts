import { wayTo, type SipCore } from '../core.ts';
import { SipError } from '../errors.ts';
import { ALLOW } from '../identity.ts';
import { Headers } from '../message/headers.ts';
import { NO_BODY, type SipRequest } from '../message/message.ts';
import { checkHeader } from '../message/serialize.ts';
import { parseSipUri, requestUriOf } from '../message/uri.ts';
import { destinationOf, type Destination } from '../transport/destination.ts';

/** A request of ours that belongs to no dialog: REGISTER, OPTIONS. */
export interface OutsideRequestParts {
  method: string;
  /** Request-URI. */
  uri: string;
  from: string;
  to: string;
  fromTag: string;
  callId: string;
  cseq: number;
  /** User part of the Contact, escaped. */
  contactUser?: string;
  /** Where it is sent instead of its Request-URI. */
  outboundProxy?: string;
}

export interface OutsideRequest {
  /** Without Via. */
  request: SipRequest;
  destination: Destination;
  /** Our Contact towards whoever it is sent to. */
  contact: (way: ReturnType<typeof wayTo>) => string;
}

/** Throws SipError for a URI that cannot go into a message. */
export function outsideRequest(core: SipCore, parts: OutsideRequestParts): OutsideRequest {
  const { method, uri, contactUser, outboundProxy } = parts;
  for (const text of [uri, parts.from, parts.to]) if (!parseSipUri(text)) throw notAUri(text);
  const hop = parseSipUri(outboundProxy ?? uri);
  if (!hop) throw notAUri(outboundProxy ?? uri);
  const destination = destinationOf(hop);
  const contact = (way: ReturnType<typeof wayTo>): string => {
    const plain = core.identity.contact(way);
    return contactUser === undefined ? plain : plain.replace(/^<sip:/, `<sip:${contactUser}@`);
  };
  const headers = new Headers();
  if (outboundProxy !== undefined && hop.params.has('lr')) headers.add('Route', `<${outboundProxy}>`);
  headers.add('Max-Forwards', '70').add('From', `<${parts.from}>;tag=${parts.fromTag}`).add('To', `<${parts.to}>`);
  headers.add('Call-ID', parts.callId).add('CSeq', `${parts.cseq} ${method}`).add('Contact', contact(wayTo(destination)));
  headers.add('Allow', ALLOW).add('User-Agent', core.identity.product);
  headers.each(checkHeader);
  return { request: { kind: 'request', method, uri: requestUriOf(uri), headers, body: NO_BODY }, destination, contact };
}

function notAUri(text: string): SipError {
  return new SipError(`not a SIP URI: ${JSON.stringify(text.slice(0, 100))}`);
}
