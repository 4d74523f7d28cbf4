import { TwilioError } from '../base/errors.ts';
import { newSid, parseSid, type AccountSid } from '../base/sid.ts';
import type { CreateRoomOptions } from './contract.ts';
import type { RecordingRules, RoomRecord, RoomType } from './model.ts';
import { readTrackRules } from './track-rules.ts';

const ROOM_TYPES: readonly RoomType[] = ['group', 'group-small', 'peer-to-peer', 'go'];
const VIDEO_CODECS = ['VP8', 'H264'];
/** Of recording rules (contract §7.6). */
export const RECORDING_LIMITS = { code: 53120, kinds: ['audio', 'video'] } as const;
const MAX_NAME_LENGTH = 128;
const MAX_URL_LENGTH = 1024;

/** What an account gives to a room that says nothing itself. */
export interface RoomDefaults {
  statusCallback: string | null;
}

/** A room's first record, every parameter checked (contract §7.1). Throws TwilioError with the number of the parameter. */
export function newRoomRecord(accountSid: AccountSid, options: CreateRoomOptions, from: { defaults: RoomDefaults; adHoc: boolean; nowMs: number }): RoomRecord {
  const sid = newSid('RM');
  const type = roomType(options.type);
  return {
    sid,
    accountSid,
    uniqueName: options.uniqueName === undefined ? sid : roomName(options.uniqueName),
    type,
    status: 'in-progress',
    adHoc: from.adHoc,
    maxParticipants: inRange(options.maxParticipants, { min: 1, max: 50, otherwise: 50, code: 53107, what: 'MaxParticipants' }),
    maxParticipantDurationS: inRange(options.maxParticipantDuration, { min: 600, max: 86_400, otherwise: 14_400, code: 53123, what: 'MaxParticipantDuration' }),
    emptyRoomTimeoutMin: inRange(options.emptyRoomTimeout, { min: 1, max: 60, otherwise: 5, code: 53109, what: 'EmptyRoomTimeout' }),
    unusedRoomTimeoutMin: inRange(options.unusedRoomTimeout, { min: 1, max: 60, otherwise: 5, code: 53109, what: 'UnusedRoomTimeout' }),
    recordParticipantsOnConnect: recordOnConnect(options.recordParticipantsOnConnect ?? false, type),
    videoCodecs: videoCodecs(options.videoCodecs),
    audioOnly: audioOnly(options.audioOnly ?? false, type),
    largeRoom: options.largeRoom ?? false,
    mediaRegion: mediaRegion(options.mediaRegion),
    statusCallback: statusCallback(options.statusCallback) ?? from.defaults.statusCallback,
    statusCallbackMethod: callbackMethod(options.statusCallbackMethod),
    createdAtMs: from.nowMs,
    updatedAtMs: from.nowMs,
    endedAtMs: null,
    endReason: null,
    recordingRules: recordingRules(options.recordingRules, { type, nowMs: from.nowMs }),
    transcribeOnConnect: options.transcribeOnConnect ?? null,
  };
}

function roomName(name: string): string {
  // A name in the shape of a SID could hide a room from its own SID.
  if (name.trim() === '' || parseSid('RM', name)) throw new TwilioError(53100, 'The room name is invalid');
  if ([...name].length > MAX_NAME_LENGTH) throw new TwilioError(53101, `The room name is too long: at most ${MAX_NAME_LENGTH} characters`);
  if (!isCleanText(name)) throw new TwilioError(53102, 'The room name contains invalid characters');
  return name;
}

function roomType(type: string | undefined): RoomType {
  if (type === undefined) return 'group';
  const known = ROOM_TYPES.find((candidate) => candidate === type);
  if (!known) throw new TwilioError(53108, `The room type is not valid: one of ${ROOM_TYPES.join(', ')}`);
  return known;
}

function inRange(value: number | undefined, rule: { min: number; max: number; otherwise: number; code: number; what: string }): number {
  if (value === undefined) return rule.otherwise;
  if (!Number.isInteger(value) || value < rule.min || value > rule.max) throw new TwilioError(rule.code, `${rule.what} is out of range: ${rule.min} to ${rule.max}`);
  return value;
}

function videoCodecs(codecs: string[] | undefined): string[] {
  if (codecs === undefined || codecs.length === 0) return [...VIDEO_CODECS];
  const names = [...new Set(codecs.map((codec) => codec.toUpperCase()))];
  if (names.some((name) => !VIDEO_CODECS.includes(name))) throw new TwilioError(20001, `VideoCodecs takes ${VIDEO_CODECS.join(' and ')}`);
  return names;
}

function audioOnly(value: boolean, type: RoomType): boolean {
  if (value && (type === 'peer-to-peer' || type === 'go')) throw new TwilioError(53124, `AudioOnly is not available for rooms of type ${type}`);
  return value;
}

function recordOnConnect(value: boolean, type: RoomType): boolean {
  if (value) checkRecordable(type);
  return value;
}

function recordingRules(json: string | undefined, { type, nowMs }: { type: RoomType; nowMs: number }): RecordingRules | null {
  if (json === undefined) return null;
  checkRecordable(type);
  return { rules: readTrackRules(json, RECORDING_LIMITS), createdAtMs: nowMs, updatedAtMs: nowMs };
}

/** Throws 53122 for types of rooms that Twilio does not record. */
export function checkRecordable(type: RoomType): void {
  if (type === 'peer-to-peer' || type === 'go') throw new TwilioError(53122, `Rooms of type ${type} cannot be recorded`);
}

function mediaRegion(region: string | undefined): string {
  if (region === undefined) return 'us1';
  if (!/^[a-z]{2,3}[0-9]?$/.test(region)) throw new TwilioError(20001, 'MediaRegion is not a known region');
  return region;
}

function statusCallback(url: string | undefined): string | null {
  if (url === undefined || url === '') return null;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (url.length > MAX_URL_LENGTH || !parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new TwilioError(53111, `StatusCallback is not a valid http or https URL of at most ${MAX_URL_LENGTH} characters`);
  }
  return url;
}

function callbackMethod(method: string | undefined): 'GET' | 'POST' {
  if (method === undefined) return 'POST';
  const upper = method.toUpperCase();
  if (upper !== 'GET' && upper !== 'POST') throw new TwilioError(53110, 'StatusCallbackMethod is either GET or POST');
  return upper;
}

/** True when a text has neither control characters nor halves of a surrogate pair, nor the sign that stands for bytes that were no UTF-8. */
export function isCleanText(text: string): boolean {
  return !/[\u0000-\u001f\u007f\ufffd]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}
