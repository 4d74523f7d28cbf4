import type { SipSecretLookup } from '../../sip/contract.ts';
import { makeDigestSecret } from '../../sip/digest/secret.ts';
import type { SipCredentialListRecord, SipDirectory, SipDomainRecord, SipMapping } from '../model.ts';
import { inRange } from './ip-range.ts';

/** What is kept of a SIP user's password. */
export function sipSecret(user: { username: string; password: string }): { md5: string; sha256: string } {
  return makeDigestSecret(user);
}

/** The address that phones of a domain register under. */
export function registrationAddress(domain: Pick<SipDomainRecord, 'sid'>, username: string): string {
  return `${domain.sid} ${username}`;
}

export type Admission =
  | { kind: 'admitted' }
  /** It must prove to be one of these users. */
  | { kind: 'ask'; secretsOf: SipSecretLookup }
  | { kind: 'refused'; errorCode: 32201 | null; reason: string };

/**
 * Whether a call may come in to a domain (contract §6): its source must stand in an access list when there is one, its
 * sender must prove to be in a credential list when there is one, both when there are both. Without any nobody may.
 * `provenUser`: what the sender has proven already, null: nothing.
 */
export function admitToDomain({ source, provenUser }: { source: string; provenUser: string | null }, domain: SipDomainRecord, sip: SipDirectory): Admission {
  const { callIpAcls, callCredentialLists } = domain;
  if (callIpAcls.length + callCredentialLists.length === 0) return { kind: 'refused', errorCode: null, reason: 'nothing is mapped to this domain that would let a call in' };
  if (callIpAcls.length > 0 && !addressAllowed(source, domain, sip)) return { kind: 'refused', errorCode: 32201, reason: 'the source address is in no access list of this domain' };
  if (callCredentialLists.length === 0 || provenUser !== null) return { kind: 'admitted' };
  return { kind: 'ask', secretsOf: secretsIn(callCredentialLists, { accountSid: domain.accountSid, sip }) };
}

/** The users of some mapped credential lists. */
export function secretsIn(mappings: readonly SipMapping<SipCredentialListRecord['sid']>[], { accountSid, sip }: { accountSid: SipDomainRecord['accountSid']; sip: SipDirectory }): SipSecretLookup {
  return (username) =>
    mappings.flatMap(({ sid }) => (sip.credentialList(accountSid, sid)?.credentials ?? []).filter((credential) => credential.username === username).map(({ secret }) => secret));
}

function addressAllowed(address: string, { accountSid, callIpAcls }: SipDomainRecord, sip: SipDirectory): boolean {
  const addresses = callIpAcls.flatMap(({ sid }) => sip.ipAcl(accountSid, sid)?.addresses ?? []);
  return addresses.some(({ ipAddress, cidrPrefixLength }) => inRange(address, { network: ipAddress, prefixLength: cidrPrefixLength }));
}
