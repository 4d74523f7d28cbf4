import type { AccountSid } from '../base/sid.ts';
import type { Log } from '../base/log.ts';
import type { IncomingSipRegister, SipUserAgent } from '../sip/contract.ts';
import { isNumberOverPath } from './carrier/carrier-hosts.ts';
import type { TrunkDirectory } from './carrier/model.ts';
import { registrationAddress, secretsIn } from './dial-plan/sip-domain.ts';
import type { DirectoryRepository, SipDirectory, SipDomainRecord } from './model.ts';

/** Where a registered phone is reached. Both members go into `sip.call` as they are: `to` and `outboundProxy`. */
export interface RegisteredContact {
  /** Request-URI: the Contact of the phone, which may be an address behind NAT. */
  uri: string;
  /** Where the phone's packets come from, `sip:host:port;transport=…`; its open TCP connection is used again. */
  outboundProxy: string;
}

/** Phones that registered as SIP users: what `client:name` and `<Client>` mean here. */
export interface Registrations {
  /** Contacts of the user `identity` over all SIP domains of the account, most wanted first (q, then the newest); empty: nobody is there. */
  contactsOf(accountSid: AccountSid, identity: string): RegisteredContact[];
  /** Contacts behind `sip:user@domain` when `domainName` is a SIP domain of the account with registration; null when it is none. */
  contactsAt(accountSid: AccountSid, address: { user: string; domainName: string }): RegisteredContact[] | null;
}

/**
 * How a called address is reached when it means a registered phone: `client:name`, or a user of a SIP domain with
 * registration. `nobody`: it does, and none is there. Null: the address stands for itself. Of several phones the most wanted.
 */
export function routeToRegistered(to: string, { accountSid, registrations }: { accountSid: AccountSid; registrations: Registrations }): RegisteredContact | 'nobody' | null {
  const client = /^client:(.+)$/i.exec(to)?.[1];
  if (client !== undefined) return registrations.contactsOf(accountSid, client)[0] ?? 'nobody';
  const [, user, domainName, headers = ''] = /^sips?:([^@?;]+)@([^:;?]+)[^?]*(\?.*)?$/i.exec(to) ?? [];
  const contacts = user === undefined || domainName === undefined ? null : registrations.contactsAt(accountSid, { user, domainName });
  if (!contacts) return null;
  const [first] = contacts;
  return first ? { ...first, uri: first.uri + headers } : 'nobody';
}

interface Deps {
  log: Log;
  sip: SipUserAgent;
  directory: DirectoryRepository;
  sipDirectory: SipDirectory;
  trunks: Pick<TrunkDirectory, 'all'>;
}

/**
 * Lets phones register at SIP domains that allow it, as users of the credential lists mapped for registration. A user
 * registers no other name than its own.
 */
export function createRegistrations(deps: Deps): { registrations: Registrations; stop: () => void } {
  const { sip, sipDirectory } = deps;
  const stop = sip.on('registering', (register) => take(register, deps));
  const contactsIn = (domain: SipDomainRecord, user: string): RegisteredContact[] => (domain.sipRegistration ? sip.contactsOf(registrationAddress(domain, user)).filter((contact) => isPhone(contact, deps)) : []);
  const registrations: Registrations = {
    contactsOf: (accountSid, identity) => sipDirectory.domains(accountSid).flatMap((domain) => contactsIn(domain, identity)),
    contactsAt: (accountSid, { user, domainName }) => {
      const domain = sipDirectory.domainByName(domainName.toLowerCase());
      return domain?.accountSid === accountSid && domain.sipRegistration ? contactsIn(domain, user) : null;
    },
  };
  return { registrations, stop };
}

/** A registered user may not have carriers called, at the account's cost. */
function isPhone(contact: RegisteredContact, { trunks, log }: Deps): boolean {
  const isNumber = contact.outboundProxy.includes('<') && isNumberOverPath(trunks.all(), contact);
  if (isNumber) log.warn({ contact: contact.uri }, 'a registered contact is a number at a carrier: it is not called');
  return !isNumber;
}

function take(register: IncomingSipRegister, { directory, sipDirectory, log }: Deps): void {
  const refuse = (reason: string, phrase: string): void => {
    log.info({ domain: register.requestUriHost, source: register.source.address, reason }, 'registration refused');
    register.reject(403, phrase);
  };
  const domain = sipDirectory.domainByName(register.requestUriHost.toLowerCase());
  if (!domain) return refuse('no such domain', 'Unknown domain');
  if (directory.account(domain.accountSid)?.status !== 'active') return refuse('the account of this domain is not active', 'Account not active');
  if (!domain.sipRegistration || domain.registrationCredentialLists.length === 0) return refuse('this domain takes no registrations', 'Registration not allowed');
  const proof = register.authenticate(secretsIn(domain.registrationCredentialLists, { accountSid: domain.accountSid, sip: sipDirectory }));
  if (!proof.verified) {
    if (proof.reason !== 'asked') log.info({ domain: domain.domainName, source: register.source.address, reason: `${proof.reason} credentials`, errorCode: 32202 }, 'registration refused');
    return;
  }
  // RFC 3261 §10.3 steps 4 and 5: the address that is registered is the user's own.
  const { user, host } = register.to;
  if (user !== proof.username || host.toLowerCase() !== domain.domainName) return refuse('To names another user than the credentials', 'Not your address');
  register.accept(registrationAddress(domain, proof.username));
}
