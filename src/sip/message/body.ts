import type { SipBody } from '../contract.ts';
import type { SipMessage } from './message.ts';

/** The body of a message; null when it has none. */
export function bodyOf(message: SipMessage): SipBody | null {
  return message.body.length === 0 ? null : { contentType: message.headers.get('content-type') ?? '', bytes: message.body };
}
