import { isToken, parseNumber } from './grammar.ts';
import { Headers } from './headers.ts';
import { LIMITS, NO_BODY, type SipMessage } from './message.ts';
import { breaksRequestLine } from './uri.ts';

/**
 * What became of some bytes. `defect` is null for a message whose frame is sound; otherwise it is the reason phrase of
 * a 400 (or 505) that may be sent when the rest suffices to answer.
 */
export interface Parsed {
  message: SipMessage;
  defect: Defect | null;
}

export interface Defect {
  statusCode: 400 | 416 | 501 | 505 | 513;
  reasonPhrase: string;
}

const bad = (reasonPhrase: string): Defect => ({ statusCode: 400, reasonPhrase });

/** One datagram, or one message cut out of a stream. Null for what is no SIP at all, or more of it than LIMITS allow. */
export function parseMessage(bytes: Buffer): Parsed | null {
  if (bytes.length > LIMITS.messageBytes) return null;
  const start = skipLineEnds(bytes);
  const end = bytes.indexOf('\r\n\r\n', start);
  const head = bytes.toString('utf8', start, end < 0 ? bytes.length : end);
  const parsed = parseHead(head);
  if (!parsed) return null;
  if (end < 0) parsed.defect ??= bad('Header section not terminated');
  else takeBody(parsed, bytes.subarray(end + 4));
  return parsed;
}

/** RFC 3261 §7.5: line ends before the start line are ignored. */
function skipLineEnds(bytes: Buffer): number {
  let i = 0;
  while (bytes[i] === 13 || bytes[i] === 10) i++;
  return i;
}

function parseHead(head: string): Parsed | null {
  const lineEnd = head.indexOf('\r\n');
  if (lineEnd <= 0) return null;
  const parsed = parseStartLine(head.slice(0, lineEnd));
  if (!parsed) return null;
  const defect = parseHeaderLines(head, lineEnd + 2, parsed.message.headers);
  if (defect === 'too-many') return null;
  parsed.defect ??= defect;
  return parsed;
}

function parseStartLine(line: string): Parsed | null {
  if (line.length > LIMITS.headerLineBytes) return null;
  return /^SIP\/\d/i.test(line) ? parseStatusLine(line) : parseRequestLine(line);
}

function parseStatusLine(line: string): Parsed | null {
  const match = /^SIP\/2\.0 ([1-6][0-9][0-9])(?: (.*))?$/i.exec(line);
  if (!match) return null;
  const message: SipMessage = { kind: 'response', statusCode: Number(match[1]), reasonPhrase: match[2] ?? '', headers: new Headers(), body: NO_BODY };
  return { message, defect: null };
}

/** RFC 3261 §7.1: three parts, one space between them. */
function parseRequestLine(line: string): Parsed | null {
  const first = line.indexOf(' ');
  const last = line.trimEnd().lastIndexOf(' ');
  const method = line.slice(0, Math.max(first, 0));
  if (!isToken(method) || last <= first) return null;
  const uri = line.slice(first + 1, last);
  const version = line.slice(last + 1);
  if (!/^SIP\s*\/\s*[0-9.]+\s*$/i.test(version)) return null;
  const message: SipMessage = { kind: 'request', method, uri, headers: new Headers(), body: NO_BODY };
  return { message, defect: requestLineDefect(uri, version) };
}

function requestLineDefect(uri: string, version: string): Defect | null {
  if (/^SIP\/[0-9.]+$/i.test(version) && !/^SIP\/2\.0$/i.test(version)) return { statusCode: 505, reasonPhrase: 'Version Not Supported' };
  if (!/^SIP\/2\.0$/i.test(version)) return bad('Malformed Request Line');
  return breaksRequestLine(uri) ? bad('Malformed Request-URI') : null;
}

function parseHeaderLines(head: string, from: number, headers: Headers): Defect | 'too-many' | null {
  let defect: Defect | null = null;
  for (let at = from; at < head.length; ) {
    const end = logicalLineEnd(head, at);
    if (headers.length >= LIMITS.headers) return 'too-many';
    defect = addHeaderLine(head.slice(at, end), headers) ?? defect;
    at = end + 2;
  }
  return defect;
}

/** End of a header with its folded lines (RFC 3261 §7.3.1: a line that begins with blank space continues the one before). */
function logicalLineEnd(head: string, from: number): number {
  for (let at = from; ; ) {
    const end = head.indexOf('\r\n', at);
    if (end < 0) return head.length;
    const next = head.charCodeAt(end + 2);
    if (next !== 32 && next !== 9) return end;
    at = end + 2;
  }
}

function addHeaderLine(line: string, headers: Headers): Defect | null {
  if (line.length > LIMITS.headerLineBytes) return bad('Header Too Long');
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0)).trimEnd();
  if (!isToken(name)) return bad('Malformed Header');
  let value = line.slice(colon + 1).trim();
  if (value.includes('\r') || value.includes('\n')) {
    value = value.replace(/\r\n[ \t]+/g, ' ');
    if (/[\r\n]/.test(value)) return bad('Line Break In Header');
  }
  headers.add(name, value);
  return null;
}

/** RFC 3261 §18.3: over UDP, what goes beyond Content-Length is cut off, and what falls short is an error. */
function takeBody(parsed: Parsed, rest: Buffer): void {
  const length = contentLength(parsed.message.headers);
  if (length === 'malformed') {
    parsed.defect ??= bad('Malformed Content-Length');
    return;
  }
  if (length !== null && length > rest.length) parsed.defect ??= bad('Body Shorter Than Content-Length');
  parsed.message.body = length === null ? rest : rest.subarray(0, length);
}

/** Null when the header is absent. Several that agree count as one. */
export function contentLength(headers: Headers): number | null | 'malformed' {
  const first = headers.get('content-length');
  if (first === undefined) return null;
  if (headers.count('content-length') > 1 && new Set(headers.lines('content-length')).size > 1) return 'malformed';
  return parseNumber(first, LIMITS.messageBytes) ?? 'malformed';
}
