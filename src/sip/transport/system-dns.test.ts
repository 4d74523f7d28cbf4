import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { startDnsServer, type DnsServer } from '../../testing/dns-server.ts';
import { parseSipUri } from '../message/uri.ts';
import { Routes } from '../resolve/routes.ts';
import { destinationOf, type Destination } from './destination.ts';
import { SystemDns } from './system-dns.ts';

// Against a real name server on UDP, of our own writing.

let server: DnsServer;
let folder: string;
let dns: SystemDns;

beforeAll(async () => {
  server = await startDnsServer({
    'carrier.example': [
      { type: 'NAPTR', data: '20 50 s SIP+D2U "" _sip._udp.carrier.example' },
      { type: 'NAPTR', data: '10 50 s SIPS+D2T "" _sips._tcp.carrier.example' },
      { type: 'A', data: '192.0.2.99' },
    ],
    '_sips._tcp.carrier.example': [{ type: 'SRV', data: '1 0 5061 a.carrier.example' }],
    '_sip._udp.carrier.example': [{ type: 'SRV', data: '2 0 5080 b.carrier.example' }, { type: 'SRV', data: '1 0 5070 a.carrier.example' }],
    'a.carrier.example': [{ type: 'A', data: '192.0.2.1', ttlS: 7 }, { type: 'AAAA', data: '2001:db8:0:0:0:0:0:1' }],
    'b.carrier.example': [{ type: 'A', data: '192.0.2.2' }],
    'plain.example': [{ type: 'A', data: '192.0.2.3' }, { type: 'A', data: '192.0.2.4' }],
    '_sip._tcp.closed.example': [{ type: 'SRV', data: '0 0 0 .' }],
  });
  folder = mkdtempSync(join(tmpdir(), 'partyline-hosts-'));
  writeFileSync(join(folder, 'hosts'), '::1 pbx\n127.0.0.1 localhost pbx PBX.lan # the office\n');
  dns = new SystemDns(systemClock, { servers: [server.address], hostsFile: join(folder, 'hosts') });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function placesOf(uri: string, family: 0 | 4 = 0): Promise<string[]> {
  const routes = new Routes({ clock: systemClock, dns, family: () => family, random: () => 0 });
  const found = await new Promise<Destination[]>((resolve) => routes.find(destinationOf(parseSipUri(uri)!), resolve));
  return found.map(({ transport, address, port }) => `${transport} ${address} ${port}`);
}

describe('a name that a server answers for', () => {
  it('is where its NAPTR and SRV records say, best first, in both families', async () => {
    const all = ['tls 192.0.2.1 5061', 'tls 2001:db8::1 5061', 'udp 192.0.2.1 5070', 'udp 2001:db8::1 5070', 'udp 192.0.2.2 5080'];
    expect(await placesOf('sip:+1555@carrier.example')).toEqual(all);
    expect(await placesOf('sip:+1555@carrier.example', 4)).toEqual(all.filter((place) => !place.includes('2001')));
    expect(server.asked).toContain('NAPTR carrier.example');
  });

  it.each([
    ['sip:a@carrier.example;transport=udp', ['udp 192.0.2.1 5070', 'udp 192.0.2.2 5080']],
    ['sips:a@carrier.example', ['tls 192.0.2.1 5061']],
    ['sip:a@carrier.example:5099', ['udp 192.0.2.99 5099']],
    ['sip:a@carrier.example:5099;transport=tcp', ['tcp 192.0.2.99 5099']],
    ['sip:a@plain.example', ['udp 192.0.2.3 5060', 'udp 192.0.2.4 5060']],
    ['sips:a@plain.example', ['tls 192.0.2.3 5061', 'tls 192.0.2.4 5061']],
    ['sip:a@closed.example;transport=tcp', []],
    ['sip:a@nowhere.example', []],
    ['sip:a@192.0.2.50;transport=tcp', ['tcp 192.0.2.50 5060']],
    ['sip:a@pbx.lan', ['udp 127.0.0.1 5060']],
  ])('%s leads to %j', async (uri, places) => expect(await placesOf(uri, 4)).toEqual(places));

  it('keeps what it says of its age, and tells a dead server from an unknown name', async () => {
    expect((await dns.addresses('a.carrier.example')).ttlMs).toBe(7000);
    expect((await dns.addresses('nowhere.example')).records).toEqual([]);
    expect(dns.localAddresses('pbx')).toEqual(['127.0.0.1', '::1']);
    expect(dns.localAddresses('carrier.example')).toBeNull();
    const dead = new SystemDns(systemClock, { servers: ['127.0.0.1:9'], hostsFile: join(folder, 'none') });
    await expect(dead.srv('x.example')).rejects.toThrow();
  });
});
