import type { SipEnding, SipReferWatcher } from '../contract.ts';
import type { ResponseOptions } from '../message/build.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import type { Dialog } from './dialog.ts';
import type { DialogRequests } from './dialog-requests.ts';
import { IncomingRefer, readRefer } from './incoming-refer.ts';
import { endsDialogOfRefer } from './lost-dialogs.ts';
import { readReferNotice, referHeaders, Referral } from './referral.ts';

export interface TransfersParts {
  dialog: Dialog;
  requests: DialogRequests;
  /** Nothing is asked, nor told, before the dialog is confirmed and after its end. */
  confirmed: () => boolean;
  reply: (transaction: ServerTransaction, statusCode: number, options?: ResponseOptions) => void;
  contactFor: (transaction: ServerTransaction) => [string, string][];
  /** They ask us; to be answered before this returns. */
  received: (refer: IncomingRefer) => void;
  /** The other side knows nothing of the dialog. */
  giveUp: (ending: SipEnding) => void;
}

/** REFER and NOTIFY within one dialog, both ways (RFC 3515). */
export class Transfers {
  readonly #parts: TransfersParts;
  #referral: Referral | null = null;
  #refers = 0;

  constructor(parts: TransfersParts) {
    this.#parts = parts;
  }

  /** RFC 3515 §2.4.2. NOTIFYs may come before the 202. A later REFER takes the place of one that is under way. */
  refer(referTo: string, watcher: SipReferWatcher): void {
    const { dialog, requests, confirmed, giveUp } = this.#parts;
    const headers = referHeaders(referTo, dialog.localAddress);
    const referral = new Referral(watcher);
    if (!confirmed()) return referral.answered(481);
    this.#referral = referral;
    requests.send({
      ...{ method: 'REFER', headers, contact: true, wanted: confirmed },
      answered: ({ statusCode }) => {
        referral.answered(statusCode);
        if (endsDialogOfRefer(statusCode)) giveUp({ cause: 'dialog-lost', statusCode });
      },
      failed: (reason) => referral.answered(reason === 'timeout' ? 408 : 503),
    });
  }

  /** Only our own REFER made a subscription (RFC 3515 §2.4.4). */
  notifyReceived(transaction: ServerTransaction): void {
    const { reply, contactFor } = this.#parts;
    const notice = readReferNotice(transaction.request);
    if (!notice) return reply(transaction, 489, { headers: [['Allow-Events', 'refer']] });
    if (!this.#referral) return reply(transaction, 481, { reasonPhrase: 'Subscription Does Not Exist' });
    reply(transaction, 200, { headers: contactFor(transaction) });
    this.#referral.notified(notice);
  }

  /** RFC 3515 §2.4.2. */
  referReceived(transaction: ServerTransaction): void {
    const { reply, contactFor, confirmed, received } = this.#parts;
    const asked = readRefer(transaction.request);
    if (typeof asked === 'number') return reply(transaction, asked);
    if (!confirmed()) return reply(transaction, 500, { headers: [['Retry-After', '1']] });
    const refer = new IncomingRefer(asked, {
      eventId: this.#refers++ === 0 ? null : String(transaction.core.cseq.number),
      answer: (statusCode, { headers, reasonPhrase }) => reply(transaction, statusCode, { headers: [...headers, ...(statusCode < 300 ? contactFor(transaction) : [])], ...(reasonPhrase !== undefined && { reasonPhrase }) }),
      notify: (headers, fragment, lost) => this.#notify(headers, fragment, lost),
    });
    received(refer);
    if (!refer.answered) refer.reject(603);
  }

  #notify(headers: [string, string][], fragment: string, lost: () => void): boolean {
    const { requests, confirmed } = this.#parts;
    if (!confirmed()) return false;
    const body = { contentType: 'message/sipfrag;version=2.0', bytes: Buffer.from(fragment) };
    requests.send({ method: 'NOTIFY', headers, body, contact: true, wanted: confirmed, answered: ({ statusCode }) => void (statusCode >= 300 && lost()), failed: lost });
    return true;
  }
}
