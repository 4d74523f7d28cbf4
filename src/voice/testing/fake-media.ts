import { Emitter } from '../../base/emitter.ts';
import { newSid } from '../../base/sid.ts';
import { MediaError, type MediaPlane, type PhoneMedia, type PhoneMediaEvents, type PhoneRemote, type PlayOutcome, type PromptSource, type RoomMedia, type RoomMediaEvents } from '../../media/protocol.ts';

export class FakePhone extends Emitter<PhoneMediaEvents> implements PhoneMedia {
  readonly id = 'phone';
  readonly localPort = 20_000;
  readonly remotes: PhoneRemote[] = [];
  readonly played: { source: PromptSource; loops: number }[] = [];
  readonly digits: string[] = [];
  near: RoomMedia | null = null;
  closed = false;
  /** On: prompts go on until they are stopped. */
  playsOn = false;

  connect(remote: PhoneRemote): Promise<void> {
    this.remotes.push(remote);
    return Promise.resolve();
  }

  play(source: PromptSource, options: { loops?: number; signal?: AbortSignal } = {}): Promise<PlayOutcome> {
    this.played.push({ source, loops: options.loops ?? 1 });
    if (!this.playsOn) return Promise.resolve('finished');
    return new Promise((resolve) => options.signal?.addEventListener('abort', () => resolve('stopped')));
  }

  sendDigits(digits: string): Promise<void> {
    this.digits.push(digits);
    return Promise.resolve();
  }

  joinRoom(): Promise<void> {
    return Promise.resolve();
  }

  leaveRoom(): Promise<void> {
    return Promise.resolve();
  }

  stats(): ReturnType<PhoneMedia['stats']> {
    return Promise.resolve({ packetsReceived: 0, packetsSent: 0, packetsLost: 0, packetsDiscarded: 0, jitterMs: 0 });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

export class FakeMediaPlane implements MediaPlane {
  readonly phones: FakePhone[] = [];
  failure: MediaError | null = null;

  createPhone({ near }: { near?: RoomMedia }): Promise<PhoneMedia> {
    if (this.failure) return Promise.reject(this.failure);
    const phone = new FakePhone();
    phone.near = near ?? null;
    this.phones.push(phone);
    return Promise.resolve(phone);
  }

  createRoom(): Promise<RoomMedia> {
    return Promise.resolve(fakeRoomMedia());
  }
}

export function fakeRoomMedia(): RoomMedia {
  return Object.assign(new Emitter<RoomMediaEvents>(), {
    roomSid: newSid('RM'),
    createBrowser: () => Promise.reject(new MediaError('closed', 'no browsers here')),
    close: () => Promise.resolve(),
  });
}
