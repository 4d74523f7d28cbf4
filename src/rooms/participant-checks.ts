import { TwilioError } from '../base/errors.ts';
import type { TrackKind } from './model.ts';
import { isCleanText } from './room-parameters.ts';

const MAX_IDENTITY_LENGTH = 128;
const MAX_TRACK_NAME_LENGTH = 128;
/** Far above what an app uses; keeps one participant from filling a room with empty publications. */
const MAX_TRACKS = 50;

/** Each is a data channel to everybody else in the room. */
const MAX_DATA_TRACKS = 8;

/** Contract §7.3: 1 to 128 characters, double-byte ones count 2. Throws 53200, 53201 or 53202. */
export function checkIdentity(identity: string): void {
  if (identity === '') throw new TwilioError(53200, 'The participant identity is invalid: it must not be empty');
  const length = [...identity].reduce((sum, character) => sum + (character > '\u00ff' ? 2 : 1), 0);
  if (length > MAX_IDENTITY_LENGTH) throw new TwilioError(53201, `The participant identity is too long: at most ${MAX_IDENTITY_LENGTH} characters`);
  if (!isCleanText(identity)) throw new TwilioError(53202, 'The participant identity contains invalid characters');
}

/** Checks a publication against its publisher's others. Throws 53125, 53203, 53302, 53303 or 53304. */
export function checkPublication(track: { kind: TrackKind; name: string }, owner: { audioOnly: boolean; names: readonly string[]; dataTracks: number }): void {
  if (owner.audioOnly && track.kind === 'video') throw new TwilioError(53125, 'The track kind is not supported: the room is audio-only');
  if (owner.names.length >= MAX_TRACKS) throw new TwilioError(53203, `The participant publishes too many tracks: at most ${MAX_TRACKS}`);
  if (track.kind === 'data' && owner.dataTracks >= MAX_DATA_TRACKS) throw new TwilioError(53203, `The participant publishes too many data tracks: at most ${MAX_DATA_TRACKS}`);
  if ([...track.name].length > MAX_TRACK_NAME_LENGTH) throw new TwilioError(53302, `The track name is too long: at most ${MAX_TRACK_NAME_LENGTH} characters`);
  if (!isCleanText(track.name)) throw new TwilioError(53303, 'The track name contains invalid characters');
  if (track.name !== '' && owner.names.includes(track.name)) throw new TwilioError(53304, `The track name ${JSON.stringify(track.name)} is already published by this participant`);
}
