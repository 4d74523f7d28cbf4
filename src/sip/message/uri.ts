import { parseNumber, percentDecode } from './grammar.ts';

/** A SIP or SIPS URI (RFC 3261 §19.1). */
export interface SipUri {
  scheme: 'sip' | 'sips';
  /** As written, still escaped; '' when the URI has no user part. */
  user: string;
  /** Lower case; IPv6 in brackets. */
  host: string;
  /** Null when the URI names none. */
  port: number | null;
  /** Lower-case names; '' for a flag such as `lr`. */
  params: Map<string, string>;
  /** `?name=value&…`, unescaped. */
  headers: [name: string, value: string][];
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9_.-]*[a-z0-9.])?)$/;
const USER = /^([A-Za-z0-9\-_.!~*'()&=+$,;?/:#]|%[0-9a-fA-F]{2})+$/;
/** A little more than RFC 3261 allows unescaped in header values: people write `?X-Mail=a@b`. */
const HEADERS = /^([A-Za-z0-9\-_.!~*'()[\]/:&+$=;?@,]|%[0-9a-fA-F]{2})*$/;
const REST = /^([A-Za-z0-9\-_.!~*'()[\]/:&+$=;]|%[0-9a-fA-F]{2})*$/;

/** Host and port as in URIs and Via: `example.com:5060`, `[::1]`. Null when malformed. */
export function parseHostPort(text: string): { host: string; port: number | null } | null {
  const colon = text.startsWith('[') ? text.indexOf(':', text.indexOf(']')) : text.indexOf(':');
  const host = (colon < 0 ? text : text.slice(0, colon)).trim().toLowerCase();
  if (!HOST.test(host)) return null;
  if (colon < 0) return { host, port: null };
  const port = parseNumber(text.slice(colon + 1).trim(), 65535);
  return port === null || port === 0 ? null : { host, port };
}

/** True for what would be read as another request line: no URI holds blank space, control characters, brackets or quotes (RFC 3261 §25.1). */
export function breaksRequestLine(uri: string): boolean {
  return uri === '' || /[\s\p{Cc}<>"]/u.test(uri);
}

/** Null for another scheme or a malformed URI. */
export function parseSipUri(text: string): SipUri | null {
  const match = /^(sips?):/i.exec(text);
  if (!match) return null;
  let rest = text.slice(match[0].length);
  const question = questionAt(rest);
  const headerText = question < 0 ? '' : rest.slice(question + 1);
  if (question >= 0) rest = rest.slice(0, question);
  const at = rest.lastIndexOf('@');
  const userInfo = at < 0 ? '' : rest.slice(0, at);
  if (at === 0 || (userInfo !== '' && !USER.test(userInfo))) return null;
  const [hostText = '', ...paramTexts] = rest.slice(at + 1).split(';');
  const hostPort = parseHostPort(hostText);
  const params = parseUriParams(paramTexts);
  if (!hostPort || /\s/.test(hostText) || !params || !HEADERS.test(headerText)) return null;
  const scheme = match[1]?.toLowerCase() === 'sips' ? 'sips' : 'sip';
  return { scheme, user: withoutPassword(userInfo), ...hostPort, params, headers: parseUriHeaders(headerText) };
}

/** A `?` may stand in the user part, so the one that counts comes after the `@`. */
function questionAt(rest: string): number {
  return rest.indexOf('?', Math.max(0, rest.indexOf('@')));
}

function withoutPassword(userInfo: string): string {
  const colon = userInfo.indexOf(':');
  return colon < 0 ? userInfo : userInfo.slice(0, colon);
}

function parseUriParams(texts: string[]): Map<string, string> | null {
  const params = new Map<string, string>();
  for (const text of texts) {
    if (text === '' || !REST.test(text)) return null;
    const eq = text.indexOf('=');
    params.set((eq < 0 ? text : text.slice(0, eq)).toLowerCase(), eq < 0 ? '' : percentDecode(text.slice(eq + 1)));
  }
  return params;
}

function parseUriHeaders(text: string): [string, string][] {
  if (text === '') return [];
  return text.split('&').map((pair) => {
    const eq = pair.indexOf('=');
    return [percentDecode(eq < 0 ? pair : pair.slice(0, eq)), eq < 0 ? '' : percentDecode(pair.slice(eq + 1))];
  });
}

/** The scheme of any URI in lower case, or null when the text is no URI at all. */
export function uriScheme(text: string): string | null {
  const match = /^([a-z][a-z0-9+.-]*):[^\s<>]+$/i.exec(text);
  return match?.[1]?.toLowerCase() ?? null;
}

/** What goes onto the request line: without headers and the `method` parameter (RFC 3261 §19.1.1, table 1). */
export function requestUriOf(text: string): string {
  const question = questionAt(text);
  const bare = question < 0 ? text : text.slice(0, question);
  return bare.replace(/;method=[^;]*/i, '');
}

/** `[::1]` → `::1`, for sockets. */
export function unbracket(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** `::1` → `[::1]`, for messages. */
export function bracket(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
}
