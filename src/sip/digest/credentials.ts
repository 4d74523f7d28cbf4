import { parseParams, splitOutside } from '../message/grammar.ts';

/** A Digest answer of a client, as it came in Authorization or Proxy-Authorization (RFC 7616 §3.4). */
export interface DigestCredentials {
  username: string;
  realm: string;
  nonce: string;
  uri: string;
  /** 32 or 64 hexadecimal digits, lower case. */
  response: string;
  algorithm: 'MD5' | 'SHA-256';
  /** Null for an answer without qop (RFC 2069, which RFC 3261 §22.4 lets stand). */
  qop: { cnonce: string; nc: string; nonceCount: number } | null;
}

const RESPONSE_DIGITS = { MD5: 32, 'SHA-256': 64 };
const MAX_CHARS = 2_000;

/** Null for another scheme, an algorithm we did not offer, qop other than auth, or malformed text. */
export function parseCredentials(value: string): DigestCredentials | null {
  const match = /^digest\s+/i.exec(value.trimStart());
  if (!match || value.length > MAX_CHARS) return null;
  const parts = splitOutside(value.trim().slice(match[0].length), ',');
  const params = parts && parseParams(parts.filter((part) => part !== '').join(';'));
  if (!params) return null;
  const [username, realm, nonce, uri] = ['username', 'realm', 'nonce', 'uri'].map((name) => params.get(name));
  const algorithm = algorithmOf(params.get('algorithm') ?? 'MD5');
  const response = params.get('response')?.toLowerCase();
  if (username === undefined || realm === undefined || nonce === undefined || uri === undefined || response === undefined || algorithm === null) return null;
  if (response.length !== RESPONSE_DIGITS[algorithm] || !/^[0-9a-f]+$/.test(response)) return null;
  const qop = qopOf(params);
  return qop === undefined ? null : { username, realm, nonce, uri, response, algorithm, qop };
}

function algorithmOf(text: string): DigestCredentials['algorithm'] | null {
  const name = text.toUpperCase();
  return name === 'MD5' || name === 'SHA-256' ? name : null;
}

/** Undefined when malformed. */
function qopOf(params: ReadonlyMap<string, string>): DigestCredentials['qop'] | undefined {
  const qop = params.get('qop');
  if (qop === undefined) return null;
  const nc = params.get('nc') ?? '';
  const cnonce = params.get('cnonce');
  if (qop.toLowerCase() !== 'auth' || cnonce === undefined || !/^[0-9a-fA-F]{8}$/.test(nc)) return undefined;
  return { cnonce, nc, nonceCount: Number.parseInt(nc, 16) };
}
