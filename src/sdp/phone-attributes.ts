/** Attributes of phones that are checked before anybody sees them. Pure. */

/** A hash of those that RFC 8122 §5 names, MD5 and SHA-1 left out: they no longer prove anything. */
export function readFingerprint(attribute: { type?: unknown; hash?: unknown } | undefined): string | null {
  const text = `${String(attribute?.type ?? '').toLowerCase()} ${String(attribute?.hash ?? '').toUpperCase()}`;
  return /^sha-(224|256|384|512) [0-9A-F]{2}(:[0-9A-F]{2}){27,63}$/.test(text) ? text : null;
}

/** The name that the phone's ICE checks go by; null unless it came with a password (RFC 8839 §5.4). */
export function readUfrag(ufrag: unknown, pwd: unknown): string | null {
  const [user, password] = [String(ufrag ?? ''), String(pwd ?? '')];
  return /^[A-Za-z0-9+/]{4,256}$/.test(user) && /^[A-Za-z0-9+/]{22,256}$/.test(password) ? user : null;
}
