import type { RoomRecordingRecord } from './model.ts';

export type { RoomRecordingFilter, RoomRecordingRecord, RoomRecordingRepository } from './model.ts';

/** Recordings of rooms: each track its own file, begun and ended by the room's recording rules. */
export interface RoomRecordings {
  /** The Matroska file of a recording, whether it is there or not. */
  pathOf(record: Pick<RoomRecordingRecord, 'sid' | 'accountSid' | 'container'>): string;
  /** Removes the file; the row stays as `deleted`. A recording that runs is stopped first. */
  remove(record: Readonly<RoomRecordingRecord>): Promise<void>;
  /**
   * Completes what a crash left in `processing`, by what its files hold, and tells it; goes on doing so in the background once
   * it knows which these are. Called once, before any room opens.
   */
  closeLeftovers(): Promise<void>;
  /** Stops what runs; resolves when all files are complete and all was told. */
  stop(): Promise<void>;
}

/** Whole seconds as REST and callbacks have them: rounded, and at least one. Null while the file grows. */
export function roomRecordingSeconds({ durationMs }: Pick<RoomRecordingRecord, 'durationMs'>): number | null {
  return durationMs === null ? null : Math.max(1, Math.round(durationMs / 1000));
}
