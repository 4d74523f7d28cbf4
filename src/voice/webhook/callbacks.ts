import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { AccountSid } from '../../base/sid.ts';
import type { CallbackSender } from '../contract.ts';
import type { WebhookClient } from './client.ts';

type Callback = Parameters<CallbackSender['send']>[0];

/** Sends callbacks in the background. What belongs to one call or room arrives in order; receivers do not wait for each other. */
export interface CallbackQueue extends CallbackSender {
  /** Resolves when everything is out, at the latest after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
}

export interface CallbackQueueDeps {
  client: WebhookClient;
  clock: Clock;
  log: Log;
  authTokenOf: (accountSid: AccountSid) => string | null;
}

/** Requests under way to one receiver at the same time. */
const MAX_CONCURRENT = 32;
/** Callbacks waiting for one receiver; more are given up with a line in the log (15002). */
const MAX_WAITING = 10_000;

export function createCallbackQueue(deps: CallbackQueueDeps): CallbackQueue {
  return new ReceiverQueues(deps);
}

/** One receiver is one origin. */
class Receiver {
  /** Waiting callbacks of one call or room, oldest first; the first of a busy lane is under way. */
  readonly lanes = new Map<string, Callback[]>();
  readonly ready: string[] = [];
  underWay = 0;
  waiting = 0;
}

class ReceiverQueues implements CallbackQueue {
  readonly #deps: CallbackQueueDeps;
  readonly #receivers = new Map<string, Receiver>();
  readonly #idleListeners = new Set<() => void>();

  constructor(deps: CallbackQueueDeps) {
    this.#deps = deps;
  }

  send(callback: Callback): void {
    const origin = URL.canParse(callback.url) ? new URL(callback.url).origin : callback.url;
    let receiver = this.#receivers.get(origin);
    if (!receiver) this.#receivers.set(origin, (receiver = new Receiver()));
    if (receiver.waiting >= MAX_WAITING) {
      this.#deps.log.warn({ errorCode: 15002, origin, parameters: subjectOf(callback) }, 'a status callback was given up: too many wait for this receiver');
      return;
    }
    receiver.waiting++;
    const key = subjectOf(callback);
    const lane = receiver.lanes.get(key);
    if (lane) return void lane.push(callback);
    receiver.lanes.set(key, [callback]);
    receiver.ready.push(key);
    this.#work(origin, receiver);
  }

  #work(origin: string, receiver: Receiver): void {
    while (receiver.underWay < MAX_CONCURRENT) {
      const key = receiver.ready.shift();
      const callback = key === undefined ? undefined : receiver.lanes.get(key)?.[0];
      if (key === undefined || !callback) break;
      receiver.underWay++;
      void this.#deliver(callback).catch((error: unknown) => this.#deps.log.error({ subject: key, error: messageOf(error) }, 'a status callback could not be delivered')).finally(() => this.#delivered(key, { origin, receiver }));
    }
  }

  #delivered(key: string, { origin, receiver }: { origin: string; receiver: Receiver }): void {
    receiver.underWay--;
    receiver.waiting--;
    const lane = receiver.lanes.get(key);
    lane?.shift();
    if (lane && lane.length > 0) receiver.ready.push(key);
    else receiver.lanes.delete(key);
    this.#work(origin, receiver);
    if (receiver.waiting > 0) return;
    this.#receivers.delete(origin);
    if (this.#receivers.size === 0) for (const listener of [...this.#idleListeners]) listener();
  }

  async #deliver(callback: Callback): Promise<void> {
    const { client, log, authTokenOf } = this.#deps;
    const authToken = authTokenOf(callback.accountSid);
    if (authToken === null) return log.warn({ subject: subjectOf(callback), accountSid: callback.accountSid }, 'a status callback was dropped: its account is not known any more');
    const answer = await client.request({ url: callback.url, method: callback.method, parameters: callback.parameters, authToken });
    if (answer.ok) return;
    log.warn({ errorCode: 15003, subject: subjectOf(callback), cause: answer.errorCode, statusCode: answer.statusCode }, 'a status callback was not taken');
    callback.refused?.({ errorCode: 15003, message: `The status callback was not taken: ${answer.message}`, url: callback.url });
  }

  settled(timeoutMs: number): Promise<void> {
    if (this.#receivers.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#idleListeners.delete(done);
        resolve();
      };
      const timer = this.#deps.clock.after(timeoutMs, done);
      this.#idleListeners.add(done);
    });
  }
}

/** The conference, call or room a callback is about. */
function subjectOf({ parameters, url }: Callback): string {
  const named = (wanted: RegExp): string | undefined => parameters.find(([name]) => wanted.test(name))?.[1];
  return named(/^ConferenceSid$/) ?? named(/^(CallSid|RoomSid)$/) ?? url;
}
