import type { Clock } from '../../base/clock.ts';
import type { ParticipantSid } from '../../base/sid.ts';
import type { BrowserQuality, PhoneMediaStats } from '../../media/protocol.ts';
import type { Participant, Room } from '../../rooms/contract.ts';
import { brokenQuality, scoreBrowser, scorePhone, type ParticipantQuality } from './quality-score.ts';

/** Nothing is said of a browser that has just come: nothing has flowed yet. */
const SETTLING_MS = 2000;
/** How old a measurement may be before another is made. */
const FRESH_MS = 900;
/** A browser reports about once a second; what it said counts as long as this. */
const REPORT_LIFE_MS = 10_000;

interface Entry {
  atMs: number;
  quality: Promise<ParticipantQuality | null>;
}

interface Counters {
  atMs: number;
  received: number;
  lost: number;
}

/** The network quality of everybody in one room, measured when somebody asks and once a second at most. */
export class QualityBoard {
  readonly #clock: Clock;
  readonly #browsers = new Map<ParticipantSid, { measure: () => Promise<BrowserQuality>; sinceMs: number }>();
  readonly #reported = new Map<ParticipantSid, { atMs: number; quality: ParticipantQuality }>();
  readonly #measured = new Map<ParticipantSid, Entry>();
  readonly #counters = new Map<ParticipantSid, Counters>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A browser comes; it goes when the returned function is called. */
  enter(sid: ParticipantSid, measure: () => Promise<BrowserQuality>): () => void {
    this.#browsers.set(sid, { measure, sinceMs: this.#clock.nowMs() });
    return () => {
      for (const map of [this.#browsers, this.#reported, this.#measured]) map.delete(sid);
    };
  }

  /** What a browser's own report made of it; it may have gone while that was being measured. */
  reported(sid: ParticipantSid, quality: ParticipantQuality): void {
    if (!this.#browsers.has(sid)) return;
    this.#reported.set(sid, { atMs: this.#clock.nowMs(), quality });
  }

  /** Of everybody but one, of whom something is known. */
  async remotes(room: Room, but: ParticipantSid): Promise<{ sid: ParticipantSid; quality: ParticipantQuality }[]> {
    this.#forget(room);
    const others = [...room.participants.values()].filter(({ sid }) => sid !== but);
    const qualities = await Promise.all(others.map((participant) => this.#of(participant)));
    return others.flatMap(({ sid }, i) => {
      const quality = qualities[i];
      return quality ? [{ sid, quality }] : [];
    });
  }

  #forget(room: Room): void {
    for (const map of [this.#measured, this.#counters]) for (const sid of map.keys()) if (!room.participants.has(sid)) map.delete(sid);
  }

  #of(participant: Participant): Promise<ParticipantQuality | null> {
    const { sid, record } = participant;
    if (record.status === 'reconnecting') return Promise.resolve(brokenQuality());
    const nowMs = this.#clock.nowMs();
    const reported = this.#reported.get(sid);
    if (reported && nowMs - reported.atMs < REPORT_LIFE_MS) return Promise.resolve(reported.quality);
    const known = this.#measured.get(sid);
    if (known && nowMs - known.atMs < FRESH_MS) return known.quality;
    // Media that is gone is no measurement.
    const quality = this.#measure(participant).catch(() => null);
    this.#measured.set(sid, { atMs: nowMs, quality });
    return quality;
  }

  async #measure(participant: Participant): Promise<ParticipantQuality | null> {
    const browser = this.#browsers.get(participant.sid);
    if (browser) return this.#clock.nowMs() - browser.sinceMs < SETTLING_MS ? null : scoreBrowser(await browser.measure(), null);
    return participant.mediaStats ? this.#phone(participant.sid, await participant.mediaStats()) : null;
  }

  /** Loss since the last measurement; what came too late to be played is lost as well. */
  #phone(sid: ParticipantSid, stats: PhoneMediaStats): ParticipantQuality | null {
    const now: Counters = { atMs: this.#clock.nowMs(), received: stats.packetsReceived - stats.packetsDiscarded, lost: stats.packetsLost + stats.packetsDiscarded };
    const before = this.#counters.get(sid) ?? { atMs: now.atMs, received: 0, lost: 0 };
    this.#counters.set(sid, now);
    const received = Math.max(0, now.received - before.received);
    const lost = Math.max(0, now.lost - before.lost);
    // On hold, or not there yet.
    if (received + lost === 0) return null;
    return scorePhone({ actualBps: null, jitterMs: stats.jitterMs, fractionLost: lost / (received + lost) });
  }
}

/** Each room's board, as long as the room is there. */
export class QualityBoards {
  readonly #clock: Clock;
  readonly #boards = new WeakMap<Room, QualityBoard>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(room: Room): QualityBoard {
    let board = this.#boards.get(room);
    if (!board) this.#boards.set(room, (board = new QualityBoard(this.#clock)));
    return board;
  }
}
