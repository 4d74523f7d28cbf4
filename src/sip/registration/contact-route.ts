import type { SipContact, SipSource } from '../contract.ts';
import { bracket, parseSipUri, unbracket } from '../message/uri.ts';
import { behindNat, isReliable, transportOf } from '../transport/destination.ts';
import type { Binding } from './binding.ts';

/**
 * How a registered phone is reached: over the proxies that its REGISTER named (RFC 3327 §5.1). Without any, over TCP, TLS or a WebSocket by
 * the connection it opened while that lasts, afterwards at the port of its Contact; over UDP by where its REGISTER came from when its Contact names another
 * address, as it does behind NAT (RFC 3581 §4), or when it keeps that flow open (RFC 5626 §5.3); else as the Contact says. Always at
 * the address that it registered from: whoever may register could send our calls to others otherwise, as to a carrier that knows us by ours.
 */
export function routeTo(binding: Binding, hasConnection: (source: SipSource) => boolean): SipContact {
  const { uri, source, path } = binding;
  if (path.length > 0) return { uri, outboundProxy: path.join() };
  const contact = parseSipUri(uri);
  const open = isReliable(source.transport) && hasConnection(source);
  const natted = source.transport === 'udp' && contact !== null && (binding.outbound !== null || unbracket(contact.host) !== source.address);
  if (open || natted || !contact) return { uri, outboundProxy: proxyText(source) };
  return { uri, outboundProxy: `sip:${bracket(source.address)}${contact.port === null ? '' : `:${contact.port}`};transport=${transportOf(contact)}` };
}

/** With UDP said too: a large request may not go to the same port over TCP instead (RFC 3261 §18.1.1), a NAT lets nothing in there. */
function proxyText({ transport, address, port }: SipSource): string {
  return `sip:${bracket(address)}:${port};transport=${transport}`;
}

/** Whether a phone is reached by the connection of its REGISTER or not at all. */
export function livesOnItsFlow({ uri, source, path, outbound }: Binding): boolean {
  if (path.length > 0 || !isReliable(source.transport)) return false;
  const contact = parseSipUri(uri);
  return source.transport === 'ws' || outbound !== null || !contact || contact.host.endsWith('.invalid') || behindNat(unbracket(contact.host), source.address);
}
