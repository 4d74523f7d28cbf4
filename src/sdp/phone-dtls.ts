import type { PhoneLine } from './phone-description.ts';

/** DTLS-SRTP of a phone's audio (RFC 5763, RFC 8122): what is offered and answered. Pure. */

export interface DtlsStream {
  /** Of the m= line. */
  protocol: string;
  /** The phone's: `sha-256 AB:CD:…`. */
  fingerprint: string;
  /** Ours. */
  role: 'active' | 'passive';
}

const DTLS = ['UDP/TLS/RTP/SAVP', 'UDP/TLS/RTP/SAVPF'];
/** What a browser speaks, and we offer. */
export const BROWSER_PROTOCOL = 'UDP/TLS/RTP/SAVPF';

export function isDtls(protocol: string): boolean {
  return DTLS.includes(protocol);
}

/**
 * Our role where the phone offers; null for a line without a fingerprint that can be checked. Deviation: RFC 5763 §5 recommends active
 * where the choice is ours. But the phone cannot take a handshake before it has our answer, and a first message that it drops
 * costs a second; so it begins, which opens its NAT too.
 */
export function offeredDtls(line: PhoneLine, inUse: DtlsStream | null): DtlsStream | null {
  if (line.fingerprint === null || line.setup === 'holdconn') return null;
  // The same association goes on, with the same roles (RFC 8842 §5.5).
  const kept = inUse?.fingerprint === line.fingerprint ? inUse.role : null;
  return { protocol: line.protocol, fingerprint: line.fingerprint, role: kept ?? (line.setup === 'passive' ? 'active' : 'passive') };
}

/** Where we offered `actpass`. */
export function answeredDtls(line: PhoneLine, inUse: DtlsStream | null): DtlsStream | null {
  return offeredDtls({ ...line, setup: line.setup === 'passive' ? 'passive' : 'active' }, inUse);
}

export function dtlsAttributes(fingerprint: string, setup: 'actpass' | 'active' | 'passive'): string[] {
  return [`a=fingerprint:${fingerprint}`, `a=setup:${setup}`];
}
