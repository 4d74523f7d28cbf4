import { roomRecordingSeconds } from './contract.ts';
import type { RoomRecordingRecord } from './model.ts';
import type { FailedOperation } from './track-run.ts';

/** `RecordingUri` and `MediaUri` are paths on the host of the REST API. */
export function recordingParameters(record: Readonly<RoomRecordingRecord>, identity: string): [name: string, value: string][] {
  return [
    ['ParticipantSid', record.participantSid],
    ['ParticipantIdentity', identity],
    ['RecordingSid', record.sid],
    ['SourceSid', record.trackSid],
    ['RecordingUri', `/v1/Recordings/${record.sid}`],
    ['TrackName', record.trackName],
    ['Type', record.type],
    ['Container', record.container],
    ['Codec', record.codec],
    ['OffsetFromTwilioVideoEpoch', String(record.offsetMs)],
  ];
}

/** What recording-completed has beside them. `MediaExternalLocation` is not sent: nothing is stored elsewhere. */
export function completedParameters(record: Readonly<RoomRecordingRecord>): [name: string, value: string][] {
  return [
    ['MediaUri', `/v1/Recordings/${record.sid}/Media`],
    ['Duration', String(roomRecordingSeconds(record) ?? 0)],
    ['Size', String(record.bytes ?? 0)],
  ];
}

export function failedParameters(operation: FailedOperation): [name: string, value: string][] {
  return [['FailedOperation', operation]];
}
