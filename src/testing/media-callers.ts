import { randomInt } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { InternalError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import type { PhoneMedia, PhoneRemote } from '../media/protocol.ts';
import { createMediaPlane, type MediaPlaneHandle } from '../media/worker-pool.ts';
import { RtpCaller } from './rtp-caller.ts';

const PATIENCE_MS = 5000;

/** A media plane with forked workers and callers that hum into it, on loopback; all closed by one `close`. */
export class MediaCallers {
  readonly #planes: MediaPlaneHandle[] = [];
  readonly #callers: RtpCaller[] = [];

  async plane(options: { workers?: number } = {}): Promise<MediaPlaneHandle> {
    const base = 20_000 + 2 * randomInt(15_000);
    const plane = await createMediaPlane(
      { workers: options.workers ?? 1, bindAddress: '127.0.0.1', rtpPorts: { min: base, max: base + 199 }, webrtcPort: 0 },
      { clock: systemClock, log: silentLog },
    );
    this.#planes.push(plane);
    return plane;
  }

  /** A caller at the other end of this phone; 0 Hz is silence. Resolves when the phone has its first packet. */
  async call(phone: PhoneMedia, frequencyHz: number): Promise<RtpCaller> {
    const caller = await RtpCaller.open(frequencyHz);
    this.#callers.push(caller);
    const first = new Promise<void>((resolve) => phone.once('firstPacketReceived', resolve));
    await phone.connect(remoteOf(caller));
    caller.start(phone.localPort);
    await first;
    return caller;
  }

  async close(): Promise<void> {
    for (const caller of this.#callers.splice(0)) caller.close();
    await Promise.all(this.#planes.splice(0).map((plane) => plane.stop()));
  }
}

export function remoteOf(caller: RtpCaller): PhoneRemote {
  return { address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true };
}

/** Asks again and again. Throws InternalError after 5 s. */
export async function until(what: () => boolean): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!what()) {
    if (performance.now() > endMs) throw new InternalError(`waited in vain for ${String(what)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
