import { isToken, parseParams } from './grammar.ts';
import { parseHostPort } from './uri.ts';

/** One Via value (RFC 3261 §20.42). */
export interface Via {
  /** Upper case: UDP, TCP, TLS, WS … */
  transport: string;
  /** sent-by. */
  host: string;
  port: number | null;
  params: Map<string, string>;
}

/** RFC 3261 §8.1.1.7: branches of transactions that can be told apart by branch alone begin so. */
export const MAGIC_COOKIE = 'z9hG4bK';

/** Any version: the start line is where a wrong one is refused. */
const SENT_PROTOCOL = /^SIP\s*\/\s*[0-9.]+\s*\/\s*([^\s;]+)\s+/i;

/** Null when malformed. */
export function parseVia(value: string): Via | null {
  const head = SENT_PROTOCOL.exec(value);
  if (!head?.[1] || !isToken(head[1])) return null;
  const rest = value.slice(head[0].length);
  const semi = rest.indexOf(';');
  const sentBy = parseHostPort((semi < 0 ? rest : rest.slice(0, semi)).trim());
  const params = parseParams(semi < 0 ? '' : rest.slice(semi));
  if (!sentBy || !params) return null;
  return { transport: head[1].toUpperCase(), ...sentBy, params };
}

/**
 * Notes on the top Via of a request where it came from: `received`, and the value of an empty `rport`
 * (RFC 3261 §18.2.1, RFC 3581 §4).
 */
export function withSource(value: string, via: Via, source: { address: string; port: number }): string {
  let noted = value.replace(/;\s*received\s*=\s*[^;,]*/gi, '');
  if (via.params.has('rport')) noted = noted.replace(/;\s*rport(\s*=\s*[0-9]*)?(?=\s*(;|$))/i, `;rport=${source.port}`);
  if (via.params.has('rport') || via.host.replace(/[[\]]/g, '') !== source.address) noted += `;received=${source.address}`;
  return noted;
}
