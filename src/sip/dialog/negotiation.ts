import type { SipBody, SipEnding } from '../contract.ts';
import type { SipCore } from '../core.ts';
import { bodyOf } from '../message/body.ts';
import type { ResponseOptions } from '../message/build.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/layer.ts';
import type { AwaitedAcks } from './awaited-acks.ts';
import { Descriptions } from './descriptions.ts';
import { refreshTarget, type Dialog, type DialogPhase } from './dialog.ts';
import type { DialogRequests } from './dialog-requests.ts';
import { endsDialog } from './lost-dialogs.ts';
import { OurOffers, type OfferResult } from './our-offers.ts';
import { SessionKeeper } from './session-keeper.ts';
import { TheirOffers, type OfferOwner } from './their-offers.ts';

export interface NegotiationParts {
  core: SipCore;
  dialog: Dialog;
  requests: DialogRequests;
  acks: AwaitedAcks;
  owner: OfferOwner;
  /** `called`: the other side invited us. */
  role: 'called' | 'calling';
  /** That opened the dialog. */
  invite: SipRequest;
  phase: () => DialogPhase;
  /** An answer of ours went in a provisional one, and may not have arrived. */
  awaitsPrack: () => boolean;
  /** Answers, and returns how to say it again. */
  reply: (transaction: ServerTransaction, statusCode: number, options?: ResponseOptions) => () => void;
  contactFor: (transaction: ServerTransaction) => [string, string][];
  /** The dialog cannot go on; `reason`: for the BYE. */
  giveUp: (ending: SipEnding, reason?: string) => void;
}

const EXPIRED = 'SIP;cause=408;text="Session timer expired"';

/** What is agreed on within one dialog after its INVITE: the session, by offers of both sides, and how long it lives without a refresh (RFC 4028). */
export class Negotiation {
  readonly descriptions: Descriptions;
  readonly keeper: SessionKeeper;
  readonly theirs: TheirOffers;
  readonly #parts: NegotiationParts;
  readonly #ours: OurOffers;
  /** As the other side says by Allow; null until it does. */
  #updatable: boolean | null = null;

  constructor(parts: NegotiationParts) {
    const { core, role, invite, giveUp } = parts;
    this.#parts = parts;
    const described = bodyOf(invite);
    this.descriptions = new Descriptions(role === 'called' ? { local: null, remote: described } : { local: described, remote: null });
    this.keeper = new SessionKeeper({ clock: core.clock, intervalS: core.sessionIntervalS, refresh: () => this.#refresh(), expired: () => giveUp({ cause: 'session-expired' }, EXPIRED) });
    this.#ours = this.#makeOurs();
    this.theirs = this.#makeTheirs();
    if (role === 'called') this.noteAllow(invite);
  }

  #makeOurs(): OurOffers {
    const { core, requests, role, acks, phase, awaitsPrack } = this.#parts;
    return new OurOffers({
      ...{ clock: core.clock, requests, ownsCallId: role === 'calling' },
      ready: () => !this.theirs.open && acks.size === 0 && !awaitsPrack() && (phase() === 'confirmed' || phase() === 'early'),
      headers: () => (phase() === 'confirmed' ? this.keeper.ask() : []),
      raise: (refusal) => this.keeper.raise(refusal),
    });
  }

  #makeTheirs(): TheirOffers {
    const { dialog } = this.#parts;
    return new TheirOffers({
      ...this.#parts,
      ...{ descriptions: this.descriptions, keeper: this.keeper, ours: this.#ours },
      accepted: (request) => {
        refreshTarget(dialog, request);
        this.noteAllow(request);
      },
    });
  }

  noteAllow({ headers }: SipMessage): void {
    if (headers.has('allow')) this.#updatable = headers.list('allow').some((method) => method.toUpperCase() === 'UPDATE');
  }

  /** Offers anew: by re-INVITE, before the answer by UPDATE where the other side takes one (RFC 3311 §5.1). */
  reoffer(offer: SipBody, answered: (statusCode: number, answer: SipBody | null) => void): void {
    const phase = this.#parts.phase();
    const early = phase === 'early' && this.descriptions.settled && this.#updatable === true;
    if (!early && phase !== 'confirmed') return answered(481, null);
    const done = (result: OfferResult): void => {
      if (!('response' in result)) {
        answered(result.statusCode, null);
        return this.#ifLost(result.statusCode);
      }
      this.#refreshed(result.response);
      this.descriptions.taken(offer, bodyOf(result.response));
      answered(result.response.statusCode, bodyOf(result.response));
    };
    this.#ours.send({ method: early ? 'UPDATE' : 'INVITE', body: offer, done });
  }

  /** The dialog is being ended. */
  close(): void {
    this.keeper.stop();
    this.#ours.close();
    this.theirs.close();
  }

  /** RFC 4028 §7.4: by UPDATE without a word on the session, else by INVITE with the description in force. */
  #refresh(): void {
    const { local } = this.descriptions;
    const byUpdate = this.#updatable === true;
    if (this.#parts.phase() !== 'confirmed' || (!byUpdate && !local)) return this.keeper.refreshFailed();
    this.#ours.send({ method: byUpdate ? 'UPDATE' : 'INVITE', body: byUpdate ? null : local, done: (result) => this.#refreshAnswered(result) });
  }

  #refreshAnswered(result: OfferResult): void {
    if ('response' in result) {
      this.#refreshed(result.response);
      const body = bodyOf(result.response);
      if (body && this.descriptions.taken(null, body)) this.#parts.owner.reofferAnswered(body);
      return;
    }
    this.#ifLost(result.statusCode);
    if (this.#parts.phase() !== 'confirmed') return;
    const mute = result.statusCode === 405 || result.statusCode === 501;
    if (mute && this.#updatable) {
      this.#updatable = false;
      return this.#refresh();
    }
    this.keeper.refreshFailed();
  }

  #refreshed(response: SipResponse): void {
    refreshTarget(this.#parts.dialog, response);
    this.noteAllow(response);
    if (this.#parts.phase() === 'confirmed') this.keeper.answered(response);
  }

  #ifLost(statusCode: number): void {
    if (endsDialog(statusCode)) this.#parts.giveUp({ cause: 'dialog-lost', statusCode });
  }
}
