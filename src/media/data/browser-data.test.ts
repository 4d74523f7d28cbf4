import type { DataChannel } from 'node-datachannel';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../base/log.ts';
import { silentLog } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { PeerChannel } from '../transport/peer-channel.ts';
import { BrowserData, type ChannelPeer } from './browser-data.ts';
import { DataRelay, type DataMessage } from './data-relay.ts';

/** A channel as node-datachannel gives it, in a test's hands. */
class FakeChannel {
  sent: DataMessage[] = [];
  open = false;
  buffered = 0;
  closed = false;
  readonly id: number;
  #onOpen = (): void => {};
  #onClosed = (): void => {};
  #onMessage: (message: DataMessage) => void = () => {};
  constructor(id: number) {
    this.id = id;
  }
  getId = (): number => this.id;
  isOpen = (): boolean => this.open;
  bufferedAmount = (): number => this.buffered;
  maxMessageSize = (): number => 262_144;
  sendMessage = (message: string): boolean => this.#sent(message);
  sendMessageBinary = (message: Buffer): boolean => this.#sent(message);
  onOpen = (fn: () => void): void => void (this.#onOpen = fn);
  onClosed = (fn: () => void): void => void (this.#onClosed = fn);
  onMessage = (fn: (message: DataMessage) => void): void => void (this.#onMessage = fn);
  #sent(message: DataMessage): boolean {
    this.sent.push(message);
    return false;
  }
  opens(): void {
    this.open = true;
    this.#onOpen();
  }
  closes(): void {
    this.open = false;
    this.#onClosed();
  }
  says(message: DataMessage): void {
    this.#onMessage(message);
  }
}

class FakePeer implements ChannelPeer {
  opened: { kept: PeerChannel; channel: FakeChannel; init: object }[] = [];
  closed: string[] = [];
  openChannel(kept: PeerChannel): void {
    const channel = new FakeChannel(this.opened.length * 2);
    this.opened.push({ kept, channel, init: kept.init });
    attach(kept, channel);
  }
  closeChannel(kept: PeerChannel): void {
    this.closed.push(kept.label);
  }
  get channels(): FakeChannel[] {
    return this.opened.map(({ channel }) => channel);
  }
}

const attach = (kept: PeerChannel, channel: FakeChannel): void => kept.attach(channel as unknown as DataChannel, (fn) => (...args) => void fn(...args));

let clock: FakeClock;
let relay: DataRelay;
let warnings: string[];
let log: Log;

beforeEach(() => {
  clock = new FakeClock();
  relay = new DataRelay();
  warnings = [];
  log = { ...silentLog, warn: (_fields, message) => void warnings.push(message), child: () => log };
});

function browser(): { data: BrowserData; peer: FakePeer; opens: (label: string, id?: number) => FakeChannel | null } {
  const data = new BrowserData({ browserId: 'b', relay, clock, log });
  const peer = new FakePeer();
  data.peerOpened(peer);
  const opens = (label: string, id = 1): FakeChannel | null => {
    const kept = data.channelOpened(label);
    const channel = new FakeChannel(id);
    if (kept) attach(kept, channel);
    return kept && channel;
  };
  return { data, peer, opens };
}

function pair(): { sid: ReturnType<typeof newSid<'MT'>>; from: FakeChannel; to: FakeChannel; anna: ReturnType<typeof browser>; ben: ReturnType<typeof browser> } {
  const sid = newSid('MT');
  const [anna, ben] = [browser(), browser()];
  anna.data.setTracks({ published: [{ trackId: 'chat', trackSid: sid }], subscribed: [] });
  ben.data.setTracks({ published: [], subscribed: [sid] });
  ben.peer.channels[0]!.opens();
  return { sid, anna, ben, from: anna.opens('chat')!, to: ben.peer.channels[0]! };
}

describe('data tracks of browsers', () => {
  it('reach every subscriber as they came, text as text and bytes as bytes', () => {
    const { sid, from, to, ben } = pair();
    const carl = browser();
    carl.data.setTracks({ published: [], subscribed: [sid] });
    carl.peer.channels[0]!.opens();
    from.says('hello');
    from.says(Buffer.from([1, 0, 255]));
    from.says('');
    expect(ben.peer.opened[0]!.kept.label).toBe(sid);
    expect(to.sent).toEqual(['hello', Buffer.from([1, 0, 255]), '']);
    expect(carl.peer.channels[0]!.sent).toEqual(to.sent);
  });

  it('keep what came before signaling told whose channel it is', () => {
    const sid = newSid('MT');
    const [anna, ben] = [browser(), browser()];
    const from = anna.opens('chat')!;
    from.says('early');
    ben.data.setTracks({ published: [], subscribed: [sid] });
    anna.data.setTracks({ published: [{ trackId: 'chat', trackSid: sid }], subscribed: [] });
    from.says('later');
    ben.peer.channels[0]!.opens();
    expect(ben.peer.channels[0]!.sent).toEqual(['early', 'later']);
  });

  it('a channel that nobody tells of is closed, and there are not many of them', () => {
    const { data, opens, peer } = browser();
    const channels = Array.from({ length: 17 }, (_, i) => opens(`x${i}`));
    expect(channels.map((channel) => channel !== null)).toEqual([...Array.from({ length: 16 }, () => true), false]);
    expect(opens('x0'), 'the same label twice').toBeNull();
    data.setTracks({ published: [{ trackId: 'x0', trackSid: newSid('MT') }], subscribed: [] });
    clock.advance(30_000);
    expect(peer.closed.sort()).toEqual(Array.from({ length: 15 }, (_, i) => `x${i + 1}`).sort());
  });

  it('unpublished or unsubscribed, a channel is closed and carries nothing more', () => {
    const { from, to, anna, ben, sid } = pair();
    ben.data.setTracks({ published: [], subscribed: [] });
    from.says('unheard');
    expect(to.sent).toEqual([]);
    expect(ben.peer.closed).toEqual([sid]);
    anna.data.setTracks({ published: [], subscribed: [] });
    expect(anna.peer.closed).toEqual(['chat']);
  });

  it('published again before signaling told that it was unpublished, a track is heard', () => {
    const { from, to, anna, ben } = pair();
    from.closes();
    const second = anna.opens('chat', 3)!;
    anna.data.setTracks({ published: [], subscribed: [] });
    second.says('early');
    const sid = newSid('MT');
    ben.data.setTracks({ published: [], subscribed: [sid] });
    anna.data.setTracks({ published: [{ trackId: 'chat', trackSid: sid }], subscribed: [] });
    second.says('later');
    ben.peer.channels[1]!.opens();
    expect(ben.peer.channels[1]!.sent).toEqual(['early', 'later']);
    expect(to.sent).toEqual([]);
    anna.data.setTracks({ published: [], subscribed: [] });
    expect(anna.peer.closed, 'the first and the second').toEqual(['chat', 'chat']);
  });

  it('go on over another transport, under the same streams, with what was said meanwhile', () => {
    const { from, to, anna, ben, sid } = pair();
    from.says('before');
    // The transport is lost: its channels close without the browser having unpublished anything.
    from.closes();
    to.closes();
    const annaPeer = new FakePeer();
    const benPeer = new FakePeer();
    anna.data.peerOpened(annaPeer);
    ben.data.peerOpened(benPeer);
    expect(annaPeer.opened.map(({ kept, init }) => [kept.label, init])).toEqual([['chat', { negotiated: true, id: 1 }]]);
    expect(benPeer.opened.map(({ kept, init }) => [kept.label, init])).toEqual([[sid, { negotiated: true, id: 0 }]]);
    annaPeer.channels[0]!.says('between');
    benPeer.channels[0]!.opens();
    annaPeer.channels[0]!.says('after');
    to.opens();
    expect(benPeer.channels[0]!.sent).toEqual(['between', 'after']);
    expect(to.sent).toEqual(['before']);
  });

  it('leave out messages for a browser that does not read, and for it alone', () => {
    const { from, to, sid } = pair();
    const quick = browser();
    quick.data.setTracks({ published: [], subscribed: [sid] });
    quick.peer.channels[0]!.opens();
    to.buffered = 4 * 1024 * 1024;
    from.says('one');
    from.says('two');
    to.buffered = 0;
    from.says('three');
    expect(to.sent).toEqual(['three']);
    expect(quick.peer.channels[0]!.sent).toEqual(['one', 'two', 'three']);
    expect(warnings).toHaveLength(2);
  });

  it('a browser that sends without measure is heard up to a measure', () => {
    const { from, to } = pair();
    for (let i = 0; i < 5000; i++) from.says(`${i}`);
    expect(to.sent).toHaveLength(4000);
    clock.advance(1000);
    from.says('again');
    expect(to.sent.at(-1)).toBe('again');
    for (let i = 0; i < 100; i++) from.says(Buffer.alloc(200_000));
    expect(to.sent.slice(4001).length * 200_000).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(warnings).toHaveLength(3);
  });

  it('wait for a channel that does not open only so much', () => {
    const sid = newSid('MT');
    const [anna, ben] = [browser(), browser()];
    ben.data.setTracks({ published: [], subscribed: [sid] });
    anna.data.setTracks({ published: [{ trackId: 'chat', trackSid: sid }], subscribed: [] });
    const from = anna.opens('chat')!;
    for (let i = 0; i < 12; i++) from.says(Buffer.alloc(100_000, i));
    ben.peer.channels[0]!.opens();
    expect(ben.peer.channels[0]!.sent).toHaveLength(10);
  });
});
