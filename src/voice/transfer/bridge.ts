import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { AccountSid, CallSid } from '../../base/sid.ts';
import { MediaError, type MediaPlane } from '../../media/protocol.ts';
import type { IncomingSipRefer } from '../../sip/contract.ts';
import type { CallerId } from '../dialling/caller-id.ts';
import type { Dialler } from '../dialling/dialler.ts';
import { Hunt } from '../dialling/hunt.ts';
import type { Party } from '../dialling/party.ts';
import type { Target } from '../dialling/target.ts';
import type { CallRecord } from '../model.ts';
import { talk } from '../queue/queue-bridge.ts';
import { terminated, type Termination } from '../termination.ts';
import type { Side, Talk } from './side.ts';
import { sideOfParty } from './sides.ts';
import { statusOfEnding } from './status-of-ending.ts';
import { transferTargets } from './transfer-targets.ts';

export interface BridgeOptions {
  /** Of a `<Dial>`: its caller first, whom the verb outlives; of a pair both are alike. */
  sides: readonly [first: Side, second: Side];
  kind: 'dial' | 'pair';
  /** For whom phones are called in a transfer: its From is their caller, it is their parent. */
  call: Readonly<CallRecord>;
  callerId: string | undefined;
  timeLimitMs: number;
  dialler: Dialler;
  media: MediaPlane;
  clock: Clock;
  /** Calls one phone for a transfer. */
  dial: (target: Target, callerId: CallerId, ended: (party: Party) => void) => Party;
}

/** What is done between two talks; resolves with whether there is another one. */
type Change = () => boolean | Promise<boolean>;

/**
 * Two phones that talk, and who takes whose place meanwhile:
 *
 *     talk ──REFER──▶ the one who stays hears ringing ──target answers──▶ talk of these two; who transferred is let go
 *      ▲                                             ╲──nobody does──▶ talk as before, if both are still there
 *      ╰──Replaces: a phone, or the far side of another talk, is there at once
 *
 * When the caller of a `<Dial>` transfers, the other two become a pair of their own: the verb and its call are over.
 */
export class Bridge implements Talk {
  readonly #options: BridgeOptions;
  #sides: readonly [Side, Side];
  #interrupt = new AbortController();
  #change: Change | null = null;
  #handedOver = false;
  /** When the `timeLimit` is up, whoever talks by then. */
  #endsAtMs = Infinity;
  /** Aborts when the time is up: nobody is called any more either. */
  readonly #late = new AbortController();
  #forget: (() => void)[] = [];

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#sides = options.sides;
  }

  /** Who talks with the caller, or did last. */
  get second(): Side {
    return this.#sides[1];
  }

  get accountSid(): AccountSid {
    return this.second.record.accountSid;
  }

  /** Resolves when it is over: of a `<Dial>` with its called phone let go, of a pair with both. Rejects with MediaError. */
  async run(): Promise<void> {
    const { clock, timeLimitMs, kind } = this.#options;
    this.#endsAtMs = clock.nowMs() + timeLimitMs;
    const limit = clock.after(timeLimitMs, () => this.#end(terminated('time-limit')));
    let lost: Termination = terminated('media-lost');
    try {
      do await this.#talk();
      while (await this.#changed());
    } catch (error) {
      if (error instanceof MediaError) lost = terminated('media-lost', { detail: error.message });
      throw error;
    } finally {
      limit.cancel();
      this.#leave();
      const [first, second] = this.#sides;
      const why = first.gone.aborted || second.gone.aborted ? terminated('dial-over') : lost;
      for (const side of kind === 'pair' ? this.#sides : [second]) if (!this.#handedOver) letGo(side, why);
    }
  }

  replace(sid: CallSid, comes: Side): boolean {
    const leaves = this.#side(sid);
    if (this.#change || !leaves) return false;
    this.#interruptWith(() => this.#takeOver(leaves, comes));
    return true;
  }

  async #talk(): Promise<void> {
    this.#join();
    const [first, second] = this.#sides;
    this.#interrupt = new AbortController();
    if (this.#change) return;
    try {
      await talk(this.#options.media, [first.phone, second.phone], AbortSignal.any([first.gone, second.gone, this.#interrupt.signal]));
    } catch (error) {
      // Somebody waits for what was begun meanwhile.
      if (!this.#pending()) throw error;
    }
  }

  #pending(): boolean {
    return this.#change !== null;
  }

  async #changed(): Promise<boolean> {
    const change = this.#change;
    if (!change) return false;
    const again = await change();
    this.#change = null;
    return again;
  }

  #interruptWith(change: Change): void {
    this.#change = change;
    this.#interrupt.abort();
  }

  #end(termination: Termination): void {
    this.#late.abort();
    for (const side of this.#options.kind === 'pair' ? this.#sides : [this.second]) side.end(termination);
  }

  // ── who is in it ──

  #join(): void {
    this.#leave();
    const { transfers } = this.#options.dialler;
    for (const side of this.#sides) {
      const { sid } = side.record;
      transfers?.bridges.add(sid, this);
      this.#forget.push(() => transfers?.bridges.remove(sid, this));
      if (transfers) this.#forget.push(side.onRefer((refer) => this.#referred(refer, side)));
    }
  }

  #leave(): void {
    for (const forget of this.#forget.splice(0)) forget();
  }

  #side(sid: CallSid): Side | null {
    return this.#sides.find(({ record }) => record.sid === sid) ?? null;
  }

  #otherThan(side: Side): Side {
    return this.#sides[0] === side ? this.#sides[1] : this.#sides[0];
  }

  // ── transfers ──

  #referred(refer: IncomingSipRefer, from: Side): void {
    if (this.#change) return refer.reject(491);
    const consulted = refer.replaces && this.#options.dialler.transfers?.callOf(refer.replaces);
    if (consulted) return this.#attended(refer, from, consulted);
    const { call, dialler, callerId } = this.#options;
    const wanted = transferTargets(refer, { call, dialler, callerId, by: from.by() });
    if ('statusCode' in wanted) {
      dialler.transfers?.log.info({ callSid: from.record.sid, ...wanted }, 'a transfer is refused');
      return refer.reject(wanted.statusCode);
    }
    refer.accept();
    this.#interruptWith(() => this.#blind(refer, { from, ...wanted }));
  }

  async #blind(refer: IncomingSipRefer, { from, targets, callerId }: { from: Side; targets: Target[]; callerId: CallerId }): Promise<boolean> {
    const stays = this.#otherThan(from);
    const { dial } = this.#options;
    const answered = new AbortController();
    const ringing = stays.phone.play({ kind: 'ringback' }, { loops: 0, signal: AbortSignal.any([answered.signal, stays.gone]) }).catch(() => undefined);
    const over = AbortSignal.any([stays.gone, this.#late.signal]);
    const hunt = new Hunt({ targets, sequential: false, signal: over, dial: (target, ended) => dial(target, callerId, ended) });
    const party = await hunt.run();
    answered.abort();
    const [phone] = await Promise.all([party?.ready, ringing]);
    if (!party || !phone || over.aborted) {
      hunt.letGo();
      refer.progress(statusOfEnding(hunt.last?.child.termination ?? null));
      return !over.aborted && !from.gone.aborted;
    }
    party.keep();
    refer.progress(200);
    return this.#takeOver(from, sideOfParty(party, phone));
  }

  /** The far sides of two talks of the same phone are brought together (RFC 3891, RFC 5589 §7). */
  #attended(refer: IncomingSipRefer, from: Side, consulted: CallSid): void {
    const there = this.#options.dialler.transfers?.bridges.of(consulted) ?? null;
    if (there?.accountSid !== from.record.accountSid) return refer.reject(there ? 403 : 603);
    const given = there === this ? null : there.giveAway(consulted);
    if (!given) return refer.reject(491);
    refer.accept();
    this.#interruptWith(() => {
      refer.progress(200);
      letGo(given.leaves, terminated('transferred'));
      return this.#takeOver(from, given.far);
    });
  }

  farOf(sid: CallSid): Side | null {
    const side = this.#side(sid);
    return side && !this.#change ? this.#otherThan(side) : null;
  }

  giveAway(sid: CallSid): { leaves: Side; far: Side } | null {
    const leaves = this.#side(sid);
    return leaves && !this.#change ? { leaves, far: this.#yield(leaves) } : null;
  }

  /** Gives away the far side of `leaves`. The caller of a `<Dial>` is lent: its verb waits until that talk is over. */
  #yield(leaves: Side): Side {
    const far = this.#otherThan(leaves);
    this.#leave();
    if (this.#options.kind === 'pair' || far !== this.#sides[0]) {
      this.#handedOver = true;
      this.#interruptWith(() => false);
      return far;
    }
    let over = (): void => undefined;
    const back = new Promise<boolean>((resolve) => (over = () => resolve(false)));
    this.#interruptWith(() => back);
    return { ...far, end: over, release: over };
  }

  /** Whether this bridge goes on with whoever came. */
  #takeOver(leaves: Side, comes: Side): boolean {
    const stays = this.#otherThan(leaves);
    const { kind } = this.#options;
    if (kind === 'dial' && leaves === this.#sides[0]) {
      this.#handedOver = true;
      this.#leave();
      const timeLimitMs = Math.max(0, this.#endsAtMs - this.#options.clock.nowMs());
      pairUp({ ...this.#options, kind: 'pair', sides: [comes, stays], timeLimitMs });
    } else this.#sides = stays === this.#sides[0] ? [stays, comes] : [comes, stays];
    letGo(leaves, terminated('transferred'));
    return !this.#handedOver;
  }
}

/** Two who talk until one of them goes; nobody waits for them. */
function pairUp(options: BridgeOptions): void {
  const { transfers } = options.dialler;
  new Bridge(options).run().catch((error: unknown) => transfers?.log.warn({ error: messageOf(error) }, 'two phones could not be brought together'));
}

function letGo(side: Side, why: Termination): void {
  side.end(why);
  side.release();
}
