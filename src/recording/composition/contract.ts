import type { AccountSid, HookSid } from '../../base/sid.ts';
import type { RoomRecord } from '../../rooms/model.ts';
import type { CompositionParameters } from './composition-parameters.ts';
import type { CompositionHookRecord, CompositionRecord } from './model.ts';

/** Compositions: one file made of a room's recordings (contract §7.8). Rooms that end have one made by each hook of their account. */
export interface Compositions {
  /**
   * Enqueues one. The composition of a room in progress waits until the room has ended; of any room, until its recordings
   * are complete. Rejects with TwilioError: 53630 nothing to compose, 53628 all of it was deleted, 53633 too much of it,
   * 53632 too many wait already or ffmpeg is missing, 20001, 53661, 53662 for parameters.
   */
  create(room: Readonly<RoomRecord>, parameters: CompositionParameters): Promise<Readonly<CompositionRecord>>;
  /** Stops it when it runs, removes its file, keeps its row as `deleted`. Idempotent. */
  remove(record: Readonly<CompositionRecord>): Promise<void>;
  /** The file of a composition, whether it is there or not. */
  pathOf(record: Pick<CompositionRecord, 'sid' | 'accountSid' | 'spec'>): string;
  /**
   * Begins again what a stop or a crash left, and fires the hooks for rooms that a crash ended. Called once at start; says in
   * the log when compositions will not work.
   */
  resume(roomsLeft: readonly Readonly<RoomRecord>[]): Promise<void>;
  /** Ends what runs; it is begun again at the next start. */
  stop(): Promise<void>;
}

/** Hooks of an account: each makes a composition of every room that ends (contract §7.8). */
export interface CompositionHooks {
  /** Throws 20001 for a name that is missing, too long or taken; else as compositions. */
  create(accountSid: AccountSid, hook: HookParameters): Promise<CompositionHookRecord>;
  /** Replaces everything but the SID. Null when there is none. */
  update(accountSid: AccountSid, sid: HookSid, hook: HookParameters): Promise<CompositionHookRecord | null>;
}

export interface HookParameters extends CompositionParameters {
  friendlyName?: string;
  /** Default true. */
  enabled?: boolean;
}

/** Whole seconds as REST and callbacks have them; null while there is no file. */
export function compositionSeconds({ durationMs }: Pick<CompositionRecord, 'durationMs'>): number | null {
  return durationMs === null ? null : Math.max(1, Math.round(durationMs / 1000));
}
