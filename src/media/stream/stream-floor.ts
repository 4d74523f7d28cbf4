import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { WorkerEvent } from '../ipc.ts';
import { MediaError, type StreamOptions } from '../protocol.ts';
import type { PhoneTransport } from '../transport/phone-transport.ts';
import { StreamConnection } from './stream-connection.ts';

/** The media streams of one worker's phones. A stream is gone from here once it ended; its phone's close ends it. */
export class StreamFloor {
  readonly #clock: Clock;
  readonly #emit: (event: WorkerEvent) => void;
  readonly #streams = new Map<string, Map<string, StreamConnection>>();

  constructor(deps: { clock: Clock; emit: (event: WorkerEvent) => void }) {
    this.#clock = deps.clock;
    this.#emit = deps.emit;
  }

  /** Throws MediaError `bad-request`. */
  open(phoneId: string, phone: PhoneTransport, options: StreamOptions): void {
    const { streamSid } = options;
    const own = this.#streams.get(phoneId) ?? new Map<string, StreamConnection>();
    if (own.has(streamSid)) throw new MediaError('bad-request', `stream ${streamSid} is open already`);
    const of = { phoneId, streamSid };
    const stream = connect(options, {
      phone,
      clock: this.#clock,
      events: {
        started: () => this.#emit({ type: 'streamStarted', ...of }),
        warned: (warning, detail) => this.#emit({ type: 'streamWarned', ...of, warning, detail }),
        ended: (reason, detail) => {
          this.#forget(phoneId, streamSid);
          this.#emit({ type: 'streamEnded', ...of, reason, detail });
        },
      },
    });
    own.set(streamSid, stream);
    this.#streams.set(phoneId, own);
  }

  stop(phoneId: string, streamSid: string): void {
    this.#streams.get(phoneId)?.get(streamSid)?.stop();
  }

  digitReceived(phoneId: string, digit: string): void {
    for (const stream of this.#streams.get(phoneId)?.values() ?? []) stream.digit(digit);
  }

  /** Says goodbye to all of a phone, also to those that are still connecting. */
  phoneClosed(phoneId: string): void {
    for (const stream of [...(this.#streams.get(phoneId)?.values() ?? [])]) stream.phoneClosed();
  }

  #forget(phoneId: string, streamSid: string): void {
    const own = this.#streams.get(phoneId);
    own?.delete(streamSid);
    if (own?.size === 0) this.#streams.delete(phoneId);
  }
}

function connect(...[options, deps]: ConstructorParameters<typeof StreamConnection>): StreamConnection {
  try {
    return new StreamConnection(options, deps);
  } catch (error) {
    throw new MediaError('bad-request', `no stream can be opened to ${options.url}: ${messageOf(error)}`);
  }
}
