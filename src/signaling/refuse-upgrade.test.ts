import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { refuseUpgrade } from './refuse-upgrade.ts';

// Strangers who ask for an upgrade that nobody takes, over real sockets.

const ASKS = 'GET /nowhere HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

let server: Server;
let sockets: Duplex[];

beforeEach(async () => {
  sockets = [];
  server = createServer();
  server.on('upgrade', (_request, socket) => {
    sockets.push(socket);
    refuseUpgrade(socket, '404 Not Found');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function stranger(): Promise<Socket> {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(ASKS);
  return socket;
}

it('answers', async () => {
  const socket = await stranger();
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  socket.destroy();
});

it('does not end the server when the other side resets the connection', async () => {
  const socket = await stranger();
  socket.resetAndDestroy();
  await vi.waitFor(() => expect(sockets[0]?.closed).toBe(true));
  expect(sockets[0]?.listenerCount('error')).toBeGreaterThan(0);
});

it('does not wait for the other side to close', async () => {
  const socket = await stranger();
  socket.resume();
  await vi.waitFor(() => expect(sockets[0]?.closed).toBe(true));
  socket.destroy();
});
