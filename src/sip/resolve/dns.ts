/** The questions to the name service that finding a server takes (RFC 3263). Answered by transport/system-dns.ts, or by a test. */

export interface NaptrRecord {
  order: number;
  preference: number;
  flags: string;
  service: string;
  replacement: string;
}

export interface SrvRecord {
  priority: number;
  weight: number;
  port: number;
  target: string;
}

/** `ttlMs`: how long it may be believed. No records: there are none of that kind, or of that name. */
export interface DnsAnswer<R> {
  records: readonly R[];
  ttlMs: number;
}

export interface Dns {
  /** What this machine's own table of hosts has for a name; null when it is not in there. */
  localAddresses(name: string): readonly string[] | null;
  /** These three reject when the name service did not answer. */
  naptr(name: string): Promise<DnsAnswer<NaptrRecord>>;
  srv(name: string): Promise<DnsAnswer<SrvRecord>>;
  /** IPv4 and IPv6, those of IPv4 first. */
  addresses(name: string): Promise<DnsAnswer<string>>;
}
