import type { SipContact, SipSource } from '../contract.ts';
import { bracket, parseSipUri, unbracket } from '../message/uri.ts';
import { isReliable, transportOf, transportParameter } from '../transport/destination.ts';
import type { Binding } from './registrar.ts';

/**
 * How a registered phone is reached. Over TCP, TLS or a WebSocket by the connection it opened while that lasts; over UDP by the address its
 * REGISTER came from when its Contact names another, as it does behind NAT (RFC 3581 §4); else as the Contact says.
 */
export function routeTo({ uri, source }: Binding, hasConnection: (source: SipSource) => boolean): SipContact {
  const contact = parseSipUri(uri);
  const open = isReliable(source.transport) && hasConnection(source);
  const natted = source.transport === 'udp' && contact !== null && unbracket(contact.host) !== source.address;
  if (open || natted || !contact) return { uri, outboundProxy: proxyText(source) };
  return { uri, outboundProxy: `sip:${contact.host}${contact.port === null ? '' : `:${contact.port}`}${transportParameter(transportOf(contact))}` };
}

function proxyText({ transport, address, port }: SipSource): string {
  return `sip:${bracket(address)}:${port}${transportParameter(transport)}`;
}
