/**
 * Steps of the database, in order; a step that has gone out is never changed. Each is one list of statements, run in a
 * transaction. `schema.ts` describes what stands after the last.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE rooms (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, account_sid text NOT NULL, unique_name text NOT NULL, type text NOT NULL,
      status text NOT NULL, ad_hoc boolean NOT NULL, max_participants integer NOT NULL, max_participant_duration_s integer NOT NULL, empty_room_timeout_min integer NOT NULL,
      unused_room_timeout_min integer NOT NULL, record_participants_on_connect boolean NOT NULL, video_codecs jsonb NOT NULL, audio_only boolean NOT NULL,
      large_room boolean NOT NULL, media_region text NOT NULL, status_callback text, status_callback_method text NOT NULL, created_at_ms bigint NOT NULL,
      updated_at_ms bigint NOT NULL, ended_at_ms bigint, end_reason text)`,
    'CREATE INDEX rooms_by_account ON rooms (account_sid, status, seq)',
    'CREATE INDEX rooms_by_name ON rooms (account_sid, unique_name)',
    `CREATE TABLE participants (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, room_sid text NOT NULL, account_sid text NOT NULL, identity text NOT NULL,
      status text NOT NULL, medium text NOT NULL, created_at_ms bigint NOT NULL, updated_at_ms bigint NOT NULL, started_at_ms bigint NOT NULL, ended_at_ms bigint, leave_reason text)`,
    'CREATE INDEX participants_by_room ON participants (room_sid, seq)',
    `CREATE TABLE tracks (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, room_sid text NOT NULL, participant_sid text NOT NULL, name text NOT NULL,
      kind text NOT NULL, enabled boolean NOT NULL, created_at_ms bigint NOT NULL, updated_at_ms bigint NOT NULL, ended_at_ms bigint)`,
    'CREATE INDEX tracks_by_participant ON tracks (participant_sid, seq)',
    `CREATE TABLE calls (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, account_sid text NOT NULL, parent_call_sid text, "to" text NOT NULL, "from" text NOT NULL,
      phone_number_sid text, status text NOT NULL, direction text NOT NULL, created_at_ms bigint NOT NULL, updated_at_ms bigint NOT NULL, started_at_ms bigint,
      answered_at_ms bigint, ended_at_ms bigint, answered_by text, forwarded_from text, caller_name text, termination_reason text)`,
    'CREATE INDEX calls_by_account ON calls (account_sid, seq)',
    `CREATE TABLE notifications (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, account_sid text NOT NULL, call_sid text NOT NULL, log integer NOT NULL,
      error_code integer NOT NULL, message_text text NOT NULL, message_at_ms bigint NOT NULL, request_method text, request_url text, request_variables text NOT NULL,
      response_body text NOT NULL, response_headers text NOT NULL)`,
    'CREATE INDEX notifications_by_account ON notifications (account_sid, seq)',
    'CREATE INDEX notifications_by_call ON notifications (call_sid, seq)',
    'CREATE TABLE call_events (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, call_sid text NOT NULL, at_ms bigint NOT NULL, request jsonb NOT NULL, response jsonb NOT NULL)',
    'CREATE INDEX call_events_by_call ON call_events (call_sid, seq)',
    'CREATE TABLE directory (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, kind text NOT NULL, record jsonb NOT NULL)',
  ],
  [
    `CREATE TABLE conferences (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, account_sid text NOT NULL, friendly_name text NOT NULL, status text NOT NULL,
      region text NOT NULL, created_at_ms bigint NOT NULL, updated_at_ms bigint NOT NULL, ended_at_ms bigint, reason_ended text, call_sid_ending text)`,
    'CREATE INDEX conferences_by_account ON conferences (account_sid, seq)',
    `CREATE TABLE queues (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, account_sid text NOT NULL, friendly_name text NOT NULL, max_size integer NOT NULL,
      created_at_ms bigint NOT NULL, updated_at_ms bigint NOT NULL)`,
  ],
  // A call's StatusCallback outlives the process.
  ['ALTER TABLE calls ADD COLUMN status_callback jsonb'],
  [
    `CREATE TABLE recordings (seq bigint GENERATED ALWAYS AS IDENTITY, sid text PRIMARY KEY, account_sid text NOT NULL, call_sid text, conference_sid text,
      status text NOT NULL, source text NOT NULL, channels integer NOT NULL, track text NOT NULL, duration_ms bigint, bytes bigint, callback jsonb,
      started_at_ms bigint NOT NULL, created_at_ms bigint NOT NULL, updated_at_ms bigint NOT NULL)`,
    'CREATE INDEX recordings_by_account ON recordings (account_sid, seq)',
    'CREATE INDEX recordings_by_call ON recordings (call_sid, seq)',
    'CREATE INDEX recordings_by_conference ON recordings (conference_sid, seq)',
  ],
  ['ALTER TABLE participants ADD COLUMN subscribe_rules jsonb'],
];
