import { Emitter } from '../../base/emitter.ts';
import type { SipBody, SipCallBase, SipCallEvents } from '../contract.ts';
import type { IncomingRefer } from '../dialog/incoming-refer.ts';

/** A call of either direction: what comes inside its dialog becomes its events. */
export abstract class SipCall<E extends SipCallEvents & { [K in keyof E]: unknown[] }> extends Emitter<E> {
  // Of the events of either direction, which TypeScript does not see in E.
  readonly #events = this as unknown as Emitter<SipCallEvents>;

  abstract get state(): SipCallBase<SipCallEvents>['state'];

  reoffered(...args: SipCallEvents['reoffered']): boolean {
    if (this.state === 'ended' || this.listenerCount('reoffered') === 0) return false;
    this.#events.emit('reoffered', ...args);
    return true;
  }

  reofferAnswered(body: SipBody | null): void {
    this.#events.emit('reofferAnswered', body);
  }

  referReceived(refer: IncomingRefer): void {
    if (this.state === 'confirmed') this.#events.emit('referReceived', refer);
  }

  infoReceived(body: SipBody | null): void {
    if (this.state !== 'ended') this.#events.emit('infoReceived', body);
  }
}
