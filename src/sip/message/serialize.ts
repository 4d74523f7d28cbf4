import { SipError } from '../errors.ts';
import { isToken } from './grammar.ts';
import type { SipMessage } from './message.ts';
import { breaksRequestLine } from './uri.ts';

const LINE_BREAK = /[\r\n]/;
/** All control characters but the tab, which is blank space within a value (RFC 3261 §25.1: LWS, TEXT-UTF8). */
const CONTROL = /[^\P{Cc}\t]/u;

/** Refuses what would let a value of ours become another header, or which no text of a header may hold. */
export function checkHeader(name: string, value: string): void {
  if (!isToken(name)) throw new SipError(`not a header name: ${JSON.stringify(name.slice(0, 60))}`);
  if (CONTROL.test(value)) throw new SipError(`control character in the value of header ${name}`);
}

/** For words of others in a reason: a hang-up must not fail for a control character. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

/** What others sent goes back as it came, NUL in a quoted string too (RFC 4475 §3.1.1.2): here only what ends a line is refused. */
function checkLine(name: string, value: string): void {
  if (!isToken(name)) throw new SipError(`not a header name: ${JSON.stringify(name.slice(0, 60))}`);
  if (LINE_BREAK.test(value)) throw new SipError(`line break in the value of header ${name}`);
}

function startLine(message: SipMessage): string {
  if (message.kind === 'response') {
    if (LINE_BREAK.test(message.reasonPhrase)) throw new SipError('line break in a reason phrase');
    return `SIP/2.0 ${message.statusCode} ${message.reasonPhrase}`;
  }
  if (!isToken(message.method) || breaksRequestLine(message.uri)) throw new SipError('a request line of more than three parts');
  return `${message.method} ${message.uri} SIP/2.0`;
}

/** Bytes for the wire. Content-Length is always ours. The one place where messages become bytes: throws SipError for what would make a line more. */
export function serializeMessage(message: SipMessage): Buffer {
  let head = `${startLine(message)}\r\n`;
  message.headers.each((name, value, key) => {
    if (key === 'content-length') return;
    checkLine(name, value);
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
