import { randomBytes } from 'node:crypto';

/** RFC 8122 §5, with a hash that is still believed. */
export function isFingerprint(text: string): boolean {
  return /^sha-(1|224|256|384|512) [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){19,63}$/i.test(text);
}

/** Base64 of 6 and 18 bytes: 8 and 24 ice-chars without padding (RFC 8839 §5.4). */
export function newIceCredentials(): { iceUfrag: string; icePwd: string } {
  return { iceUfrag: randomBytes(6).toString('base64'), icePwd: randomBytes(18).toString('base64') };
}
