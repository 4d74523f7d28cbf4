import { ExpectedSource, RELATCH_SILENCE_MS, type MediaTarget, type SourceRank } from './source-latch.ts';

/** Who tries a handshake may do so for this long before another one gets a turn. */
const TURN_MS = 5000;
/** Each costs an association. */
const MAX_TURNS = 8;
/** A packet that can be opened is opened at once. */
const TRIAL_MS = 1000;

/** What is to be done with a packet: hand it to the association, begin a new one with it, or nothing. */
export type Admission = 'take' | 'anew' | 'drop';

/**
 * Whose packets a DTLS association without ICE gets, and where its own go. Before the handshake, who the phone may be takes turns, the
 * likeliest first; afterwards only a packet that the association could open moves it. Pure.
 */
export class AssociationLatch {
  /** Where we send to; port 0 for nowhere. */
  address = '';
  port = 0;
  readonly #expected = new ExpectedSource();
  #role: 'active' | 'passive' = 'passive';
  /** Somebody's packets are being taken. */
  #held = false;
  #rank: SourceRank = 0;
  #sinceMs = -Infinity;
  #turns = 0;
  #proven = false;
  #heardMs = -Infinity;
  /** Signaling has just named another address: its packets go first. */
  #renewed = false;
  /** Since when it is heard where it was although signaling names another address; -1: it is not. */
  #stayedSinceMs = -1;
  readonly #holder = { address: '', port: 0 };
  /** May the phone have moved there? */
  readonly #trial = { address: '', port: 0, untilMs: -Infinity, /** Nobody else's packets are taken meanwhile. */ first: false };

  targetGiven(target: MediaTarget): void {
    if (!this.#expected.given(target)) return;
    this.address = target.awaited ? '' : target.address;
    this.port = target.awaited ? 0 : target.port;
    this.#renewed = this.#proven;
    this.#stayedSinceMs = -1;
    if (!this.#proven) this.#held = false;
  }

  /** Another certificate, or its first: nothing is known of it. */
  associationBegan(role: 'active' | 'passive'): void {
    this.#role = role;
    this.#proven = false;
    this.#held = false;
    this.#turns = 0;
  }

  /** Whether the one who tries, or failed, is where signaling lets expect the phone. */
  get isExpected(): boolean {
    return this.#rank > 0;
  }

  admits(packet: Buffer, from: { address: string; port: number }, nowMs: number): Admission {
    const isHolder = this.#held && from.port === this.#holder.port && from.address === this.#holder.address;
    if (this.#proven) return isHolder ? this.#fromHolder(nowMs) : this.#fromElsewhere(packet, from, nowMs);
    return isHolder ? 'take' : this.#admitsBefore(packet, from, nowMs);
  }

  /** The handshake is over, with the one who tried. */
  connected(nowMs: number): void {
    this.#proven = true;
    this.#heardMs = nowMs;
  }

  /** A packet was opened. */
  opened(nowMs: number): void {
    const trial = this.#trial;
    if (nowMs < trial.untilMs) {
      this.#hold(trial, this.#expected.rankOf(trial.address, trial.port));
      trial.untilMs = -Infinity;
    } else if (this.#held && (this.port !== this.#holder.port || this.address !== this.#holder.address)) this.#stayed(nowMs);
    this.#heardMs = nowMs;
  }

  /** It only said that it would move, or its new address says nothing to us. */
  #stayed(nowMs: number): void {
    if (this.#stayedSinceMs < 0) this.#stayedSinceMs = nowMs;
    if (this.port !== 0 && nowMs - this.#stayedSinceMs < RELATCH_SILENCE_MS) return;
    this.#hold(this.#holder, this.#expected.rankOf(this.#holder.address, this.#holder.port));
  }

  /** Who tried could not prove to be the phone. False: nobody gets a turn any more. */
  failed(): boolean {
    this.#held = false;
    return ++this.#turns <= MAX_TURNS;
  }

  #admitsBefore(packet: Buffer, from: { address: string; port: number }, nowMs: number): Admission {
    const rank = this.#expected.rankOf(from.address, from.port);
    const mayBegin = this.#role === 'active' ? rank > 0 && isHandshake(packet) : isClientHello(packet);
    if (!mayBegin || (this.#held && !this.#givesWay(rank, nowMs))) return 'drop';
    // Where we begin, what was begun goes on: its first words are repeated there.
    const isAnother = this.#role === 'passive' && (this.#held || this.#turns > MAX_TURNS);
    // Those of strangers are counted: the phone has its own.
    if (isAnother && rank === 0 && ++this.#turns > MAX_TURNS) return 'drop';
    this.#sinceMs = nowMs;
    this.#hold(from, rank);
    return isAnother ? 'anew' : 'take';
  }

  #givesWay(rank: SourceRank, nowMs: number): boolean {
    return rank > this.#rank || (rank === this.#rank && nowMs - this.#sinceMs >= TURN_MS);
  }

  #fromHolder(nowMs: number): Admission {
    const trial = this.#trial;
    if (nowMs < trial.untilMs && trial.first) return 'drop';
    trial.untilMs = -Infinity;
    return 'take';
  }

  /** Nothing but media of elsewhere is looked at, and only one place at a time: what is opened then is from there. */
  #fromElsewhere(packet: Buffer, from: { address: string; port: number }, nowMs: number): Admission {
    const trial = this.#trial;
    if (!isMedia(packet)) return 'drop';
    if (nowMs < trial.untilMs) return from.port === trial.port && from.address === trial.address ? 'take' : 'drop';
    const isSilent = nowMs - this.#heardMs >= RELATCH_SILENCE_MS;
    const first = this.#renewed && this.#expected.rankOf(from.address, from.port) > 0;
    if (!isSilent && !first) return 'drop';
    if (first) this.#renewed = false;
    Object.assign(trial, { address: from.address, port: from.port, untilMs: nowMs + TRIAL_MS, first });
    return 'take';
  }

  #hold({ address, port }: { address: string; port: number }, rank: SourceRank): void {
    this.#holder.address = this.address = address;
    this.#holder.port = this.port = port;
    this.#held = true;
    this.#rank = rank;
  }
}

/** RFC 7983 §7: SRTP and SRTCP. */
function isMedia(packet: Buffer): boolean {
  const first = packet[0] ?? 0;
  return first >= 128 && first <= 191;
}

/** A DTLS record of a handshake in clear (RFC 6347 §4.1): type, version, epoch 0. */
function isHandshake(packet: Buffer): boolean {
  return packet.length > 13 && packet[0] === 22 && packet.readUInt16BE(3) === 0;
}

function isClientHello(packet: Buffer): boolean {
  return isHandshake(packet) && packet[13] === 1;
}
