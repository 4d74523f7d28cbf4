import { TwilioError } from '../../base/errors.ts';
import type { RoomRecord, TrackRule } from '../../rooms/model.ts';
import { checkRecordable, RECORDING_LIMITS } from '../../rooms/room-parameters.ts';
import { EXCLUDE_ALL, INCLUDE_ALL, readTrackRules } from '../../rooms/track-rules.ts';
import { dateOrNull, isoSeconds } from '../dates.ts';
import type { ApiDeps } from '../deps.ts';
import type { Endpoints } from '../endpoint.ts';
import { roomOf } from './rooms.ts';

/** Which tracks of a room are recorded (contract §7.6). A POST replaces all rules and is obeyed at once. */
export function addRecordingRules(endpoints: Endpoints, deps: Pick<ApiDeps, 'rooms' | 'roomRepository'>): void {
  endpoints.add('/v1/Rooms/:room/RecordingRules', {
    GET: async (request) => ({ status: 200, body: rulesBody(await roomOf(request, deps)) }),
    POST: async (request) => {
      const { sid, type } = await roomOf(request, deps);
      checkRecordable(type);
      const rules = readTrackRules(request.form.text('Rules'), RECORDING_LIMITS);
      const live = deps.rooms.find(request.account.sid, sid);
      if (!live) throw new TwilioError(53118, 'The room is completed: its recording rules can no longer change');
      live.recording.setRules(rules);
      return { status: 200, body: rulesBody(live.record) };
    },
  });
}

function rulesBody({ sid, recordingRules, recordParticipantsOnConnect }: Readonly<RoomRecord>): object {
  const rules = recordingRules?.rules ?? [recordParticipantsOnConnect ? INCLUDE_ALL : EXCLUDE_ALL];
  return {
    room_sid: sid,
    rules: rules.map(ruleBody),
    date_created: dateOrNull(isoSeconds, recordingRules?.createdAtMs ?? null),
    date_updated: dateOrNull(isoSeconds, recordingRules?.updatedAtMs ?? null),
  };
}

/** Only the filters that were given: the specification of these rules knows no null. */
function ruleBody(rule: TrackRule): object {
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null));
}
