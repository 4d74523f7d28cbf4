import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';

/**
 * Ports for the peers of a test. Taken at random from below the kernel's ephemeral range, each one tried on UDP and TCP
 * before it is given out, and never given out twice by one process.
 */

const LOWEST = 12_000;
const HIGHEST = 31_900;
const given = new Set<number>();

async function bindable(port: number): Promise<boolean> {
  const udp = await new Promise<boolean>((resolve) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
  if (!udp) return false;
  return new Promise<boolean>((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The first of `count` free ports in a row; even, as RTP likes it. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const first = randomInt(LOWEST, HIGHEST - count) & ~1;
    const all = Array.from({ length: count }, (_, i) => first + i);
    if (all.some((port) => given.has(port))) continue;
    let free = true;
    for (const port of all) {
      free = await bindable(port);
      if (!free) break;
    }
    if (!free) continue;
    for (const port of all) given.add(port);
    return first;
  }
  throw new Error(`No ${count} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

export const freePort = (): Promise<number> => freePorts(1);
