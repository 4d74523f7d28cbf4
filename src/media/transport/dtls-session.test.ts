import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { createDtlsIdentity } from './dtls-identity.ts';
import { DtlsSession } from './dtls-session.ts';

const open: DtlsSession[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.close();
});

interface Side {
  session: DtlsSession;
  connected: Promise<void>;
  failed: Promise<string>;
  heard: Buffer[];
}

const identities = { desk: createDtlsIdentity(Date.now()), server: createDtlsIdentity(Date.now()), stranger: createDtlsIdentity(Date.now()) };

/** One end of a wire. */
function side(who: keyof typeof identities, believes: keyof typeof identities, { role, wire }: { role: 'active' | 'passive'; wire: (packet: Buffer) => void }): Side {
  const heard: Buffer[] = [];
  let told: Pick<Side, 'session'> | null = null;
  const settled = { connected: () => {}, failed: (_reason: string) => {} };
  const connected = new Promise<void>((resolve) => (settled.connected = resolve));
  const failed = new Promise<string>((resolve) => (settled.failed = resolve));
  const session = new DtlsSession({
    id: who,
    identity: identities[who],
    fingerprint: identities[believes].fingerprint,
    role,
    clock: systemClock,
    log: silentLog,
    events: { opened: (packet) => heard.push(packet), sealed: wire, connected: settled.connected, failed: settled.failed },
  });
  told = { session };
  open.push(told.session);
  return { session, connected, failed, heard };
}

function pair(deskBelieves: keyof typeof identities): { desk: Side; server: Side; onTheWire: Buffer[] } {
  const onTheWire: Buffer[] = [];
  const desk = side('desk', deskBelieves, { role: 'active', wire: (packet) => (onTheWire.push(packet), server.session.received(packet)) });
  const server: Side = side('server', 'desk', { role: 'passive', wire: (packet) => (onTheWire.push(packet), desk.session.received(packet)) });
  return { desk, server, onTheWire };
}

function rtp(sequence: number): Buffer {
  const packet = Buffer.alloc(172, 0x5a);
  packet.writeUInt16BE(0x8000, 0);
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(sequence * 160, 4);
  packet.writeUInt32BE(0x1234_5678, 8);
  return packet;
}

describe('DTLS-SRTP with a phone', () => {
  it('has a certificate that openssl reads, with the fingerprint it tells', () => {
    const certificate = new X509Certificate(identities.server.certificatePem);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(`sha-256 ${certificate.fingerprint256}`).toBe(identities.server.fingerprint);
  });

  it('carries packets both ways, none of them readable on the wire', async () => {
    const { desk, server, onTheWire } = pair('server');
    server.session.send(rtp(0));
    await Promise.all([desk.connected, server.connected]);
    expect(server.session.isOpen).toBe(true);
    for (let n = 1; n <= 20; n++) {
      desk.session.send(rtp(n));
      server.session.send(rtp(100 + n));
    }
    await expect.poll(() => [desk.heard.length, server.heard.length]).toEqual([20, 20]);
    expect(server.heard[4]?.equals(rtp(5))).toBe(true);
    expect(desk.heard[4]?.equals(rtp(105))).toBe(true);
    expect(onTheWire.some((packet) => packet.includes(Buffer.alloc(16, 0x5a)))).toBe(false);
  });

  it('fails when the other side is not whom signaling told', async () => {
    const { desk, server } = pair('stranger');
    await desk.failed;
    desk.session.send(rtp(1));
    expect(desk.session.isOpen).toBe(false);
    expect(server.heard).toHaveLength(0);
  });
});
