import type { Clock } from '../base/clock.ts';
import { messageOf, TwilioError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Participant, Room, Rooms } from '../rooms/contract.ts';
import { verifyAccessToken, type AccessGrant, type TokenKeys } from './access-token.ts';
import { readDescription, refusalOf, remoteOf } from './browser-peer.ts';
import type { SignalingConnection } from './connection.ts';
import { errorMessage } from './ending.ts';
import { issueIceServers, type IceServerSource } from './ice-servers.ts';
import { QualityBoards } from './media-signaling/quality-board.ts';
import { readClientMessage, type ClientMessage, type ConnectMessage, type SyncMessage, type UpdateMessage } from './messages.ts';
import { Session } from './session.ts';

export interface LobbyDeps {
  clock: Clock;
  log: Log;
  rooms: Rooms;
  keys: TokenKeys;
  iceServers: IceServerSource;
  sessionTimeoutS: number;
}

/** Where browsers are let in: reads what a fresh connection wants, checks its token, brings it into its session. */
export class Lobby {
  readonly #deps: LobbyDeps & { boards: QualityBoards };
  readonly #sessions = new Map<string, Session>();

  constructor(deps: LobbyDeps) {
    this.#deps = { ...deps, boards: new QualityBoards(deps.clock) };
  }

  /** Sessions alive, those without a socket included. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  connectionOpened(connection: SignalingConnection): void {
    const visitor = new Visitor(connection, this.#deps, this.#sessions);
    connection.start(visitor);
  }

  stop(): void {
    for (const session of [...this.#sessions.values()]) session.participant.disconnect('server-stopped');
  }
}

/** One connection on its way into a session, and its letter box after. */
class Visitor {
  readonly #connection: SignalingConnection;
  readonly #deps: LobbyDeps & { boards: QualityBoards };
  readonly #sessions: Map<string, Session>;
  #session: Session | null = null;
  #entering = false;

  constructor(connection: SignalingConnection, deps: LobbyDeps & { boards: QualityBoards }, sessions: Map<string, Session>) {
    this.#connection = connection;
    this.#deps = deps;
    this.#sessions = sessions;
  }

  messageReceived(body: unknown): void {
    // What comes after we hung up is the browser's goodbye.
    if (!this.#connection.open) return;
    let message: ClientMessage;
    try {
      message = readClientMessage(body);
    } catch (error) {
      return this.#refuse(error);
    }
    this.#take(message);
  }

  #take(message: ClientMessage): void {
    switch (message.type) {
      case 'ice':
        return this.#run(() => this.#iceAsked(message.token));
      case 'connect':
        return this.#enter(() => this.#connect(message));
      case 'sync':
        return this.#enter(() => this.#sync(message));
      case 'update':
        return this.#update(message);
      case 'disconnect':
        return this.#leave();
    }
  }

  closed(left: boolean): void {
    if (left) this.#session?.left();
    else this.#session?.linkLost(this.#connection);
    this.#session = null;
  }

  #update(message: UpdateMessage): void {
    if (this.#session) return this.#session.updateReceived(message);
    // One on its way in has nothing to update yet; its session is told everything again.
    if (!this.#entering) this.#refuse(new TwilioError(53004, 'Client sent an invalid message (update before connect)'));
  }

  #leave(): void {
    this.#session?.left();
    this.#session = null;
    this.#connection.close();
  }

  /** A connection is for one session. */
  #enter(task: () => Promise<void>): void {
    if (this.#entering) return this.#deps.log.debug({}, 'a browser wanted to enter twice over one connection');
    this.#entering = true;
    this.#run(task);
  }

  #run(task: () => Promise<void>): void {
    task().catch((error: unknown) => this.#refuse(error));
  }

  #refuse(error: unknown): void {
    const known = error instanceof TwilioError;
    if (!known) this.#deps.log.error({ error: error instanceof Error ? (error.stack ?? error.message) : messageOf(error) }, 'a browser could not be let in');
    const code = known ? error.code : 53104;
    const message = known ? error.message : 'Unable to connect to the room';
    if (this.#session) return this.#session.fail(code, message);
    this.#deps.log.info({ code, reason: message }, 'a browser was refused');
    this.#connection.send(errorMessage(code, message));
    this.#connection.close();
  }

  #verify(token: string, options: { expiredIsFine?: boolean } = {}): Promise<AccessGrant> {
    return verifyAccessToken(token, { keys: this.#deps.keys, nowMs: this.#deps.clock.wallMs(), ...options });
  }

  async #iceAsked(token: string): Promise<void> {
    await this.#verify(token);
    const servers = issueIceServers(this.#deps.iceServers, this.#deps.clock.wallMs());
    this.#connection.send({ type: 'iced', version: 1, ice_servers: servers });
  }

  async #connect(message: ConnectMessage): Promise<void> {
    const grant = await this.#verify(message.token);
    const offer = readDescription(message.peer_connections[0]?.description?.sdp);
    const room = await this.#roomOf(grant, message.name || null);
    const roomMedia = await room.media();
    const media = await roomMedia.createBrowser({ remote: remoteOf(offer) }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    let participant: Participant;
    try {
      if (!this.#connection.open) throw new TwilioError(53001, 'Signaling connection disconnected');
      participant = room.join({ identity: grant.identity, medium: 'browser' });
    } catch (error) {
      media.close().catch(() => {}); // its room has closed it
      throw error;
    }
    const session = new Session({
      participant,
      media,
      roomMedia,
      board: this.#deps.boards.of(room),
      connect: message,
      offer,
      link: this.#connection,
      clock: this.#deps.clock,
      log: this.#deps.log,
      timeoutS: this.#deps.sessionTimeoutS,
      ended: (ended) => this.#sessions.delete(ended.id),
    });
    this.#session = session;
    this.#sessions.set(session.id, session);
    this.#deps.log.info({ roomSid: room.sid, participantSid: participant.sid, identity: participant.identity }, 'a browser joined');
    await session.start();
  }

  /** The room of the token, of the connect, or both when they mean the same (contract §8). */
  async #roomOf(grant: AccessGrant, name: string | null): Promise<Room> {
    const { rooms } = this.#deps;
    if (grant.room !== null && name !== null && grant.room !== name) {
      const room = rooms.find(grant.accountSid, name);
      if (!room || (grant.room !== room.sid && grant.room !== room.uniqueName)) throw new TwilioError(20106, 'Invalid Access Token grants: the token is for another room');
    }
    return rooms.findOrCreateForSdk(grant.accountSid, name ?? grant.room);
  }

  async #sync(message: SyncMessage): Promise<void> {
    // Deviation: Twilio refuses a token that ran out meanwhile; a call should outlive a change of networks (contract §8).
    const grant = await this.#verify(message.token, { expiredIsFine: true });
    const session = this.#sessions.get(message.session);
    const { participant } = session ?? {};
    if (!session || !participant || participant.identity !== grant.identity || participant.room.accountSid !== grant.accountSid) {
      throw new TwilioError(53001, 'Signaling connection disconnected: the session is over');
    }
    if (!this.#connection.open) return;
    this.#session = session;
    session.resume(this.#connection, message);
  }
}
