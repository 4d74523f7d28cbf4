import { networkInterfaces } from 'node:os';
import type { SipPlace, SipPorts } from './sip/contract.ts';
import { canonicalAddress } from './voice/dial-plan/ip-range.ts';
import { boundFamilies, chooseOwnAddress, familyOf, isLoopback, isWildcard, isWithin, type OwnAddressChoice, type OwnAddresses } from './sip/transport/own-address.ts';
import type { Config } from './config.ts';
import type { PhoneNetworks } from './voice/phone-address.ts';

/** The addresses of this server, as the settings have them. */

/** Where SIP is bound, and what its peers are told. */
export function sipAddressesOf(config: Config): OwnAddresses {
  return { bind: config.sipBindAddresses.length > 0 ? config.sipBindAddresses : [config.bindAddress], public: firstOf(config.sipPublicAddresses, config.publicAddresses), local: config.localNetworks };
}

/** The same for the media of phones and browsers. */
export function mediaAddressesOf(config: Config): OwnAddresses {
  return { bind: [config.mediaBindAddress ?? config.bindAddress], public: firstOf(config.mediaPublicAddresses, config.publicAddresses), local: config.localNetworks };
}

function firstOf(own: readonly string[], common: readonly string[]): readonly string[] {
  return own.length > 0 ? own : common;
}

/** The address to name to people: in the banner and the demo. A wildcard stays one unless something better is set. */
export function shownSipAddress(config: Config): string {
  const { bind, public: told = [] } = sipAddressesOf(config);
  return told[0] ?? bind[0] ?? config.bindAddress;
}

/** Everything this server is called, for Request-URIs: lower case, without brackets. */
export function localHostsOf(config: Config): string[] {
  const [sip, media] = [sipAddressesOf(config), mediaAddressesOf(config)];
  const hosts = [...sip.bind, ...(sip.public ?? []), ...media.bind, ...(media.public ?? []), config.bindAddress, 'localhost', config.publicUrl && new URL(config.publicUrl).hostname, ...config.sipDomains];
  return [...new Set(hosts.filter((host): host is string => typeof host === 'string' && host !== '').map((host) => host.toLowerCase()))];
}

/** Whether this server itself listens there for SIP, under an address that is set or that one of its interfaces has. */
export function isOwnSip(config: Config, ports: () => SipPorts): (place: SipPlace) => boolean {
  const { bind, public: told = [] } = sipAddressesOf(config);
  const named = new Set([...bind, ...told].map(canonicalAddress));
  return ({ address, port }) => {
    const plain = canonicalAddress(address);
    if (!Object.values(ports()).includes(port)) return false;
    return named.has(plain) || isWildcard(plain) || (bind.some(isWildcard) && isOfThisMachine(plain));
  };
}

function isOfThisMachine(address: string): boolean {
  return isLoopback(address) || Object.values(networkInterfaces()).some((list) => list?.some((own) => canonicalAddress(own.address) === address));
}

export function choicesOf(config: Config): { sip: OwnAddressChoice; media: OwnAddressChoice } {
  return { sip: chooseOwnAddress(sipAddressesOf(config)), media: chooseOwnAddress(mediaAddressesOf(config)) };
}

/** What the media plane binds, and what browsers are told instead: the public address of the family that is bound. */
export function mediaBinding(config: Config): { bindAddress: string; publicAddress?: string } {
  const { bind, public: told = [] } = mediaAddressesOf(config);
  const bindAddress = bind[0] ?? config.bindAddress;
  const families = boundFamilies([bindAddress]);
  const publicAddress = told.find((address) => families.has(familyOf(address) ?? 4));
  return { bindAddress, ...(publicAddress !== undefined && { publicAddress }) };
}

/** Where phones' media can be, seen from here. */
export function phoneNetworksOf(config: Config): PhoneNetworks {
  return { families: boundFamilies([mediaBinding(config).bindAddress]), isNear: isWithin(config.localNetworks) };
}

/** Every address that is ours: webhooks may not lead there. */
export function ownAddressesOf(config: Config): string[] {
  const [sip, media] = [sipAddressesOf(config), mediaAddressesOf(config)];
  return [...new Set([config.bindAddress, ...sip.bind, ...(sip.public ?? []), ...media.bind, ...(media.public ?? [])])];
}
