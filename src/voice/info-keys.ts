import type { SipBody } from '../sip/contract.ts';

/** A key that a phone told by INFO instead of in its media. */
export interface InfoKey {
  digit: string;
  /** How long it was held; 0 when the phone does not say. */
  durationMs: number;
}

const MAX_BODY_BYTES = 256;
const MAX_DURATION_MS = 10_000;

/**
 * Reads the two bodies in use: `application/dtmf-relay` (`Signal=5`, `Duration=160`, a line each) and `application/dtmf`, which
 * is the key alone. Neither has an RFC. Null for any other body, and for flash (`!`), which is no key.
 */
export function keyOfInfo(body: SipBody | null): InfoKey | null {
  if (!body || body.bytes.length > MAX_BODY_BYTES) return null;
  const type = body.contentType.split(';', 1)[0]?.trim().toLowerCase();
  const text = Buffer.from(body.bytes).toString('latin1');
  if (type === 'application/dtmf-relay') return relayed(text);
  return type === 'application/dtmf' ? keyNamed(text, 0) : null;
}

function relayed(text: string): InfoKey | null {
  const signal = /^\s*signal\s*=\s*(\S+)\s*$/im.exec(text)?.[1];
  const duration = Number(/^\s*duration\s*=\s*(\d{1,5})\s*$/im.exec(text)?.[1] ?? 0);
  return signal === undefined ? null : keyNamed(signal, Math.min(duration, MAX_DURATION_MS));
}

/** Keys by their sign; `10` to `15` are `*`, `#` and A to D by their event codes (RFC 4733 §3.2). */
function keyNamed(text: string, durationMs: number): InfoKey | null {
  const name = text.trim().toUpperCase();
  if (/^[0-9A-D*#]$/.test(name)) return { digit: name, durationMs };
  return /^1[0-5]$/.test(name) ? { digit: '*#ABCD'.charAt(Number(name) - 10), durationMs } : null;
}
