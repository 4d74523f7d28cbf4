import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { TwilioError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { parseSid, type AccountSid, type RoomSid } from '../base/sid.ts';
import type { MediaPlane } from '../media/protocol.ts';
import type { CreateRoomOptions, Room, Rooms } from './contract.ts';
import type { RoomCallbackSender, RoomEndReason, RoomRepository } from './model.ts';
import { newRoomRecord } from './room-parameters.ts';
import { LiveRoom } from './room.ts';

/** What an account decides about its rooms (contract §7.2). */
export interface AccountRoomSettings {
  /** Whether an SDK's connect may make the room it names. */
  clientRoomCreation: boolean;
  /** StatusCallback of rooms that name none. */
  roomStatusCallback: string | null;
}

export interface RoomsDeps {
  clock: Clock;
  log: Log;
  media: MediaPlane;
  repository: RoomRepository;
  callbacks: RoomCallbackSender;
  /** Null for an unknown account. */
  settings: (accountSid: AccountSid) => AccountRoomSettings | null;
}

/** All rooms in progress, of all accounts. */
export function createRooms(deps: RoomsDeps): Rooms {
  return new LiveRooms(deps);
}

class LiveRooms implements Rooms {
  readonly #deps: RoomsDeps;
  readonly #bySid = new Map<RoomSid, LiveRoom>();
  readonly #byName = new Map<string, LiveRoom>();
  readonly #events = new Emitter<{ opened: [room: Room] }>();
  #stopping = false;

  constructor(deps: RoomsDeps) {
    this.#deps = deps;
  }

  find(accountSid: AccountSid, nameOrSid: string): Room | null {
    const sid = parseSid('RM', nameOrSid);
    const room = (sid && this.#bySid.get(sid)) ?? this.#byName.get(nameKey(accountSid, nameOrSid));
    return room && room.accountSid === accountSid ? room : null;
  }

  create(accountSid: AccountSid, options: CreateRoomOptions): Promise<Room> {
    return Promise.resolve().then(() => this.#open(accountSid, options, false));
  }

  async findOrCreateForSdk(accountSid: AccountSid, nameOrSid: string | null): Promise<Room> {
    const found = nameOrSid === null ? null : this.find(accountSid, nameOrSid);
    if (found) return found;
    const mayCreate = this.#deps.settings(accountSid)?.clientRoomCreation === true;
    if (!mayCreate || (nameOrSid !== null && parseSid('RM', nameOrSid))) throw new TwilioError(53106, 'The room was not found', { status: 404 });
    return this.#open(accountSid, nameOrSid === null ? {} : { uniqueName: nameOrSid }, true);
  }

  #open(accountSid: AccountSid, options: CreateRoomOptions, adHoc: boolean): LiveRoom {
    if (this.#stopping) throw new TwilioError(53103, 'The room could not be created: the server is shutting down', { status: 503 });
    const defaults = { statusCallback: this.#deps.settings(accountSid)?.roomStatusCallback ?? null };
    const record = newRoomRecord(accountSid, options, { defaults, adHoc, nowMs: this.#deps.clock.wallMs() });
    if (this.#byName.has(nameKey(accountSid, record.uniqueName))) throw new TwilioError(53113, 'A room with this name is in progress already');
    const room = new LiveRoom(record, { ...this.#deps, forget: (ended) => this.#forget(ended) });
    this.#bySid.set(room.sid, room);
    this.#byName.set(nameKey(accountSid, room.uniqueName), room);
    this.#events.emit('opened', room);
    return room;
  }

  onOpened(listener: (room: Room) => void): () => void {
    return this.#events.on('opened', listener);
  }

  #forget(room: LiveRoom): void {
    this.#bySid.delete(room.sid);
    this.#byName.delete(nameKey(room.accountSid, room.uniqueName));
  }

  all(): Room[] {
    return [...this.#bySid.values()];
  }

  async stop(reason: RoomEndReason): Promise<void> {
    this.#stopping = true;
    const rooms = [...this.#bySid.values()];
    for (const room of rooms) room.end(reason);
    await Promise.all(rooms.map((room) => room.closed()));
  }
}

function nameKey(accountSid: AccountSid, name: string): string {
  return `${accountSid} ${name}`;
}
