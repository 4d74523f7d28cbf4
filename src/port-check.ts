import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { StartupError } from './base/errors.ts';

export interface WantedPort {
  /** The setting to change when it is taken. */
  setting: string;
  protocol: 'tcp' | 'udp';
  address: string;
  port: number;
}

/**
 * Tries each port before anything else is started, so that a taken one costs one clear line and not half a start.
 * Port 0 always passes. Throws StartupError.
 */
export async function checkPorts(wanted: WantedPort[]): Promise<void> {
  for (const one of wanted) {
    if (one.port === 0) continue;
    const code = await (one.protocol === 'tcp' ? tryTcp(one) : tryUdp(one));
    if (code !== null) throw new StartupError(complaint(one, code));
  }
}

function complaint({ setting, protocol, address, port }: WantedPort, code: string): string {
  const where = `${protocol.toUpperCase()} port ${port} on ${address}`;
  if (code === 'EADDRINUSE') return `${where} is in use: stop what uses it or set ${setting}`;
  if (code === 'EACCES') return `${where} needs more rights: set ${setting} to a port above 1023`;
  if (code === 'EADDRNOTAVAIL') return `${address} is no address of this machine: set PARTYLINE_BIND_ADDRESS`;
  return `${where} cannot be opened (${code}): see ${setting}`;
}

function tryTcp({ address, port }: WantedPort): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function tryUdp({ address, port }: WantedPort): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? 'unknown');
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(null)));
  });
}
