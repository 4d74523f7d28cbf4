import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';

/**
 * Ports for the peers of a test, below the kernel's ephemeral range. One after another from a random place on, each tried on
 * UDP and TCP before it is given out, and never given out twice by one process. Files of tests that run at the same time take
 * theirs from ranges of their own, so that none takes what another has tried a moment ago.
 */

const RANGES = 3;
const RANGE = 6600;
const LOWEST = 12_000 + (Number(process.env['VITEST_POOL_ID'] ?? 0) % RANGES) * RANGE;
const HIGHEST = LOWEST + RANGE;
let next = randomInt(LOWEST, HIGHEST);
let left = RANGE;

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
  while (left > 0) {
    const first = take(count);
    let free = true;
    for (let port = first; free && port < first + count; port++) free = await bindable(port);
    if (free) return first;
  }
  throw new Error(`No ${count} free ports in a row are left between ${LOWEST} and ${HIGHEST}`);
}

function take(count: number): number {
  let first = next + (next & 1);
  if (first + count > HIGHEST) first = LOWEST;
  left -= (first < next ? HIGHEST - next : first - next) + count;
  next = first + count;
  return first;
}

export const freePort = (): Promise<number> => freePorts(1);
