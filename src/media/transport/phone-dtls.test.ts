import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { PhoneRemote } from '../protocol.ts';
import { createDtlsIdentity } from './dtls-identity.ts';
import { DtlsSession } from './dtls-session.ts';
import { PhoneTransport } from './phone-transport.ts';
import { PortPool } from './port-pool.ts';

const identities = { server: createDtlsIdentity(Date.now()), phone: createDtlsIdentity(Date.now()), stranger: createDtlsIdentity(Date.now()) };
const closing: { close(): void }[] = [];
afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});

/** A phone, or who pretends to be one, that begins a handshake from an address of loopback. */
class Caller {
  readonly socket: Socket = createSocket('udp4');
  #session: DtlsSession | null = null;
  failed = false;

  static async open(address: string): Promise<Caller> {
    const caller = new Caller();
    await new Promise<void>((resolve) => caller.socket.bind(0, address, resolve));
    caller.socket.on('message', (packet) => caller.#session?.received(packet));
    closing.push(caller);
    return caller;
  }

  begin(who: 'phone' | 'stranger', port: number): Promise<void> {
    return new Promise((resolve) => {
      const events = { opened: () => {}, sealed: (packet: Buffer) => this.socket.send(packet, port, '127.0.0.1'), connected: resolve, failed: () => (this.failed = true) };
      this.#session = new DtlsSession({ id: who, identity: identities[who], fingerprint: identities.server.fingerprint, role: 'active', clock: systemClock, log: silentLog, events });
    });
  }

  speak(sequence: number): void {
    const packet = Buffer.alloc(172, 0x90);
    packet.writeUInt16BE(0x8000, 0);
    packet.writeUInt16BE(sequence, 2);
    packet.writeUInt32BE(sequence * 160, 4);
    this.#session?.send(packet);
  }

  close(): void {
    this.#session?.close();
    this.socket.close();
  }
}

async function called(caller: Caller, over: Partial<PhoneRemote> = {}): Promise<{ phone: PhoneTransport; told: string[]; clock: FakeClock }> {
  const told: string[] = [];
  const clock = new FakeClock();
  // The handshake itself runs in libdatachannel, by the real clock.
  const ticking = setInterval(() => clock.advance(20), 20);
  const base = 33_000 + 2 * Math.floor(Math.random() * 3000);
  const phone = await PhoneTransport.open({ id: 'phone', bindAddress: '127.0.0.1', ports: new PortPool({ min: base, max: base + 99 }), mediaTimeoutMs: 0, clock, identity: identities.server, events: { digitReceived: () => {}, firstPacketReceived: () => told.push('first'), mediaTimedOut: () => {}, securityFailed: (why) => told.push(why) } });
  closing.push(phone, { close: () => clearInterval(ticking) });
  const { address, port } = caller.socket.address();
  phone.connect({ address, port, rtcpPort: port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: null, ptimeMs: 20, send: true, receive: true, dtls: { fingerprint: identities.phone.fingerprint, role: 'passive' }, ...over });
  return { phone, told, clock };
}

describe('DTLS of a phone without ICE, on the wire', () => {
  it('belongs to the phone, though a stranger of another address was faster, and stays so', async () => {
    const [caller, stranger] = [await Caller.open('127.0.0.1'), await Caller.open('127.0.0.2')];
    const { phone, told } = await called(caller);
    void stranger.begin('stranger', phone.localPort);
    await new Promise((resolve) => stranger.socket.once('message', resolve));
    await caller.begin('phone', phone.localPort);
    let sequence = 0;
    await expect.poll(() => (caller.speak(sequence++), told), { interval: 20 }).toEqual(['first']);
    stranger.socket.send(Buffer.from([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]), phone.localPort, '127.0.0.1');
    const before = phone.stats().packetsReceived;
    await expect.poll(() => (caller.speak(sequence++), phone.stats().packetsReceived), { interval: 20 }).toBeGreaterThan(before + 5);
    expect(told).toEqual(['first']);
  });

  it('ends with the certificate of somebody else at once, and without a handshake after 30 s', async () => {
    const caller = await Caller.open('127.0.0.1');
    const { phone, told, clock } = await called(caller);
    void caller.begin('stranger', phone.localPort);
    await expect.poll(() => told, { timeout: 5000 }).toEqual(['the DTLS handshake failed']);
    const silent = await called(caller);
    silent.clock.advance(29_000);
    silent.phone.idle.tick(silent.clock.nowMs());
    expect(silent.told).toEqual([]);
    silent.clock.advance(1000);
    silent.phone.idle.tick(silent.clock.nowMs());
    expect(silent.told).toEqual(['no DTLS association in 30 s']);
    expect(clock.nowMs()).toBeLessThan(30_000);
  });

  it('of a phone that takes over has its 30 s, however long the one before was silent', async () => {
    const caller = await Caller.open('127.0.0.1');
    const { phone, told, clock } = await called(caller, { dtls: undefined as never });
    const { address, port } = caller.socket.address();
    clock.advance(40_000);
    phone.idle.tick(clock.nowMs());
    phone.connect({ address, port, rtcpPort: port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: null, ptimeMs: 20, send: true, receive: true, anotherPhone: true, dtls: { fingerprint: identities.phone.fingerprint, role: 'passive' } });
    clock.advance(29_000);
    phone.idle.tick(clock.nowMs());
    expect(told).toEqual([]);
    clock.advance(1000);
    phone.idle.tick(clock.nowMs());
    expect(told).toEqual(['no DTLS association in 30 s']);
  });
});
