import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../../base/clock.ts';
import { MediaError } from '../protocol.ts';
import { isRtcp, parseRtp, RtpView } from '../rtp/packet.ts';
import type { PhoneTransport, VoiceOutlet } from './phone-transport.ts';

const LOOPBACK = '127.0.0.1';

/**
 * The phone's end of a pipe to a room on another worker: plain RTP over loopback. The phone's voice packets go out as they
 * came, the room's packets go to the phone under the phone's own sequence. Keys, RTCP and time-outs stay with the phone.
 */
export class PipeTransport implements VoiceOutlet {
  readonly #socket: Socket;
  readonly #phone: PhoneTransport;
  readonly #clock: Clock;
  readonly #view = new RtpView();
  #port = 0;
  #closed = false;

  private constructor(socket: Socket, phone: PhoneTransport, clock: Clock) {
    this.#socket = socket;
    this.#phone = phone;
    this.#clock = clock;
    socket.on('message', (packet, from) => this.#received(packet, from.port));
  }

  /** Rejects with MediaError `no-port`. */
  static open(phone: PhoneTransport, clock: Clock): Promise<PipeTransport> {
    return new Promise((resolve, reject) => {
      const socket = createSocket({ type: 'udp4', lookup: ((address: string, _o: unknown, done: (e: null, a: string, f: number) => void) => done(null, address, 4)) as never });
      socket.once('error', (error) => reject(new MediaError('no-port', `cannot open a pipe: ${error.message}`)));
      socket.bind(0, LOOPBACK, () => {
        socket.removeAllListeners('error').on('error', () => {});
        resolve(new PipeTransport(socket, phone, clock));
      });
    });
  }

  get localPort(): number {
    return this.#socket.address().port;
  }

  /** The port of the room's end. */
  connect(port: number): void {
    this.#port = port;
  }

  packetReceived(view: RtpView): void {
    if (this.#port !== 0 && !this.#closed) this.#socket.send(view.buffer, this.#port, LOOPBACK);
  }

  /** The far end knows comfort noise by its payload type, as we do. */
  noiseReceived(view: RtpView): void {
    this.packetReceived(view);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#phone.pipeClosed();
  }

  #received(packet: Buffer, fromPort: number): void {
    // The far end's reports are about the pipe, not about the phone.
    if (fromPort !== this.#port || isRtcp(packet) || !parseRtp(this.#view, packet)) return;
    this.#phone.pipeReceived(this.#view, this.#clock.nowMs());
  }
}
