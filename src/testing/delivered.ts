import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { PhoneTransport } from '../media/transport/phone-transport.ts';
import type { RtpCaller } from './rtp-caller.ts';

const PATIENCE_MS = 2000;
const QUIET_MS = 20;

/**
 * Lets the sockets between a phone's transport and its caller deliver: until either has as many packets as the other has sent, at
 * most 2 s, for packets of ours may go elsewhere; then until nothing more comes for 20 ms and a turn of the event loop, which on a
 * starved machine looks at the clock before it looks at the sockets.
 */
export async function delivered(phone: PhoneTransport, caller: RtpCaller): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  const hasCome = (): boolean => caller.heard.length >= phone.stats().packetsSent && arrived(phone) >= caller.packetsSent;
  while (!hasCome() && performance.now() < endMs) await pause(1);
  const count = (): number => caller.heard.length + caller.rtcp.length + arrived(phone);
  for (let before = -1; before !== count(); ) {
    before = count();
    await pause(QUIET_MS);
    await turn();
    await turn();
  }
}

function arrived(phone: PhoneTransport): number {
  const { packetsReceived, packetsDiscarded } = phone.stats();
  return packetsReceived + packetsDiscarded;
}
