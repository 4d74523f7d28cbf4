import type { SipParty } from '../../sip/contract.ts';
import type { AccountRecord, DirectoryRepository, PhoneNumberRecord, SipDirectory, SipDomainRecord } from '../model.ts';
import { e164Of, numberCandidates } from './number.ts';

/** Who answers a call that came in, or why nobody does. */
export type Route = { kind: 'number'; number: PhoneNumberRecord; account: AccountRecord } | { kind: 'domain'; domain: SipDomainRecord; account: AccountRecord } | Refusal;

export interface Refusal {
  kind: 'refused';
  statusCode: 403 | 404 | 503;
  reasonPhrase: string;
  /** Value of a Reason header, for the log of the caller's side. */
  reason: string;
}

interface Called {
  requestUriUser: string;
  requestUriHost: string;
}

/**
 * Request-URI → SIP domain, or number → account. Nothing in From is believed. `localHosts` are the host names this server goes by; a
 * wildcard bind address among them stands for every IP address.
 */
export function routeCall(called: Called, options: { directory: DirectoryRepository; sipDirectory: SipDirectory; localHosts: readonly string[] }): Route {
  const domain = options.sipDirectory.domainByName(called.requestUriHost.toLowerCase());
  if (domain) return routeToDomain(domain, options.directory);
  if (!isLocalHost(called.requestUriHost, options.localHosts)) return refused(403, 'Unknown domain', `no domain ${printable(called.requestUriHost)} here`);
  const number = numberCandidates(called.requestUriUser).map((text) => options.directory.numberByDigits(text)).find((found) => found !== null);
  if (!number) return refused(404, 'Unknown number', `no number ${printable(called.requestUriUser)} here`);
  const account = options.directory.account(number.accountSid);
  if (account?.status !== 'active') return refused(403, 'Account not active', 'the account of this number is not active');
  if (number.trunkSid !== null) return refused(404, 'Number is on a trunk', 'this number belongs to a SIP trunk and runs no application');
  return { kind: 'number', number, account };
}

function routeToDomain(domain: SipDomainRecord, directory: DirectoryRepository): Route {
  const account = directory.account(domain.accountSid);
  return account?.status === 'active' ? { kind: 'domain', domain, account } : refused(403, 'Account not active', 'the account of this domain is not active');
}

function refused(statusCode: Refusal['statusCode'], reasonPhrase: string, text: string): Refusal {
  return { kind: 'refused', statusCode, reasonPhrase, reason: `SIP;cause=${statusCode};text="${text}"` };
}

function isLocalHost(host: string, localHosts: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  if (localHosts.includes(name)) return true;
  const anyAddress = localHosts.includes('0.0.0.0') || localHosts.includes('::');
  return anyAddress && (/^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name.includes(':'));
}

/** Text of outside, fit for a quoted string of a header. */
function printable(text: string): string {
  return text.replace(/[^\w.+@:-]/g, '?').slice(0, 64);
}

/** The caller as webhooks name it: E.164 where it is a number, `sip:user@host` else, `anonymous` when withheld. */
export function callerOf(from: SipParty): string {
  if (from.user.toLowerCase() === 'anonymous' || from.host.toLowerCase() === 'anonymous.invalid') return 'anonymous';
  const number = e164Of(from.user);
  if (number !== null) return number;
  return from.user === '' ? `sip:${from.host}` : `sip:${from.user}@${from.host}`;
}
