import { bigint, boolean, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import type { CompositionSpec } from '../recording/composition/model.ts';
import type { ParticipantCall, RecordingRules, SubscribeRules } from '../rooms/model.ts';
import type { CallQuality } from '../voice/model.ts';

/**
 * The tables. Times are milliseconds since 1970 UTC in bigint columns; `seq` numbers rows in the order they came and is
 * what lists are walked by. `migrations.ts` makes these tables: the two change together.
 */

const ms = (name: string) => bigint(name, { mode: 'number' });
const seq = () => bigint('seq', { mode: 'number' }).generatedAlwaysAsIdentity();

export const rooms = pgTable('rooms', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  uniqueName: text('unique_name').notNull(),
  type: text('type').notNull(),
  status: text('status').notNull(),
  adHoc: boolean('ad_hoc').notNull(),
  maxParticipants: integer('max_participants').notNull(),
  maxParticipantDurationS: integer('max_participant_duration_s').notNull(),
  emptyRoomTimeoutMin: integer('empty_room_timeout_min').notNull(),
  unusedRoomTimeoutMin: integer('unused_room_timeout_min').notNull(),
  recordParticipantsOnConnect: boolean('record_participants_on_connect').notNull(),
  videoCodecs: jsonb('video_codecs').$type<string[]>().notNull(),
  audioOnly: boolean('audio_only').notNull(),
  largeRoom: boolean('large_room').notNull(),
  mediaRegion: text('media_region').notNull(),
  statusCallback: text('status_callback'),
  statusCallbackMethod: text('status_callback_method').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  endedAtMs: ms('ended_at_ms'),
  endReason: text('end_reason'),
  recordingRules: jsonb('recording_rules').$type<RecordingRules>(),
  transcribeOnConnect: jsonb('transcribe_on_connect').$type<Record<string, unknown>>(),
}, (table) => [index('rooms_by_account').on(table.accountSid, table.status, table.seq), index('rooms_by_name').on(table.accountSid, table.uniqueName)]);

export const participants = pgTable('participants', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  roomSid: text('room_sid').notNull(),
  accountSid: text('account_sid').notNull(),
  identity: text('identity').notNull(),
  status: text('status').notNull(),
  medium: text('medium').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  startedAtMs: ms('started_at_ms').notNull(),
  endedAtMs: ms('ended_at_ms'),
  leaveReason: text('leave_reason'),
  subscribeRules: jsonb('subscribe_rules').$type<SubscribeRules>(),
  call: jsonb('call').$type<ParticipantCall>(),
}, (table) => [index('participants_by_room').on(table.roomSid, table.seq)]);

export const tracks = pgTable('tracks', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  roomSid: text('room_sid').notNull(),
  participantSid: text('participant_sid').notNull(),
  name: text('name').notNull(),
  kind: text('kind').notNull(),
  enabled: boolean('enabled').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  endedAtMs: ms('ended_at_ms'),
}, (table) => [index('tracks_by_participant').on(table.participantSid, table.seq)]);

export const calls = pgTable('calls', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  parentCallSid: text('parent_call_sid'),
  to: text('to').notNull(),
  from: text('from').notNull(),
  phoneNumberSid: text('phone_number_sid'),
  status: text('status').notNull(),
  direction: text('direction').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  startedAtMs: ms('started_at_ms'),
  answeredAtMs: ms('answered_at_ms'),
  endedAtMs: ms('ended_at_ms'),
  answeredBy: text('answered_by'),
  forwardedFrom: text('forwarded_from'),
  callerName: text('caller_name'),
  terminationReason: text('termination_reason'),
  statusCallback: jsonb('status_callback').$type<{ url: string; method: 'GET' | 'POST'; events: readonly ('initiated' | 'ringing' | 'answered' | 'completed')[]; sequence: number }>(),
  quality: jsonb('quality').$type<CallQuality>(),
}, (table) => [index('calls_by_account').on(table.accountSid, table.seq)]);

export const notifications = pgTable('notifications', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  callSid: text('call_sid').notNull(),
  log: integer('log').notNull(),
  errorCode: integer('error_code').notNull(),
  messageText: text('message_text').notNull(),
  messageAtMs: ms('message_at_ms').notNull(),
  requestMethod: text('request_method'),
  requestUrl: text('request_url'),
  requestVariables: text('request_variables').notNull(),
  responseBody: text('response_body').notNull(),
  responseHeaders: text('response_headers').notNull(),
}, (table) => [index('notifications_by_account').on(table.accountSid, table.seq), index('notifications_by_call').on(table.callSid, table.seq)]);

export const callEvents = pgTable('call_events', {
  seq: seq().primaryKey(),
  callSid: text('call_sid').notNull(),
  atMs: ms('at_ms').notNull(),
  request: jsonb('request').$type<{ method: string; url: string; parameters: Record<string, string> }>().notNull(),
  response: jsonb('response').$type<{ responseCode: number | null; contentType: string | null; responseBody: string; requestDurationMs: number; validTwiml: boolean }>().notNull(),
}, (table) => [index('call_events_by_call').on(table.callSid, table.seq)]);

export const recordings = pgTable('recordings', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  callSid: text('call_sid'),
  conferenceSid: text('conference_sid'),
  status: text('status').notNull(),
  source: text('source').notNull(),
  channels: integer('channels').notNull(),
  track: text('track').notNull(),
  durationMs: ms('duration_ms'),
  bytes: ms('bytes'),
  callback: jsonb('callback').$type<{ url: string; method: string; events: readonly string[] }>(),
  startedAtMs: ms('started_at_ms').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
}, (table) => [index('recordings_by_account').on(table.accountSid, table.seq), index('recordings_by_call').on(table.callSid, table.seq), index('recordings_by_conference').on(table.conferenceSid, table.seq)]);

/** Accounts, keys and numbers are few and read whole at start: one table of documents. */
export const directory = pgTable('directory', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  kind: text('kind').notNull(),
  record: jsonb('record').$type<Record<string, unknown>>().notNull(),
});

export const conferences = pgTable('conferences', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  friendlyName: text('friendly_name').notNull(),
  status: text('status').notNull(),
  region: text('region').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  endedAtMs: ms('ended_at_ms'),
  reasonEnded: text('reason_ended'),
  callSidEnding: text('call_sid_ending'),
}, (table) => [index('conferences_by_account').on(table.accountSid, table.seq)]);

export const queues = pgTable('queues', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  friendlyName: text('friendly_name').notNull(),
  maxSize: integer('max_size').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
});

export const roomRecordings = pgTable('room_recordings', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  roomSid: text('room_sid').notNull(),
  participantSid: text('participant_sid').notNull(),
  trackSid: text('track_sid').notNull(),
  trackName: text('track_name').notNull(),
  type: text('type').notNull(),
  status: text('status').notNull(),
  container: text('container').notNull(),
  codec: text('codec').notNull(),
  bytes: ms('bytes'),
  durationMs: ms('duration_ms'),
  offsetMs: ms('offset_ms').notNull(),
  statusCallback: text('status_callback'),
  statusCallbackMethod: text('status_callback_method').notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
}, (table) => [index('room_recordings_by_account').on(table.accountSid, table.seq), index('room_recordings_by_room').on(table.roomSid, table.seq)]);

export const transcriptions = pgTable('transcriptions', {
  seq: seq(),
  ttid: text('ttid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  roomSid: text('room_sid').notNull(),
  status: text('status').notNull(),
  configuration: jsonb('configuration').$type<Record<string, unknown>>().notNull(),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  startedAtMs: ms('started_at_ms').notNull(),
  endedAtMs: ms('ended_at_ms'),
}, (table) => [index('transcriptions_by_room').on(table.roomSid, table.seq)]);

export const recordingSettings = pgTable('recording_settings', {
  seq: seq(),
  accountSid: text('account_sid').primaryKey(),
  friendlyName: text('friendly_name').notNull(),
  awsCredentialsSid: text('aws_credentials_sid'),
  awsS3Url: text('aws_s3_url'),
  encryptionKeySid: text('encryption_key_sid'),
});

export const compositions = pgTable('compositions', {
  seq: seq(),
  sid: text('sid').primaryKey(),
  accountSid: text('account_sid').notNull(),
  roomSid: text('room_sid').notNull(),
  hookSid: text('hook_sid'),
  status: text('status').notNull(),
  spec: jsonb('spec').$type<CompositionSpec>().notNull(),
  durationMs: ms('duration_ms'),
  bytes: ms('bytes'),
  failure: text('failure'),
  createdAtMs: ms('created_at_ms').notNull(),
  updatedAtMs: ms('updated_at_ms').notNull(),
  completedAtMs: ms('completed_at_ms'),
  deletedAtMs: ms('deleted_at_ms'),
}, (table) => [index('compositions_by_account').on(table.accountSid, table.seq), index('compositions_by_room').on(table.roomSid, table.seq)]);
