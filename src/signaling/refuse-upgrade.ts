import type { Duplex } from 'node:stream';

/**
 * Answers an upgrade that nobody takes, and lets the connection go. The HTTP server has given the socket up by then: whatever
 * the other side does to it is heard here or by nobody, which would end the server.
 */
export function refuseUpgrade(socket: Duplex, status: '404 Not Found' | '503 Service Unavailable'): void {
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
