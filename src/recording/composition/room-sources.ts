import type { AccountSid, RoomSid } from '../../base/sid.ts';
import type { RoomRecordings, RoomRecordingRecord, RoomRecordingRepository } from '../contract.ts';
import type { CompositionSource, RoomSources, SourceDirectory } from './model.ts';

/** The recordings of a room, as compositions use them. */
export function createRoomSources(deps: { repository: Pick<RoomRecordingRepository, 'listOfRoom'>; recordings: Pick<RoomRecordings, 'pathOf'> }): SourceDirectory {
  return {
    async sourcesOf(accountSid: AccountSid, roomSid: RoomSid): Promise<RoomSources> {
      const records = (await deps.repository.listOfRoom(roomSid)).filter((record) => record.accountSid === accountSid);
      return {
        sources: records.filter(isWhole).map((record) => sourceOf(record, deps.recordings.pathOf(record))),
        running: records.filter(({ status }) => status === 'processing').length,
        deleted: records.filter(({ status }) => status === 'deleted').length,
      };
    },
  };
}

/** A track without any media has a file without any too. */
function isWhole({ status, durationMs, bytes }: RoomRecordingRecord): boolean {
  return status === 'completed' && (durationMs ?? 0) > 0 && (bytes ?? 0) > 0;
}

function sourceOf(record: RoomRecordingRecord, path: string): CompositionSource {
  return {
    name: record.trackName,
    sids: [record.sid, record.trackSid, record.participantSid],
    kind: record.type,
    path,
    startMs: record.offsetMs,
    endMs: record.offsetMs + (record.durationMs ?? 0),
  };
}
