import type { Clock } from '../../base/clock.ts';
import type { SipSource } from '../contract.ts';
import type { MessageSender } from '../transaction/layer.ts';
import type { Destination } from '../transport/destination.ts';
import type { Door } from './door.ts';

const ANSWER = Buffer.from('SIP/2.0 ');

/** Notes whom we send requests to, so that their answers are read whatever else comes. */
export class SpokenTo implements MessageSender {
  readonly #sender: MessageSender;
  readonly #door: Door;
  readonly #clock: Clock;

  constructor(sender: MessageSender, { door, clock }: { door: Door; clock: Clock }) {
    this.#sender = sender;
    this.#door = door;
    this.#clock = clock;
  }

  send(bytes: Buffer, to: Destination, failed: (reason: string) => void): void {
    this.#sender.send(bytes, to, failed);
    if (bytes.subarray(0, ANSWER.length).equals(ANSWER)) return;
    this.#door.spokenTo(to.address ?? to.host, this.#clock.nowMs());
  }

  hasConnection(source: SipSource): boolean {
    return this.#sender.hasConnection(source);
  }

  isConnecting(to: Destination): boolean {
    return this.#sender.isConnecting?.(to) ?? false;
  }
}
