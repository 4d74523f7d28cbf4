import { isToken, parseNumber } from './grammar.ts';

export interface CSeq {
  number: number;
  method: string;
}

/** `4711 INVITE`; numbers below 2^31 (RFC 3261 §8.1.1.5). Null when malformed. */
export function parseCSeq(value: string): CSeq | null {
  const match = /^([0-9]+)\s+(\S+)$/.exec(value.trim());
  const number = parseNumber(match?.[1] ?? '', 2 ** 31 - 1);
  const method = match?.[2] ?? '';
  return number === null || !isToken(method) ? null : { number, method };
}
