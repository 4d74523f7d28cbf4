import type { Clock } from './base/clock.ts';
import type { Config } from './config.ts';
import { mediaAddressesOf, sipAddressesOf } from './own-addresses.ts';
import { probeRtp, probeSip, type ProbeResult } from './port-probe.ts';
import { bracket } from './sip/message/uri.ts';
import { boundFamilies, chooseOwnAddress, familyOf, isLoopback, isPrivateAddress, isWildcard, type AddressFamily, type Interfaces, type OwnAddresses } from './sip/transport/own-address.ts';

/** What a server tells the world of itself, whether that answers, and what is likely wrong with it. */
export interface SelfTest {
  /** One address and its ports each: `203.0.113.5:5060  UDP answers, TCP answers`. */
  sip: string[];
  media: string[];
  warnings: string[];
}

export interface SelfTestParts {
  /** As bound; null: no TLS. */
  ports: { udp: number; tcp: number; tls: number | null };
  clock: Clock;
  /** Of this machine. Tests bring their own. */
  interfaces?: Interfaces;
}

/** Somebody out there, by family: documentation addresses, which nobody has (RFC 5737, RFC 3849). */
const STRANGER: Record<AddressFamily, string> = { 4: '192.0.2.1', 6: '2001:db8::1' };
const SETTING: Record<'sip' | 'media', { bind: string; public: string }> = {
  sip: { bind: 'PARTYLINE_SIP_BIND_ADDRESS', public: 'PARTYLINE_SIP_PUBLIC_ADDRESS' },
  media: { bind: 'PARTYLINE_MEDIA_BIND_ADDRESS', public: 'PARTYLINE_MEDIA_PUBLIC_ADDRESS' },
};

/**
 * Asks a server that runs on this machine as somebody from outside would: by the addresses it tells them. Never rejects. An address of a NAT
 * that does not lead back is silent here and may work all the same, so nothing of this fails a start.
 */
export async function runSelfTest(config: Config, parts: SelfTestParts): Promise<SelfTest> {
  const [sip, media] = [toldBy(sipAddressesOf(config), parts.interfaces), toldBy(mediaAddressesOf(config), parts.interfaces)];
  const probes = { sip: sip.map((address) => sipLine(address, parts)), media: media.map((address) => mediaLine(address, { config, clock: parts.clock })) };
  return { sip: await Promise.all(probes.sip), media: await Promise.all(probes.media), warnings: addressWarnings(config, parts.interfaces) };
}

/** What of the address settings is likely wrong. */
export function addressWarnings(config: Config, interfaces?: Interfaces): string[] {
  const [sip, media] = [sipAddressesOf(config), mediaAddressesOf(config)];
  return [...new Set([...warningsOf('sip', sip, toldBy(sip, interfaces)), ...warningsOf('media', media, toldBy(media, interfaces))])];
}

/** What peers are told, one address for each family that is bound. */
function toldBy(own: OwnAddresses, interfaces?: Interfaces): string[] {
  const choose = interfaces ? chooseOwnAddress(own, interfaces) : chooseOwnAddress(own);
  return [...new Set([...boundFamilies(own.bind)].map((family) => choose(STRANGER[family])))];
}

async function sipLine(address: string, { ports, clock }: SelfTestParts): Promise<string> {
  const ask = async (transport: 'udp' | 'tcp' | 'tls', port: number): Promise<string> => `${transport.toUpperCase()}${transport === 'tls' ? ` on ${port}` : ''} ${inWords(await probeSip(transport, { address, port }, clock))}`;
  const results = await Promise.all([ask('udp', ports.udp), ask('tcp', ports.tcp), ...(ports.tls === null ? [] : [ask('tls', ports.tls)])]);
  return `${bracket(address)}:${ports.udp}  ${results.join(', ')}`;
}

async function mediaLine(told: string, { config, clock }: { config: Config; clock: Clock }): Promise<string> {
  const { min, max } = config.rtpPorts;
  const bind = mediaAddressesOf(config).bind[0] ?? config.bindAddress;
  const probe = await probeRtp({ bind: bind === '::' && familyOf(told) === 4 ? '0.0.0.0' : bind, told, ports: config.rtpPorts }, clock);
  return `${bracket(told)}  UDP ${min}-${max} for phones: ${probe === null ? 'no free pair of ports was found' : `port ${probe.port} ${inWords(probe.result)}`}`;
}

function inWords(result: ProbeResult): string {
  if (result === 'answers') return 'answers';
  return result === 'silent' ? 'is silent from here' : 'cannot be reached from here';
}

function warningsOf(what: 'sip' | 'media', own: OwnAddresses, told: readonly string[]): string[] {
  const outside = own.bind.some((address) => !isLoopback(address));
  const publics = own.public ?? [];
  const name = what === 'sip' ? 'SIP' : 'media';
  const warnings: string[] = [];
  if (!outside && publics.length > 0) warnings.push(`${name} is bound to ${own.bind.join(' and ')} only: nobody reaches it at ${publics.join(' and ')} (set PARTYLINE_BIND_ADDRESS)`);
  for (const address of publics) {
    const family = familyOf(address) ?? 4;
    if (outside && !boundFamilies(own.bind).has(family)) warnings.push(`${address} is public for ${name}, but no IPv${family} address is bound (${SETTING[what].bind})`);
  }
  if (!outside) return warnings;
  const guessed = own.bind.some(isWildcard) && publics.length === 0;
  for (const address of told) {
    if (isLoopback(address)) warnings.push(`no network interface has an IPv${familyOf(address) ?? 4} address: others are told ${address} (set PARTYLINE_PUBLIC_ADDRESS)`);
    else if (isPrivateAddress(address)) warnings.push(`phones and browsers are told ${address}, which is reached inside its network only: behind NAT set PARTYLINE_PUBLIC_ADDRESS${publics.includes(address) ? ` or ${SETTING[what].public}` : ''}`);
    else if (guessed) warnings.push(`${own.bind.join(' and ')} is bound and no public address is set: others are told ${address}, that of the first interface (PARTYLINE_PUBLIC_ADDRESS)`);
  }
  return warnings;
}

/** Lines for the banner and for `partyline doctor`, with the words before each in one column. */
export function selfTestLines({ sip, media, warnings }: SelfTest): string[] {
  const found = [...sip.map((line) => `SIP ${line}`), ...media.map((line) => `media ${line}`)];
  return [...found.map((line, n) => row(n === 0 ? 'Self-test' : '', line)), ...warnings.map((line) => row('Warning', line))];
}

function row(label: string, line: string): string {
  return `  ${label.padEnd(13)}${line}`;
}
