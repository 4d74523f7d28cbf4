import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from './base/clock.ts';
import { silentLog } from './base/log.ts';
import { readConfig } from './config.ts';
import { addressWarnings, runSelfTest, selfTestLines, type SelfTest } from './self-test.ts';
import type { Interfaces } from './sip/transport/own-address.ts';
import { createSipUserAgent } from './sip/user-agent.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const HERE: Interfaces = () => [{ address: '127.0.0.1', family: 4, internal: true }];
const LAN: Interfaces = () => [...HERE(), { address: '10.1.2.3', family: 4, internal: false }];
const CLOUD: Interfaces = () => [...HERE(), { address: '198.51.100.9', family: 4, internal: false }];

async function running(bindAddress: string | string[]): Promise<{ udp: number; tcp: number; tls: null }> {
  const ua = createSipUserAgent({ bindAddress, port: 0, product: 'T' }, { clock: systemClock, log: silentLog });
  await ua.start();
  closing.push(() => ua.stop());
  return { udp: ua.ports.udp, tcp: ua.ports.tcp, tls: null };
}

const test = (env: Record<string, string>, ports: { udp: number; tcp: number; tls: number | null }): Promise<SelfTest> => runSelfTest(readConfig([], { PARTYLINE_RTP_PORTS: '20000-29999', ...env }), { ports, clock: systemClock, interfaces: HERE });

it('says that every port of a server answers, in each family', async () => {
  const ports = await running(['127.0.0.1', '::1']);
  const result = await test({ PARTYLINE_SIP_BIND_ADDRESS: '127.0.0.1,::1' }, ports);
  expect(result.sip).toEqual([`127.0.0.1:${ports.udp}  UDP answers, TCP answers`, `[::1]:${ports.udp}  UDP answers, TCP answers`]);
  expect(result.media).toEqual([expect.stringMatching(/^127\.0\.0\.1 {2}UDP 20000-29999 for phones: port 29\d{3} answers$/)]);
  expect(result.warnings).toEqual([]);
  expect(selfTestLines(result)[0]).toBe(`  Self-test    SIP 127.0.0.1:${ports.udp}  UDP answers, TCP answers`);
});

it('says when nothing is there, or something else', async () => {
  const other = createServer((socket) => void socket.resume().end('hello\r\n'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => void other.close(() => resolve())));
  const { port } = other.address() as AddressInfo;
  const result = await test({}, { udp: port, tcp: port, tls: 1 });
  expect(result.sip).toEqual([`127.0.0.1:${port}  UDP is silent from here, TCP is silent from here, TLS on 1 cannot be reached from here`]);
});

describe('what is likely wrong', () => {
  it.each<[string, Record<string, string>, Interfaces, RegExp[]]>([
    ['nothing on a laptop', {}, HERE, []],
    ['a private address behind 0.0.0.0', { PARTYLINE_BIND_ADDRESS: '0.0.0.0' }, LAN, [/told 10\.1\.2\.3, which is reached inside its network only: behind NAT set PARTYLINE_PUBLIC_ADDRESS$/]],
    ['the address of an interface was taken behind 0.0.0.0', { PARTYLINE_BIND_ADDRESS: '0.0.0.0' }, CLOUD, [/^0\.0\.0\.0 is bound and no public address is set: others are told 198\.51\.100\.9/]],
    ['nothing with a public address', { PARTYLINE_BIND_ADDRESS: '0.0.0.0', PARTYLINE_PUBLIC_ADDRESS: '203.0.113.5' }, LAN, []],
    ['a public address that is private', { PARTYLINE_BIND_ADDRESS: '10.1.2.3', PARTYLINE_PUBLIC_ADDRESS: '10.9.9.9' }, LAN, [/told 10\.9\.9\.9, .* or PARTYLINE_SIP_PUBLIC_ADDRESS$/, /told 10\.9\.9\.9, .* or PARTYLINE_MEDIA_PUBLIC_ADDRESS$/]],
    ['a public address on a laptop', { PARTYLINE_PUBLIC_ADDRESS: '203.0.113.5' }, HERE, [/^SIP is bound to 127\.0\.0\.1 only: nobody reaches it at 203\.0\.113\.5/, /^media is bound/]],
    ['a family that is not bound', { PARTYLINE_BIND_ADDRESS: '0.0.0.0', PARTYLINE_PUBLIC_ADDRESS: '203.0.113.5,2001:db8::5' }, LAN, [/^2001:db8::5 is public for SIP, but no IPv6 address is bound/, /^2001:db8::5 is public for media/]],
    ['no network at all', { PARTYLINE_BIND_ADDRESS: '0.0.0.0' }, HERE, [/^no network interface has an IPv4 address/]],
  ])('%s', (_what, env, interfaces, expected) => {
    expect(addressWarnings(readConfig([], env), interfaces)).toEqual(expected.map((words) => expect.stringMatching(words) as string));
  });
});
