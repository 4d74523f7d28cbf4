import { orAborted } from '../../base/abort.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { CallSid } from '../../base/sid.ts';
import type { PhoneMedia } from '../../media/protocol.ts';
import type { IncomingSipRefer } from '../../sip/contract.ts';
import type { Problem } from '../call-journal.ts';
import type { CallerId } from '../dialling/caller-id.ts';
import type { Dialler } from '../dialling/dialler.ts';
import type { Target } from '../dialling/target.ts';
import type { Leg } from '../leg.ts';
import type { CallRecord } from '../model.ts';
import { terminated, type Termination } from '../termination.ts';
import { firstToAnswer } from './relays.ts';
import { transferTargets } from './transfer-targets.ts';
import type { Transfers } from './transfers.ts';

export interface HandoverOptions {
  call: Readonly<CallRecord>;
  dialler: Dialler;
  log: Log;
  /** Aborts with the call. */
  gone: AbortSignal;
  leg: () => Leg;
  /** The call goes on with a phone that has taken over its media. */
  take: (leg: Leg) => void;
  end: (termination: Termination) => void;
  journal: (problem: Problem) => void;
}

const RING_TIMEOUT_MS = 60_000;

/** Whose phone it is to be: its leg, which answered, and who was called. */
interface Successor {
  leg: Leg;
  to: string;
}

/**
 * A phone hands its call over (REFER): the call, its document and its place stay, its phone becomes another one.
 *
 *     talks ──REFER──▶ goes on while the target rings ──answers──▶ the target has its media; who referred gets BYE
 *       ▲                    │          ╲──nobody does──▶ as before
 *       ╰────────────────────┤
 *                            ╰──it hangs up, as phones do──▶ silence ──answers──▶ goes on; nobody does ──▶ the call is over
 */
export class Handover {
  readonly #options: HandoverOptions;
  #busy = false;
  /** Of the call of the phone that has it now: who is a user of a SIP domain decides whom it may have called. */
  #by: Readonly<CallRecord>;
  /** How the phone went that wanted to be replaced. */
  #left: Termination | null = null;
  /** The media is being connected to who answered. */
  #connecting = false;

  constructor(options: HandoverOptions) {
    this.#options = options;
    this.#by = options.call;
  }

  /** The call as the phone that has it now would have it: `to` is whom that was called as, once another phone took it over. */
  get by(): Readonly<CallRecord> {
    return this.#by;
  }

  /** Somebody is being called. */
  get busy(): boolean {
    return this.#busy;
  }

  /** A REFER that nobody else takes care of. Left unanswered, that is refused with 603, where phones may not transfer. */
  received(refer: IncomingSipRefer): void {
    const { call, dialler, log, leg } = this.#options;
    const { phone } = leg();
    if (!dialler.transfers || !phone) return;
    if (this.#busy) return refer.reject(491);
    const consulted = refer.replaces && dialler.transfers.callOf(refer.replaces);
    if (consulted) return this.#attended(refer, { phone, consulted, transfers: dialler.transfers });
    const wanted = transferTargets(refer, { call, dialler, callerId: undefined, by: this.#by });
    if ('statusCode' in wanted) {
      log.info(wanted, 'a transfer is refused');
      return refer.reject(wanted.statusCode);
    }
    refer.accept();
    this.#begin(refer, () => this.#call(phone, wanted));
  }

  /** Whom the phone talks with in a second call takes its place in this one (RFC 3891, RFC 5589 §7): asked to move, not called. */
  #attended(refer: IncomingSipRefer, { phone, consulted, transfers }: { phone: PhoneMedia; consulted: CallSid; transfers: Transfers }): void {
    const { call, dialler, gone } = this.#options;
    const talk = transfers.bridges.of(consulted);
    const far = talk?.farOf(consulted);
    if (!talk || talk.accountSid !== call.accountSid) return refer.reject(talk ? 403 : 603);
    if (!far) return refer.reject(491);
    const { sid, accountSid } = far.record;
    const by = far.by();
    const { to } = by;
    const surrendering = far.called ? transfers.surrendering(sid) : null;
    if (!surrendering?.movable) return refer.reject(603);
    const given = talk.giveAway(consulted);
    const leg = surrendering.surrender();
    if (!given || !leg) return refer.reject(491);
    refer.accept();
    // A phone that took over that call is counted already.
    if (by === far.record) leg.on('closed', dialler.count({ accountSid, to }));
    given.leaves.end(terminated('transferred'));
    given.leaves.release();
    given.far.release();
    this.#begin(refer, async () => {
      const statusCode = (await orAborted(leg.moveTo(phone), gone)) ?? 487;
      if (statusCode < 300) return { leg, to };
      leg.hangup();
      await leg.close();
      return statusCode;
    });
  }

  /** The phone hung up. True: the call waits for another one. */
  left(termination: Termination): boolean {
    if (!this.#busy || termination.reason !== 'hung-up') return false;
    this.#left = termination;
    if (!this.#connecting) void this.#options.leg().pause();
    return true;
  }

  /** `attempt` resolves with who answered, or with the SIP answer that the phone is told. */
  #begin(refer: IncomingSipRefer, attempt: () => Promise<Successor | number>): void {
    const { phone } = this.#options.leg();
    const forget = phone?.on('lost', (reason) => this.#left && this.#options.end(terminated('media-lost', { detail: reason })));
    this.#busy = true;
    attempt()
      .then((found) => (typeof found === 'number' ? found : this.#complete(refer, found)))
      .catch((error: unknown) => {
        this.#options.log.warn({ error: messageOf(error) }, 'a call could not be handed over');
        return 500;
      })
      .then((statusCode) => {
        forget?.();
        this.#busy = false;
        this.#connecting = false;
        refer.progress(statusCode);
        const left = this.#left;
        this.#left = null;
        if (left && statusCode >= 300) this.#options.end(left);
      })
      .catch((error: unknown) => this.#options.log.error({ error: messageOf(error) }, 'a call that was handed over could not go on'));
  }

  #call(phone: PhoneMedia, { targets, callerId }: { targets: readonly Target[]; callerId: CallerId }): Promise<Successor | number> {
    const { call, dialler, gone, journal } = this.#options;
    const relays = targets.map((target) => dialler.relay({ call, target, callerId, ringTimeoutMs: RING_TIMEOUT_MS, phone, journal }));
    return firstToAnswer(relays, gone);
  }

  async #complete(refer: IncomingSipRefer, { leg, to }: Successor): Promise<number> {
    const { call, gone, take, end } = this.#options;
    let over: Termination | null = null;
    leg.on('ended', (termination) => (over ??= termination));
    this.#connecting = true;
    try {
      await leg.takeOver();
    } catch (error) {
      leg.hangup();
      await leg.close();
      throw error;
    }
    if (gone.aborted) {
      leg.giveAway();
      leg.hangup();
      await leg.close();
      return 487;
    }
    refer.progress(200);
    this.#left = null;
    this.#by = { ...call, to };
    take(leg);
    if (over) end(over);
    return 200;
  }
}
