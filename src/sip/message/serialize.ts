import { SipError } from '../errors.ts';
import { isToken } from './grammar.ts';
import type { SipMessage } from './message.ts';

const LINE_BREAK = /[\r\n]/;

/** Refuses what would let a value become another header. */
export function checkHeader(name: string, value: string): void {
  if (!isToken(name)) throw new SipError(`not a header name: ${JSON.stringify(name.slice(0, 60))}`);
  if (LINE_BREAK.test(value)) throw new SipError(`line break in the value of header ${name}`);
}

/** For words of others in a reason: a hang-up must not fail for a line break. */
export function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** Bytes for the wire. Content-Length is always ours. Throws SipError for a line break in any part. */
export function serializeMessage(message: SipMessage): Buffer {
  const first = message.kind === 'request' ? `${message.method} ${message.uri} SIP/2.0` : `SIP/2.0 ${message.statusCode} ${message.reasonPhrase}`;
  if (LINE_BREAK.test(first)) throw new SipError('line break in the start line');
  let head = `${first}\r\n`;
  message.headers.each((name, value, key) => {
    if (key === 'content-length') return;
    checkHeader(name, value);
    head += `${name}: ${value}\r\n`;
  });
  head += `Content-Length: ${message.body.length}\r\n\r\n`;
  if (message.body.length === 0) return Buffer.from(head);
  const headBytes = Buffer.byteLength(head);
  const out = Buffer.allocUnsafe(headBytes + message.body.length);
  out.write(head, 0);
  out.set(message.body, headBytes);
  return out;
}
