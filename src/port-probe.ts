import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { randomBytes } from 'node:crypto';
import type { Clock } from './base/clock.ts';
import { familyOf } from './sip/transport/own-address.ts';
import { bracket } from './sip/message/uri.ts';

/** Whether a port of this machine answers, asked as somebody from outside would. `silent`: nothing came within the time. */
export type ProbeResult = 'answers' | 'silent' | 'refused';

export interface ProbedAddress {
  address: string;
  port: number;
}

/** A server that is there answers at once; one behind a NAT that does not lead back never does. */
const WAIT_MS = 800;

/** An OPTIONS over UDP, TCP or TLS, and whether an answer of SIP comes. Certificates are not judged. */
export function probeSip(transport: 'udp' | 'tcp' | 'tls', at: ProbedAddress, clock: Clock): Promise<ProbeResult> {
  if (transport === 'udp') return probeByDatagram(at, clock);
  return probeByStream(() => (transport === 'tls' ? connectTls({ host: at.address, port: at.port, rejectUnauthorized: false }) : connectTcp(at.port, at.address)), { ...at, transport }, clock);
}

function optionsTo({ address, port }: ProbedAddress, transport: string): Buffer {
  const host = `${bracket(address)}:${port}`;
  const id = randomBytes(8).toString('hex');
  return Buffer.from(
    [
      `OPTIONS sip:${host} SIP/2.0`,
      `Via: SIP/2.0/${transport.toUpperCase()} self-test.invalid;branch=z9hG4bK${id};rport`,
      'Max-Forwards: 1',
      `From: <sip:self-test@${host}>;tag=${id}`,
      `To: <sip:${host}>`,
      `Call-ID: ${id}`,
      'CSeq: 1 OPTIONS',
      'User-Agent: Partyline self-test',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
}

const isSip = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 8) === 'SIP/2.0 ';

function probeByDatagram(at: ProbedAddress, clock: Clock): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = socketFor(at.address);
    const done = once((result: ProbeResult) => {
      timer.cancel();
      socket.close();
      resolve(result);
    });
    const timer = clock.after(WAIT_MS, () => done('silent'));
    socket.on('error', () => done('refused'));
    socket.on('message', (bytes) => void (isSip(bytes) && done('answers')));
    socket.send(optionsTo(at, 'udp'), at.port, at.address, (error) => void (error && done('refused')));
  });
}

function probeByStream(open: () => Socket, at: ProbedAddress & { transport: string }, clock: Clock): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = open();
    const done = once((result: ProbeResult) => {
      timer.cancel();
      socket.destroy();
      resolve(result);
    });
    const timer = clock.after(WAIT_MS, () => done('silent'));
    socket.on('error', () => done('refused'));
    socket.on('close', () => done('silent'));
    socket.on('data', (bytes: Buffer) => done(isSip(bytes) ? 'answers' : 'silent'));
    socket.write(optionsTo(at, at.transport));
  });
}

/**
 * Binds a pair of ports as a call does, and sends a packet from one by the address that phones are told to the other. Resolves with the port
 * pair that was found free; null when none of some was.
 */
export async function probeRtp({ bind, told, ports }: { bind: string; told: string; ports: { min: number; max: number } }, clock: Clock): Promise<{ port: number; result: ProbeResult } | null> {
  for (const port of somePairs(ports)) {
    const pair = await bindPair(bind, port);
    if (!pair) continue;
    try {
      return { port, result: await loop(pair, { address: told, port }, clock) };
    } finally {
      for (const socket of pair) socket.close();
    }
  }
  return null;
}

/** From the end of the range, where calls come last. */
function somePairs({ min, max }: { min: number; max: number }): number[] {
  const last = (max - 1) & ~1;
  return Array.from({ length: 8 }, (_, n) => last - 2 * n).filter((port) => port >= min);
}

async function bindPair(address: string, port: number): Promise<[DatagramSocket, DatagramSocket] | null> {
  const first = await bound(address, port);
  const second = first && (await bound(address, port + 1));
  if (first && second) return [first, second];
  first?.close();
  return null;
}

function bound(address: string, port: number): Promise<DatagramSocket | null> {
  return new Promise((resolve) => {
    const socket = socketFor(address);
    socket.once('error', () => {
      socket.close();
      resolve(null);
    });
    socket.bind({ address, port, exclusive: true }, () => resolve(socket));
  });
}

function loop([here, there]: [DatagramSocket, DatagramSocket], to: ProbedAddress, clock: Clock): Promise<ProbeResult> {
  const mark = randomBytes(16);
  return new Promise((resolve) => {
    const done = once((result: ProbeResult) => {
      timer.cancel();
      resolve(result);
    });
    const timer = clock.after(WAIT_MS, () => done('silent'));
    for (const socket of [here, there]) socket.on('error', () => done('refused'));
    here.on('message', (bytes) => void (bytes.equals(mark) && done('answers')));
    there.send(mark, to.port, to.address, (error) => void (error && done('refused')));
  });
}

function socketFor(address: string): DatagramSocket {
  return createSocket(familyOf(address) === 6 ? 'udp6' : 'udp4');
}

function once<T>(fn: (value: T) => void): (value: T) => void {
  let called = false;
  return (value) => {
    if (called) return;
    called = true;
    fn(value);
  };
}
