import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, TwilioError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TrackSid } from '../base/sid.ts';
import type { BrowserMedia, RoomMedia } from '../media/protocol.ts';
import type { Participant, Room } from '../rooms/contract.ts';
import type { LeaveReason } from '../rooms/model.ts';
import { EXCLUDE_ALL } from '../rooms/track-rules.ts';
import type { BrowserDescription } from '../sdp/browser-description.ts';
import { BrowserPeer } from './browser-peer.ts';
import { DataTrackList } from './data-tracks.ts';
import { endingMessage, errorMessage } from './ending.ts';
import type { WantedTrack } from './layout.ts';
import { MediaSignaling } from './media-signaling/media-signaling.ts';
import type { QualityBoard } from './media-signaling/quality-board.ts';
import { subscribesToAll, type ClientDescription, type ClientPeerConnection, type ConnectMessage, type SyncMessage, type UpdateMessage } from './messages.ts';
import type { Description } from './negotiation.ts';
import { Neighbours } from './neighbours.ts';
import { Publications } from './publications.ts';
import { RecordingNotices } from './recording-notices.ts';

/** How a session reaches its browser; a session outlives its links. */
export interface Link {
  send(body: object): void;
  /** Lets the browser read what was sent and hang up first; closes after a grace. */
  close(): void;
}

export interface SessionOptions {
  participant: Participant;
  media: BrowserMedia;
  roomMedia: RoomMedia;
  /** Of its room. */
  board: QualityBoard;
  connect: ConnectMessage;
  /** The offer of `connect`, read. */
  offer: BrowserDescription;
  link: Link;
  clock: Clock;
  log: Log;
  /** How long the browser may be without its socket, or its media without a path. */
  timeoutS: number;
  /** The session is over. */
  ended: (session: Session) => void;
}

/** rsp §4.1: an SDK that fails over our offer says nothing. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Why a subscription fails: an SDP has only so many m-lines. */
const NO_PLACE = { code: 53305, message: 'The server has reached its capacity for tracks of one connection' };

/**
 * One browser in one room, from `connected` to its end: tells it of the others and of its subscriptions, takes in what it
 * publishes, keeps both over a lost socket. Updates are collected and sent together.
 */
export class Session {
  /** The browser shows it to come back. Random: knowing it is part of the right to. */
  readonly id = randomBytes(16).toString('hex');
  readonly participant: Participant;
  readonly #options: SessionOptions;
  readonly #room: Room;
  readonly #log: Log;
  readonly #media: BrowserMedia;
  readonly #peer: BrowserPeer;
  readonly #publications: Publications;
  readonly #data: DataTrackList;
  readonly #mediaSignaling: MediaSignaling;
  readonly #recording: RecordingNotices;
  readonly #neighbours = new Neighbours();
  readonly #unlisten: (() => void)[] = [];
  #link: Link | null;
  /** What browsers send is worked off in order, though an ICE restart takes its time. */
  #work: Promise<void> = Promise.resolve();
  /** It has been told its session. */
  #welcomed = false;
  #introduced = false;
  #flushing = false;
  #ended = false;
  #endingMessage: object | null = null;
  #subscribed = { revision: 0, sids: '' };
  #linkTimer: Timer | null = null;
  #mediaTimer: Timer | null = null;
  #answerTimer: Timer | null = null;

  constructor(options: SessionOptions) {
    const { participant, connect, media } = options;
    this.#options = options;
    this.participant = participant;
    this.#room = participant.room;
    this.#media = media;
    this.#link = options.link;
    this.#log = options.log.child({ roomSid: this.#room.sid, participantSid: participant.sid });
    // `automaticSubscription: false`: nothing, until REST sets other rules.
    if (!subscribesToAll(connect)) participant.setSubscribeRules([EXCLUDE_ALL], { byRest: false });
    this.#publications = new Publications(participant);
    this.#data = new DataTrackList({ participant, media, published: () => this.#publications.dataTracks(), log: this.#log });
    this.#peer = new BrowserPeer({
      id: connect.peer_connections[0]?.id ?? '',
      media,
      offer: options.offer,
      log: this.#log,
      sidOf: (trackId) => this.#publications.sidOf(trackId),
      wanted: () => this.#wanted(),
    });
    this.#mediaSignaling = new MediaSignaling({ ...options, wanted: connect.media_signaling ?? {}, profile: connect.bandwidth_profile, log: this.#log });
    this.#recording = new RecordingNotices(participant, { wantsWarnings: connect.participant.media_warnings?.includes('recordings') === true, changed: () => this.#flushSoon() });
    this.#listen();
  }

  #listen(): void {
    const room = this.#room;
    const touched = (participant: Participant): void => this.#neighbourChanged(participant);
    this.#unlisten.push(
      room.on('participantConnected', touched),
      room.on('participantDisconnected', touched),
      room.on('participantReconnecting', touched),
      room.on('participantReconnected', touched),
      room.on('trackPublished', touched),
      room.on('trackUnpublished', touched),
      room.on('trackUpdated', touched),
      this.participant.on('subscribeRulesChanged', () => this.#flushSoon()),
      this.participant.on('disconnected', (reason) => this.#participantDisconnected(reason)),
      this.#media.on('connected', () => this.#mediaConnected()),
      this.#media.on('failed', () => this.#mediaFailed()),
    );
  }

  // ------------------------------------------------------------------------------------------------- coming and coming back

  /** Publishes what the browser brings and answers its connect. Rejects with TwilioError when its SDP cannot be taken. */
  async start(): Promise<void> {
    const { connect } = this.#options;
    this.#publications.listReceived(connect.participant);
    const description = connect.peer_connections[0]?.description;
    const answer = await this.#peer.offerReceived(description?.revision ?? 1, description?.sdp);
    if (this.#ended) return;
    this.#link?.send({ type: 'connected', version: 2, ...this.#introduction(answer) });
    this.#welcomed = true;
    this.#introduced = true;
    this.#flushSoon();
  }

  /** Another socket of the same browser (rsp §3.5). */
  resume(link: Link, message: SyncMessage): void {
    const before = this.#link;
    this.#link = link;
    this.#introduced = false;
    before?.close();
    this.#linkTimer?.cancel();
    this.#answerTimer?.cancel();
    this.#setReconnecting();
    this.#enqueue(() => this.#sync(link, message));
  }

  async #sync(link: Link, message: SyncMessage): Promise<void> {
    if (message.participant && this.#publications.listReceived(message.participant)) this.#peer.applyTracks();
    let reply: Description | null = null;
    for (const { id, description } of message.peer_connections) {
      if (id === this.#peer.id && description) reply = (await this.#descriptionReceived(description)) ?? reply;
    }
    if (this.#ended || this.#link !== link) return;
    const offer = this.#peer.pendingOffer;
    link.send({ type: 'synced', version: 2, ...this.#introduction(reply ?? offer) });
    // The answer may be the one it misses, so it goes first; a browser that has it already ignores it.
    if (reply && offer) link.send({ type: 'update', version: 2, peer_connections: [{ id: this.#peer.id, description: offer }] });
    this.#introduced = true;
    if (offer) this.#awaitAnswer();
    this.#flushSoon();
  }

  /** What `connected` and `synced` share. */
  #introduction(description: Description | null): object {
    const room = this.#room;
    const { sid, identity } = this.participant;
    return {
      sid: room.sid,
      name: room.uniqueName,
      session: this.id,
      options: { session_timeout: this.#options.timeoutS, signaling_region: 'us1', media_region: room.record.mediaRegion, audio_processors: [] },
      participant: { sid, identity, revision: this.#publications.clientRevision, state: 'connected', tracks: [] },
      participants: this.#neighbours.takeAll(this.#others()),
      peer_connections: [{ id: this.#peer.id, ...(description ? { description } : {}) }],
      published: this.#publications.take({ always: true }),
      subscribed: this.#subscriptions({ always: true }),
      recording: this.#recording.takeAll(),
      media_signaling: this.#mediaSignaling.announcement,
    };
  }

  #others(): Participant[] {
    return [...this.#room.participants.values()].filter((participant) => participant !== this.participant);
  }

  // ------------------------------------------------------------------------------------------------- what the browser says

  updateReceived(message: UpdateMessage): void {
    this.#enqueue(() => this.#update(message));
  }

  async #update(message: UpdateMessage): Promise<void> {
    if (message.bandwidth_profile) this.#mediaSignaling.profileChanged(message.bandwidth_profile);
    if (message.participant && this.#publications.listReceived(message.participant)) this.#peer.applyTracks();
    const replies: object[] = [];
    for (const connection of message.peer_connections ?? []) replies.push(...(await this.#connectionUpdated(connection)));
    if (this.#ended) return;
    if (replies.length > 0) this.#link?.send({ type: 'update', version: 2, peer_connections: replies });
    this.#flushSoon();
  }

  /** Its candidates are not needed: ours are in our SDP, and its address shows with its first check. */
  async #connectionUpdated({ id, description }: ClientPeerConnection): Promise<object[]> {
    if (id !== this.#peer.id || !description) return [];
    const reply = await this.#descriptionReceived(description);
    return reply ? [{ id, description: reply }] : [];
  }

  async #descriptionReceived({ type, revision, sdp }: ClientDescription): Promise<Description | null> {
    if (type === 'offer') return this.#peer.offerReceived(revision, sdp);
    if (type === 'answer') this.#peer.answerReceived(revision, sdp);
    if (!this.#peer.pendingOffer) this.#answerTimer?.cancel();
    return null;
  }

  #enqueue(task: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#ended) return;
      try {
        await task();
      } catch (error) {
        this.#taskFailed(error);
      }
    });
  }

  #taskFailed(error: unknown): void {
    if (error instanceof TwilioError) return this.fail(error.code, error.message);
    this.#log.error({ error: messageOf(error) }, 'a message of a browser could not be worked off');
    this.fail(53000, 'Signaling connection error');
  }

  /** The browser says goodbye. */
  left(): void {
    this.participant.disconnect('left');
  }

  /** Ends the session with an error that the browser is told. */
  fail(code: number, message: string): void {
    if (this.#ended) return;
    this.#log.warn({ code }, message);
    this.#endingMessage = errorMessage(code, message);
    this.participant.disconnect('connection-lost');
  }

  // ---------------------------------------------------------------------------------------------------- what others do

  #neighbourChanged(participant: Participant): void {
    if (participant === this.participant) return;
    this.#neighbours.touch(participant);
    this.#flushSoon();
  }

  /** Subscriptions as they should be, by the participant's rules. */
  #wanted(): Map<TrackSid, WantedTrack> {
    const wanted = new Map<TrackSid, WantedTrack>();
    for (const publisher of this.#others()) {
      const { sid: participantSid, medium } = publisher;
      for (const track of publisher.publications.values()) {
        const { sid: trackSid, kind } = track;
        if (kind !== 'data' && this.participant.subscribesTo(publisher, track)) wanted.set(trackSid, { trackSid, participantSid, kind, phone: medium === 'phone' });
      }
    }
    return wanted;
  }

  /** Several changes of one turn make one update. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#ended || !this.#link || !this.#introduced) return;
    this.#data.apply();
    const offer = this.#peer.nextOffer();
    const update = {
      subscribed: this.#subscriptions({ always: false }),
      participants: this.#neighbours.take(),
      published: this.#publications.take({ always: false }),
      peer_connections: offer ? [{ id: this.#peer.id, description: offer }] : null,
      recording: this.#recording.take(),
    };
    const members = Object.entries(update).filter(([, value]) => value !== null);
    if (members.length > 0) this.#link.send({ type: 'update', version: 2, ...Object.fromEntries(members) });
    const warning = this.#recording.takeWarnings();
    if (warning) this.#link.send(warning);
    if (offer) this.#awaitAnswer();
  }

  #subscriptions(options: { always: boolean }): object | null {
    const wanted = this.#wanted();
    const sids = [...this.#peer.placedTracks().filter((sid) => wanted.has(sid)), ...this.#data.subscribed];
    const homeless = this.#peer.homelessTracks();
    const key = [...sids, ...homeless].join();
    if (key === this.#subscribed.sids && !options.always) return null;
    this.#subscribed = { revision: this.#subscribed.revision + 1, sids: key };
    return { revision: this.#subscribed.revision, tracks: [...sids.map((sid) => ({ sid, id: sid })), ...homeless.map((sid) => ({ sid, error: NO_PLACE }))] };
  }

  #awaitAnswer(): void {
    this.#answerTimer?.cancel();
    this.#answerTimer = this.#options.clock.after(ANSWER_TIMEOUT_MS, () => this.fail(53402, 'The client did not answer a media description'));
  }

  // ------------------------------------------------------------------------------------------------- losses and the end

  /** The socket is gone; the browser may come back on another. */
  linkLost(link: Link): void {
    if (link !== this.#link || this.#ended) return;
    this.#link = null;
    this.#answerTimer?.cancel();
    // One that was never let in has no session to come back to.
    if (!this.#welcomed) return this.participant.disconnect('connection-lost');
    this.#setReconnecting();
    this.#linkTimer = this.#after(() => this.participant.disconnect('connection-lost'));
  }

  #after(fn: () => void): Timer {
    return this.#options.clock.after(this.#options.timeoutS * 1000, fn);
  }

  /** The browser sees it too and offers an ICE restart. */
  #mediaFailed(): void {
    this.#log.info({}, 'media of a browser failed');
    this.#mediaTimer ??= this.#after(() => this.fail(53405, 'Media connection failed'));
    this.#setReconnecting();
  }

  #mediaConnected(): void {
    this.#mediaTimer?.cancel();
    this.#mediaTimer = null;
    this.#setReconnecting();
  }

  #setReconnecting(): void {
    this.participant.setReconnecting(!this.#link || this.#mediaTimer !== null);
  }

  #participantDisconnected(reason: LeaveReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#log.info({ reason }, 'a browser left its room');
    for (const unlisten of this.#unlisten) unlisten();
    this.#mediaSignaling.close();
    this.#recording.close();
    for (const timer of [this.#linkTimer, this.#mediaTimer, this.#answerTimer]) timer?.cancel();
    const message = this.#endingMessage ?? endingMessage(reason);
    if (message) this.#link?.send(message);
    this.#link?.close();
    this.#link = null;
    this.#media.close().catch((error: unknown) => this.#log.debug({ error: messageOf(error) }, 'the media transport was gone already'));
    this.#options.ended(this);
  }
}
