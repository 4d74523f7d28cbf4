import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import { expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { SignalingConnection } from './connection.ts';

class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  closeCode: number | null = null;
  send = (): void => undefined;
  close = (code: number): void => void (this.closeCode ??= code);
  terminate = (): void => undefined;
}

// 1000 makes the SDK leave its room; any other code makes it come back.
it.each([
  ['silent for three heartbeats', [], 1001],
  ['that says goodbye', ['{"type":"bye"}'], 1000],
  ['that speaks something else', ['hello?'], 1008],
])('the socket of a browser %s is closed with a code it can tell', (_how, frames, code) => {
  const clock = new FakeClock();
  const socket = new FakeSocket();
  let left: boolean | null = null;
  new SignalingConnection(socket as unknown as WebSocket, { clock, log: silentLog }).start({ messageReceived: () => {}, closed: (bye) => (left = bye) });
  socket.emit('message', '{"type":"hello","id":"x","version":2,"timeout":5000}', false);
  for (const frame of frames) socket.emit('message', frame, false);
  clock.advance(15_001);
  expect(socket.closeCode).toBe(code);
  expect(left).toBe(code === 1000);
});
