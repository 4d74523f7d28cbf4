import type { MessageCore } from '../message/request-core.ts';
import type { SipRequest } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/layer.ts';

/** Who takes what comes inside one dialog. */
export interface DialogUser {
  /** Anything but ACK and CANCEL. Answered by the taker. */
  requestReceived(transaction: ServerTransaction): void;
  /** An ACK for a 2xx, first or repeated. */
  ackReceived(ack: SipRequest, core: MessageCore): void;
  /** Forgets the dialog without a word to the other side. */
  close(): void;
}

export function dialogKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId}\n${localTag}\n${remoteTag}`;
}

/** Live dialogs by Call-ID and both tags (RFC 3261 §12). */
export class DialogTable {
  readonly #users = new Map<string, DialogUser>();

  get size(): number {
    return this.#users.size;
  }

  add(key: string, user: DialogUser): void {
    this.#users.set(key, user);
  }

  remove(key: string, user: DialogUser): void {
    if (this.#users.get(key) === user) this.#users.delete(key);
  }

  closeAll(): void {
    for (const user of [...this.#users.values()]) user.close();
  }

  /** The dialog a request that came belongs to: its To tag is ours. */
  find(core: MessageCore): DialogUser | null {
    return this.#users.get(dialogKey(core.callId, core.toTag, core.fromTag)) ?? null;
  }
}
