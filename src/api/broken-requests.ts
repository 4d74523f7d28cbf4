import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody, unreadable } from './errors.ts';

const STATUS_OF_PROBLEM = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
  ['HPE_HEADER_OVERFLOW', 431],
]);

/**
 * Answers what HTTP itself cannot read (headers that never end, too long a path, no HTTP at all) with the body that every
 * refusal has (contract §2.3), and closes the connection.
 */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const status = STATUS_OF_PROBLEM.get(error.code ?? '') ?? 400;
  const body = JSON.stringify(errorBody(unreadable(status)));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n\r\n`;
  if (socket.writable) socket.write(head + body);
  socket.destroy(error);
}
