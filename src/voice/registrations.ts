import type { AccountSid } from '../base/sid.ts';

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
}

/** Nobody is registered. */
export const NO_REGISTRATIONS: Registrations = { contactsOf: () => [] };
