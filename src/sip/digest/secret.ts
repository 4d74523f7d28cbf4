import { digestHash } from './answer.ts';

/**
 * What is kept of a password so that Digest answers can be checked: H(username:realm:password) for either algorithm
 * (RFC 7616 §3.4.2). It opens this realm to whoever reads it, but is not the password itself.
 */
export interface DigestSecret {
  md5: string;
  sha256: string;
}

/** The realm of every challenge: one for all domains, so that a secret made once serves wherever its list is mapped. */
export const REALM = 'partyline';

export function makeDigestSecret({ username, password }: { username: string; password: string }, realm: string = REALM): DigestSecret {
  const text = `${username}:${realm}:${password}`;
  return { md5: digestHash('MD5', text), sha256: digestHash('SHA-256', text) };
}
