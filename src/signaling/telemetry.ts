import type { WebSocket } from 'ws';
import type { Clock } from '../base/clock.ts';
import { newSid } from '../base/sid.ts';

const HELLO_TIMEOUT_MS = 15_000;

/** The gateway that SDKs report their statistics to (rsp §6): greets, and reads no further. */
export function telemetryOpened(socket: WebSocket, clock: Clock): void {
  const timer = clock.after(HELLO_TIMEOUT_MS, () => socket.terminate());
  socket.on('error', () => {});
  socket.on('close', () => timer.cancel());
  socket.on('message', (data) => {
    if (!isConnect(String(data))) return;
    timer.cancel();
    socket.send(JSON.stringify({ type: 'connected', version: 1, session: newSid('HK').slice(2) }));
  });
}

function isConnect(text: string): boolean {
  try {
    const message = JSON.parse(text) as unknown;
    return typeof message === 'object' && message !== null && 'type' in message && message.type === 'connect';
  } catch {
    return false;
  }
}
