/** Attributes of phones that are checked before anybody sees them. Pure. */

/** Those of RFC 8122 §5 in octets, what everybody has first. MD5 and SHA-1 are left out: they no longer prove anything. */
const HASH_OCTETS: ReadonlyMap<string, number> = new Map([['sha-256', 32], ['sha-384', 48], ['sha-512', 64], ['sha-224', 28]]);

/** Of the a=fingerprint values of one section the one to check (RFC 8122 §5: several hashes of one certificate), as `sha-256 AB:CD:…`; null when none can be believed. */
export function chooseFingerprint(values: readonly string[]): string | null {
  const read = values.map((value) => /^(sha-\d{3}) +((?:[0-9a-f]{2}:){27,63}[0-9a-f]{2}) *$/i.exec(value)).flatMap((found) => (found ? [{ hash: String(found[1]).toLowerCase(), octets: String(found[2]).toUpperCase() }] : []));
  for (const [hash, count] of HASH_OCTETS) {
    const usable = read.find((print) => print.hash === hash && print.octets.length === count * 3 - 1);
    if (usable) return `${hash} ${usable.octets}`;
  }
  return null;
}

/** The name that the phone's ICE checks go by; null unless it came with a password (RFC 8839 §5.4). */
export function readUfrag(ufrag: unknown, pwd: unknown): string | null {
  const [user, password] = [String(ufrag ?? ''), String(pwd ?? '')];
  return /^[A-Za-z0-9+/]{4,256}$/.test(user) && /^[A-Za-z0-9+/]{22,256}$/.test(password) ? user : null;
}
