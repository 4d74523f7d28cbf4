import type { LocalAudioTrack, LocalVideoTrack, Participant, RemoteParticipant, Room } from 'twilio-video';
import { fetchAdmission, signalingUrl } from './demo-api.ts';
import { wakeAudio } from './loudness.ts';
import { Video } from './sdk/video.ts';
import { deviceInWords, errorInWords } from './words.ts';

export type Connection = 'out' | 'joining' | 'in' | 'reconnecting';

/** A participant as a tile shows it. */
export interface Guest {
  sid: string;
  identity: string;
  isMe: boolean;
  /** What it sends; null: nothing, or nothing that arrived yet. */
  audio: Playable | null;
  video: Playable | null;
  muted: boolean;
  reconnecting: boolean;
}

/** A track that can be put into a media element. */
export interface Playable {
  mediaStreamTrack: MediaStreamTrack;
  attach(element: HTMLMediaElement): HTMLMediaElement;
  detach(element: HTMLMediaElement): HTMLMediaElement;
}

export interface SessionView {
  connection: Connection;
  guests: Guest[];
  /** Why the last attempt or stay ended; null: nothing to tell. */
  problem: string | null;
  /** Devices that are not there, in words. */
  notes: string[];
  microphone: 'on' | 'off' | 'missing';
  camera: 'on' | 'off' | 'missing';
}

const OUTSIDE: SessionView = { connection: 'out', guests: [], problem: null, notes: [], microphone: 'missing', camera: 'missing' };

const PARTICIPANT_EVENTS = ['trackSubscribed', 'trackUnsubscribed', 'trackEnabled', 'trackDisabled', 'trackUnpublished', 'reconnecting', 'reconnected'];
const CAMERA_SIZE = { width: 640, height: 360, frameRate: 24 };

/** One page's stay in the room, by the official SDK. */
export class RoomSession {
  #view: SessionView = OUTSIDE;
  #room: Room | null = null;
  #audio: LocalAudioTrack | null = null;
  #video: LocalVideoTrack | null = null;
  readonly #listeners = new Set<() => void>();

  get view(): SessionView {
    return this.#view;
  }

  /** @returns ends the subscription */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Joins with whatever devices there are. Never rejects: what went wrong is the view's `problem`. */
  async join(identity: string): Promise<void> {
    if (this.#view.connection !== 'out') return;
    this.#show({ ...OUTSIDE, connection: 'joining' });
    wakeAudio();
    try {
      const admission = await fetchAdmission(identity);
      const notes = await this.#openDevices();
      this.#show({ notes });
      const tracks = [this.#audio, this.#video].filter((track) => track !== null);
      // `wsServer` is read by the SDK and missing from its types.
      const options = { name: admission.room, tracks, wsServer: signalingUrl(admission, location), insights: false, logLevel: 'error' as const };
      this.#enter(await Video.connect(admission.token, options));
    } catch (error) {
      this.#leave(errorInWords(error));
    }
  }

  leave(): void {
    this.#room?.disconnect();
  }

  toggleMicrophone(): void {
    if (!this.#audio) return;
    if (this.#audio.isEnabled) this.#audio.disable();
    else this.#audio.enable();
    this.#refresh();
  }

  /** Off ends the camera and not only its picture, so that its light goes out. */
  async toggleCamera(): Promise<void> {
    const room = this.#room;
    if (!room) return;
    if (this.#video) {
      room.localParticipant.unpublishTrack(this.#video);
      this.#video.stop();
      this.#video = null;
      return this.#refresh();
    }
    try {
      this.#video = await Video.createLocalVideoTrack(CAMERA_SIZE);
      await room.localParticipant.publishTrack(this.#video);
    } catch (error) {
      this.#show({ notes: [deviceInWords(error, 'camera')] });
    }
    this.#refresh();
  }

  async #openDevices(): Promise<string[]> {
    const notes: string[] = [];
    this.#audio = await Video.createLocalAudioTrack().catch((error: unknown) => (notes.push(deviceInWords(error, 'microphone')), null));
    this.#video = await Video.createLocalVideoTrack(CAMERA_SIZE).catch((error: unknown) => (notes.push(deviceInWords(error, 'camera')), null));
    if (!this.#audio) notes.push('You hear the room; it does not hear you.');
    return notes;
  }

  #enter(room: Room): void {
    this.#room = room;
    const refresh = (): void => this.#refresh();
    const meet = (participant: RemoteParticipant): void => {
      for (const name of PARTICIPANT_EVENTS) participant.on(name, refresh);
      refresh();
    };
    room.participants.forEach(meet);
    room.on('participantConnected', meet);
    room.on('participantDisconnected', refresh);
    room.on('reconnecting', () => this.#show({ connection: 'reconnecting' }));
    room.on('reconnected', () => this.#show({ connection: 'in' }));
    room.on('disconnected', (_room: Room, error?: Error) => this.#leave(error ? errorInWords(error) : null));
    this.#show({ connection: 'in' });
    this.#refresh();
  }

  #leave(problem: string | null): void {
    this.#audio?.stop();
    this.#video?.stop();
    this.#audio = this.#video = this.#room = null;
    this.#show({ ...OUTSIDE, problem });
  }

  #refresh(): void {
    const room = this.#room;
    if (!room) return;
    const me: Guest = { ...base(room.localParticipant, true), audio: this.#audio, video: this.#video, muted: !this.#audio?.isEnabled };
    const microphone = this.#audio ? (this.#audio.isEnabled ? 'on' : 'off') : 'missing';
    const camera = this.#video ? 'on' : this.#view.camera === 'missing' && this.#view.guests.length === 0 ? 'missing' : 'off';
    this.#show({ guests: [me, ...[...room.participants.values()].map(remoteGuest)], microphone, camera });
  }

  #show(change: Partial<SessionView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function base(participant: Participant, isMe: boolean): Pick<Guest, 'sid' | 'identity' | 'isMe' | 'reconnecting'> {
  return { sid: participant.sid, identity: participant.identity, isMe, reconnecting: participant.state === 'reconnecting' };
}

function remoteGuest(participant: RemoteParticipant): Guest {
  const audio = [...participant.audioTracks.values()].find((publication) => publication.track !== null);
  const video = [...participant.videoTracks.values()].find((publication) => publication.track !== null && publication.isTrackEnabled);
  return { ...base(participant, false), audio: audio?.track ?? null, video: video?.track ?? null, muted: !audio?.isTrackEnabled };
}
