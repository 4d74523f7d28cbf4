import { createHash } from 'node:crypto';
import { parseParams, quote, splitOutside } from '../message/grammar.ts';

/** A Digest challenge of a 401 or 407 (RFC 7616 §3.3, RFC 8760). */
export interface DigestChallenge {
  realm: string;
  nonce: string;
  opaque: string | null;
  algorithm: DigestAlgorithm;
  qopAuth: boolean;
  stale: boolean;
}

export type DigestAlgorithm = 'MD5' | 'SHA-256' | 'SHA-512-256';

const HASH: Record<DigestAlgorithm, string> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' };

/** H of RFC 7616 §3.3: lower-case hexadecimal. */
export function digestHash(algorithm: DigestAlgorithm, text: string): string {
  return createHash(HASH[algorithm]).update(text).digest('hex');
}
const STRENGTH: DigestAlgorithm[] = ['MD5', 'SHA-256', 'SHA-512-256'];

/** Null for another scheme, an algorithm we do not speak (`-sess` among them), or only `qop=auth-int`. */
export function parseChallenge(value: string): DigestChallenge | null {
  const match = /^digest\s+/i.exec(value.trim());
  if (!match) return null;
  const parts = splitOutside(value.trim().slice(match[0].length), ',');
  const params = parts && parseParams(parts.filter((part) => part !== '').join(';'));
  const algorithm = STRENGTH.find((name) => name === (params?.get('algorithm') ?? 'MD5').toUpperCase());
  const realm = params?.get('realm');
  const nonce = params?.get('nonce');
  if (!params || !algorithm || realm === undefined || nonce === undefined) return null;
  const qops = params.get('qop')?.split(',').map((qop) => qop.trim().toLowerCase());
  if (qops && !qops.includes('auth')) return null;
  const stale = params.get('stale')?.toLowerCase() === 'true';
  return { realm, nonce, opaque: params.get('opaque') ?? null, algorithm, qopAuth: qops !== undefined, stale };
}

/** The strongest challenge we can answer among several header lines. */
export function chooseChallenge(values: string[]): DigestChallenge | null {
  const known = values.map(parseChallenge).filter((challenge) => challenge !== null);
  return known.sort((a, b) => STRENGTH.indexOf(b.algorithm) - STRENGTH.indexOf(a.algorithm))[0] ?? null;
}

/** For people: why there is no answer to these challenges. Null when there is one. */
export function whyUnanswerable(values: string[]): string | null {
  if (chooseChallenge(values)) return null;
  if (values.length === 0) return 'it says not what proof it wants';
  if (values.some((value) => /qop="?auth-int/i.test(value))) return 'it wants qop=auth-int, which is not spoken here';
  return 'none of its challenges is Digest with MD5, SHA-256 or SHA-512-256';
}

export interface DigestAnswerInput {
  challenge: DigestChallenge;
  credentials: { username: string; password: string };
  method: string;
  /** Request-URI. */
  uri: string;
  cnonce: string;
  /** How often this nonce was used, from 1. */
  nonceCount: number;
}

/** Value of an Authorization or Proxy-Authorization header (RFC 7616 §3.4). */
export function answerChallenge(input: DigestAnswerInput): string {
  const { challenge, credentials, method, uri, cnonce } = input;
  const hash = (text: string): string => digestHash(challenge.algorithm, text);
  const nc = input.nonceCount.toString(16).padStart(8, '0');
  const secret = hash(`${credentials.username}:${challenge.realm}:${credentials.password}`);
  const middle = challenge.qopAuth ? `${challenge.nonce}:${nc}:${cnonce}:auth` : challenge.nonce;
  const response = hash(`${secret}:${middle}:${hash(`${method}:${uri}`)}`);
  const fields = [`username=${quote(credentials.username)}`, `realm=${quote(challenge.realm)}`, `nonce=${quote(challenge.nonce)}`, `uri=${quote(uri)}`];
  fields.push(`response="${response}"`, `algorithm=${challenge.algorithm}`);
  if (challenge.qopAuth) fields.push('qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`);
  if (challenge.opaque !== null) fields.push(`opaque=${quote(challenge.opaque)}`);
  return `Digest ${fields.join(', ')}`;
}
