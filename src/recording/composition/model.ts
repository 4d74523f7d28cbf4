import type { Page, PageRequest } from '../../base/paging.ts';
import type { AccountSid, CompositionSid, HookSid, RoomSid } from '../../base/sid.ts';
import type { Region, Size } from './video-layout.ts';
import type { StorageSettings } from '../model.ts';

/** The stored shapes of compositions and the repository they want. Dates are milliseconds since 1970, UTC. */

export type CompositionStatus = 'enqueued' | 'processing' | 'completed' | 'deleted' | 'failed';
export type CompositionFormat = 'mp4' | 'webm';

/** What is to be composed, and whom to tell (contract §7.8). */
export interface CompositionSpec {
  /** Names or SIDs of tracks, with `*` for any characters in names. */
  audioSources: string[];
  audioSourcesExcluded: string[];
  /** Empty: sound only. */
  regions: Region[];
  resolution: Size;
  format: CompositionFormat;
  /** Whether times without any media are left out. */
  trim: boolean;
  statusCallback: string | null;
  statusCallbackMethod: 'GET' | 'POST';
}

export interface CompositionRecord {
  sid: CompositionSid;
  accountSid: AccountSid;
  roomSid: RoomSid;
  /** The hook that made it. */
  hookSid: HookSid | null;
  status: CompositionStatus;
  spec: CompositionSpec;
  /** Of the finished file; null before. */
  durationMs: number | null;
  bytes: number | null;
  /** Why it failed, for the log and the callback. */
  failure: string | null;
  createdAtMs: number;
  updatedAtMs: number;
  completedAtMs: number | null;
  deletedAtMs: number | null;
}

/** Makes a composition of every room that ends. */
export interface CompositionHookRecord {
  sid: HookSid;
  accountSid: AccountSid;
  /** At most 100 characters, unique in the account. */
  friendlyName: string;
  enabled: boolean;
  spec: CompositionSpec;
  createdAtMs: number;
  /** Null until it is changed. */
  updatedAtMs: number | null;
}

export interface CompositionFilter {
  accountSid: AccountSid;
  status?: CompositionStatus;
  roomSid?: RoomSid;
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/** Where compositions are kept: `saveComposition` returns at once and keeps its order, reads see all earlier writes. */
export interface CompositionRepository {
  saveComposition(record: CompositionRecord): void;
  findComposition(accountSid: AccountSid, sid: CompositionSid): Promise<CompositionRecord | null>;
  listCompositions(filter: CompositionFilter, page: PageRequest): Promise<Page<CompositionRecord>>;
  /** Enqueued or processing ones of all accounts, oldest first. */
  unfinishedCompositions(): Promise<CompositionRecord[]>;
  hook(accountSid: AccountSid, sid: HookSid): CompositionHookRecord | null;
  /** Newest first. */
  hooks(accountSid: AccountSid): CompositionHookRecord[];
  saveHook(record: CompositionHookRecord): Promise<void>;
  deleteHook(sid: HookSid): Promise<void>;
  settings(accountSid: AccountSid): StorageSettings | null;
  saveSettings(record: StorageSettings): Promise<void>;
}

/** One recorded track, as far as a composition uses it. */
export interface CompositionSource {
  /** Name of the track. */
  name: string;
  /** Its recording, itself and its participant. */
  sids: string[];
  kind: 'audio' | 'video';
  /** Matroska file with this one track. */
  path: string;
  /** Of its first media and of its end, since 1970. */
  startMs: number;
  endMs: number;
}

/** What was recorded of a room. */
export interface RoomSources {
  /** Files that are complete. */
  sources: CompositionSource[];
  /** Recordings that still run. */
  running: number;
  /** Recordings whose file was deleted. */
  deleted: number;
}

/** Where a composition finds the recordings of a room. */
export interface SourceDirectory {
  sourcesOf(accountSid: AccountSid, roomSid: RoomSid): Promise<RoomSources>;
}
