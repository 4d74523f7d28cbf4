import { randomInt } from 'node:crypto';
import ndc from 'node-datachannel';
import type { DataChannel, PeerConnection, Track } from 'node-datachannel';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import type { TrackSid } from '../../base/sid.ts';
import { DataRelay } from '../data/data-relay.ts';
import type { TrackRegistry, TrackSink, TrackSource } from '../forward/track.ts';
import type { LocalIceDtls, ReceiveTrack, RemoteIceDtls, RtpCodec, SendTrack } from '../protocol.ts';
import { isRtcp, parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import { PSFB_PLI, readNack, RTCP_PSFB, RTCP_RR, RTCP_RTPFB, RTCP_SR, RtcpCursor, RTPFB_NACK, RTPFB_TWCC, writeNack } from '../rtp/rtcp-feedback.ts';
import { TRANSPORT_CC_URI } from '../forward/subscription.ts';
import { WebRtcTransport } from './webrtc-transport.ts';

class TestRegistry implements TrackRegistry {
  #sources = new Map<TrackSid, TrackSource>();
  #sinks = new Map<TrackSid, Set<TrackSink>>();
  addSource(source: TrackSource): void {
    this.#sources.set(source.trackSid, source);
    for (const sink of this.#sinks.get(source.trackSid) ?? []) source.addSink(sink);
  }
  removeSource(source: TrackSource): void {
    this.#sources.delete(source.trackSid);
  }
  source(trackSid: TrackSid): TrackSource | null {
    return this.#sources.get(trackSid) ?? null;
  }
  subscribe(trackSid: TrackSid, sink: TrackSink): () => void {
    const sinks = this.#sinks.get(trackSid) ?? new Set();
    this.#sinks.set(trackSid, sinks.add(sink));
    this.source(trackSid)?.addSink(sink);
    return () => {
      sinks.delete(sink);
      this.source(trackSid)?.removeSink(sink);
    };
  }
}

/** A browser's ICE, DTLS and SRTP, by the same library: it sends and gets whole RTP packets. */
class FakeBrowser {
  received: Buffer[] = [];
  /** The server's channels, and what came over them. */
  channels: DataChannel[] = [];
  texts: unknown[] = [];
  /** Its own data track. */
  chat!: DataChannel;
  #connection!: PeerConnection;
  #track!: Track;

  start(kept?: { label: string; id: number; chat?: number }): RemoteIceDtls {
    const connection = new ndc.PeerConnection('browser', { iceServers: [], disableAutoNegotiation: true, forceMediaTransport: true, bindAddress: '127.0.0.1' });
    const audio = new ndc.Audio('0', 'SendRecv');
    audio.addAudioCodec(0, 'PCMU');
    this.#track = connection.addTrack(audio);
    this.#track.onMessage((packet) => this.received.push(packet));
    this.chat = connection.createDataChannel('chat', kept?.chat === undefined ? {} : { negotiated: true, id: kept.chat });
    connection.onDataChannel((channel) => this.#listen(channel));
    if (kept) this.#listen(connection.createDataChannel(kept.label, { negotiated: true, id: kept.id }));
    connection.setLocalDescription('offer');
    this.#connection = connection;
    const sdp = connection.localDescription()!.sdp;
    const value = (name: string): string => new RegExp(`a=${name}:(.*?)\r\n`).exec(sdp)![1]!;
    return { iceUfrag: value('ice-ufrag'), icePwd: value('ice-pwd'), fingerprint: value('fingerprint') };
  }

  #listen(channel: DataChannel): void {
    this.channels.push(channel);
    channel.onMessage((text) => this.texts.push(text));
  }

  answered(local: LocalIceDtls): void {
    const common = [`a=ice-ufrag:${local.iceUfrag}`, `a=ice-pwd:${local.icePwd}`, `a=fingerprint:${local.fingerprint}`, `a=setup:${local.setup}`];
    const head = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', ...common];
    const audio = ['m=audio 9 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:0 PCMU/8000'];
    const mid = /m=application[\s\S]*a=mid:(\S+)/.exec(this.#connection.localDescription()!.sdp)![1]!;
    const data = ['m=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', `a=mid:${mid}`, 'a=sctp-port:5000', 'a=max-message-size:262144'];
    const candidates = local.candidates.map((candidate) => `a=candidate:${candidate}`);
    this.#connection.setRemoteDescription([...head, ...audio, ...candidates, ...data, ''].join('\r\n'), 'answer');
  }

  send(packet: Buffer): boolean {
    return this.#track.isOpen() && this.#track.sendMessageBinary(packet);
  }

  get rtp(): Buffer[] {
    return this.received.filter((packet) => !isRtcp(packet));
  }

  rtcp(type: number, count?: number): { cursor: RtcpCursor; packet: Buffer }[] {
    const found: { cursor: RtcpCursor; packet: Buffer }[] = [];
    for (const packet of this.received.filter(isRtcp)) {
      const cursor = new RtcpCursor();
      cursor.reset(packet);
      while (cursor.next()) {
        if (cursor.type !== type || (count !== undefined && cursor.count !== count)) continue;
        found.push({ cursor, packet });
        break;
      }
    }
    return found;
  }

  close(): void {
    this.chat.close();
    this.#connection.close();
  }
}

const closing: { close(): void }[] = [];
afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});

/** Lost on a busy machine, SCTP sends its INIT again after 1, 2, 4 and 8 s. */
const PATIENCE_MS = 20_000;

async function until(what: string, met: () => boolean): Promise<void> {
  for (const beganMs = performance.now(); performance.now() - beganMs < PATIENCE_MS; ) {
    if (met()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never: ${what}`);
}

async function join(registry: TrackRegistry, webrtcPort: number, data = new DataRelay()): Promise<{ browser: FakeBrowser; transport: WebRtcTransport; connected: () => number }> {
  const browser = new FakeBrowser();
  let connected = 0;
  const transport = await WebRtcTransport.create({
    id: 'b',
    remote: browser.start(),
    registry,
    data,
    settings: { bindAddress: '127.0.0.1', webrtcPort },
    clock: systemClock,
    log: silentLog,
    events: { connected: () => connected++, failed: () => {}, channelMessage: () => {}, videoSwitched: () => {}, layersWanted: () => {} },
  });
  closing.push(browser, transport);
  browser.answered(transport.local);
  await until('connected', () => connected === 1);
  return { browser, transport, connected: () => connected };
}

const randomPort = (): number => randomInt(40_000, 60_000);
const opus = (payloadType: number): RtpCodec => ({ name: 'opus', payloadType, clockRateHz: 48_000, channels: 2 });
const vp8 = (payloadType: number, rtxPayloadType: number): RtpCodec => ({ name: 'vp8', payloadType, clockRateHz: 90_000, rtxPayloadType });

function rtp(fields: { payloadType: number; sequenceNumber: number; timestamp: number; ssrc: number; payload: Buffer; extension?: Buffer }): Buffer {
  const head = Buffer.alloc(12);
  writeRtpHeader(head, { ...fields, marker: false });
  if (!fields.extension) return Buffer.concat([head, fields.payload]);
  head[0] = 0x90;
  return Buffer.concat([head, Buffer.from([0xbe, 0xde, 0, fields.extension.length / 4]), fields.extension, fields.payload]);
}

function parsed(packet: Buffer): RtpView {
  const view = new RtpView();
  expect(parseRtp(view, packet)).toBe(true);
  return view;
}

const KEY_FRAME = Buffer.from([0x10, 0x00, 1, 2, 3]);
const DELTA_FRAME = Buffer.from([0x10, 0x01, 4, 5, 6]);

describe('two browsers on one UDP port', () => {
  it("carries one's audio to the other under its own SSRC and payload type", async () => {
    const registry = new TestRegistry();
    const port = randomPort();
    const [a, b] = [await join(registry, port), await join(registry, port)];
    const trackSid = newSid('MT');
    a.transport.setReceiveTracks([{ trackSid, kind: 'audio', mid: '0', codecs: [opus(111)], extensions: {}, encodings: [{ ssrc: 1111 }] }]);
    b.transport.setSendTracks([{ trackSid, kind: 'audio', mid: 's1', ssrc: 2222, cname: 'c', codecs: [opus(109)], extensions: {} }]);
    for (let i = 0; i < 20; i++) a.browser.send(rtp({ payloadType: 111, sequenceNumber: 100 + i, timestamp: 960 * i, ssrc: 1111, payload: Buffer.from([i, 7, 7]) }));
    await until('20 packets', () => b.browser.rtp.length === 20);
    const views = b.browser.rtp.map(parsed);
    expect(views.map((v) => [v.ssrc, v.payloadType])).toEqual(views.map(() => [2222, 109]));
    expect(views.map((v) => v.buffer[v.payloadOffset])).toEqual([...Array(20).keys()]);
    const first = views[0]!;
    expect(views.map((v) => (v.sequenceNumber - first.sequenceNumber) & 0xffff)).toEqual([...Array(20).keys()]);
    expect(views.map((v) => v.timestamp - first.timestamp)).toEqual([...Array(20).keys()].map((i) => i * 960));
    expect(b.transport.stats().packetsSent).toBeGreaterThanOrEqual(20);
  });

  it('goes on over an ICE restart with its sequence numbers', async () => {
    const registry = new TestRegistry();
    const port = randomPort();
    const [a, b] = [await join(registry, port), await join(registry, port)];
    const trackSid = newSid('MT');
    a.transport.setReceiveTracks([{ trackSid, kind: 'audio', mid: '0', codecs: [opus(111)], extensions: {}, encodings: [{ ssrc: 1 }] }]);
    b.transport.setSendTracks([{ trackSid, kind: 'audio', mid: 's1', ssrc: 2, cname: 'c', codecs: [opus(109)], extensions: {} }]);
    const say = (sequenceNumber: number): boolean => a.browser.send(rtp({ payloadType: 111, sequenceNumber, timestamp: 960 * sequenceNumber, ssrc: 1, payload: Buffer.from([1]) }));
    say(1);
    await until('the first packet', () => b.browser.rtp.length === 1);
    const before = b.transport.local;
    const again = new FakeBrowser();
    closing.push(again);
    again.answered((await Promise.all([b.transport.restartIce(again.start())]))[0]);
    await until('connected again', () => b.connected() === 2);
    expect(b.transport.local.iceUfrag).not.toBe(before.iceUfrag);
    expect(b.transport.local.fingerprint).not.toBe(before.fingerprint);
    say(2);
    await until('a packet on the new path', () => again.rtp.length === 1);
    const [first, second] = [parsed(b.browser.rtp[0]!), parsed(again.rtp[0]!)];
    expect((second.sequenceNumber - first.sequenceNumber) & 0xffff).toBe(1);
    expect(second.timestamp - first.timestamp).toBe(960);
  });

  it('shows a state over a data channel: the latest, once it is asked for, and on over an ICE restart', async () => {
    const { browser, transport, connected } = await join(new TestRegistry(), randomPort());
    transport.showState('floor', 'nobody');
    transport.showState('floor', 'anna');
    await until('the channel', () => browser.channels[0]?.isOpen() === true);
    const channel = browser.channels[0]!;
    expect([channel.getLabel(), browser.texts]).toEqual(['floor', []]);
    channel.sendMessage('{"type":"ready"}');
    await until('its state', () => browser.texts.length > 0);
    transport.showState('floor', 'ben');
    await until('the next state', () => browser.texts.length > 1);
    expect([browser.texts, browser.channels.length]).toEqual([['anna', 'ben'], 1]);
    const again = new FakeBrowser();
    closing.push(again);
    again.answered(await transport.restartIce(again.start({ label: 'floor', id: channel.getId() })));
    transport.showState('floor', 'meanwhile');
    await until('connected again', () => connected() === 2);
    await until('the state of meanwhile', () => again.texts.length > 0);
    transport.showState('floor', 'after');
    await until('the state after', () => again.texts.length > 1);
    expect(again.texts).toEqual(['meanwhile', 'after']);
    for (let i = 1; i < 16; i++) transport.showState(`channel ${i}`, '');
    expect(() => transport.showState('one too many', '')).toThrow(/16 channels/);
  });

  it('carries a data track, text and binary, small and large, and on over ICE restarts of both', async () => {
    const [port, relay] = [randomPort(), new DataRelay()];
    const [a, b] = [await join(new TestRegistry(), port, relay), await join(new TestRegistry(), port, relay)];
    const trackSid = newSid('MT');
    a.transport.setDataTracks({ published: [{ trackId: 'chat', trackSid }], subscribed: [] });
    b.transport.setDataTracks({ published: [], subscribed: [trackSid] });
    await until('both channels', () => a.browser.chat.isOpen() && b.browser.channels[0]?.isOpen() === true);
    const channel = b.browser.channels[0]!;
    expect(channel.getLabel()).toBe(trackSid);
    const large = Buffer.alloc(200_000, 7);
    a.browser.chat.sendMessage('grüezi');
    a.browser.chat.sendMessage('');
    a.browser.chat.sendMessageBinary(Buffer.from([1, 0, 2]));
    a.browser.chat.sendMessageBinary(large);
    await until('four messages', () => b.browser.texts.length === 4);
    expect(b.browser.texts).toEqual(['grüezi', '', Buffer.from([1, 0, 2]), large]);

    const again = new FakeBrowser();
    const other = new FakeBrowser();
    closing.push(again, other);
    again.answered(await a.transport.restartIce(again.start({ label: 'x', id: 77, chat: a.browser.chat.getId() })));
    other.answered(await b.transport.restartIce(other.start({ label: trackSid, id: channel.getId() })));
    await until('both channels again', () => again.chat.isOpen() && other.channels[0]?.isOpen() === true);
    again.chat.sendMessage('still here');
    await until('the message', () => other.texts.length === 1);
    expect(other.texts).toEqual(['still here']);
    b.transport.setDataTracks({ published: [], subscribed: [] });
    await until('its channel closed', () => other.channels[0]?.isOpen() === false);
  });

  it('asks for key frames, lost packets and tells the sender what arrived when', async () => {
    const registry = new TestRegistry();
    const port = randomPort();
    const [a, b] = [await join(registry, port), await join(registry, port)];
    const trackSid = newSid('MT');
    const receive: ReceiveTrack = { trackSid, kind: 'video', mid: '1', codecs: [vp8(96, 97)], extensions: { [TRANSPORT_CC_URI]: 3 }, encodings: [{ ssrc: 11, rtxSsrc: 12 }] };
    const send: SendTrack = { trackSid, kind: 'video', mid: 's1', ssrc: 21, rtxSsrc: 22, cname: 'c', codecs: [vp8(100, 101)], extensions: {} };
    a.transport.setReceiveTracks([receive]);
    b.transport.setSendTracks([send]);
    await until('a PLI', () => a.browser.rtcp(RTCP_PSFB, PSFB_PLI).length === 1);
    let wide = 0;
    const show = (sequenceNumber: number, payload: Buffer, rtx = false): boolean =>
      a.browser.send(rtp({ payloadType: rtx ? 97 : 96, sequenceNumber, timestamp: 5, ssrc: rtx ? 12 : 11, payload, extension: Buffer.from([0x31, 0, wide++, 0]) }));
    show(10, DELTA_FRAME);
    show(11, KEY_FRAME);
    show(13, DELTA_FRAME);
    await until('a NACK', () => a.browser.rtcp(RTCP_RTPFB, RTPFB_NACK).length > 0);
    const missing: number[] = [];
    readNack(a.browser.rtcp(RTCP_RTPFB, RTPFB_NACK)[0]!.cursor, missing);
    expect(missing).toEqual([12]);
    show(500, Buffer.concat([Buffer.from([0, 12]), DELTA_FRAME]), true);
    show(501, Buffer.concat([Buffer.from([0, 12]), DELTA_FRAME]), true);
    await until('three packets', () => b.browser.rtp.length === 3);
    const views = b.browser.rtp.map(parsed);
    expect(views.map((v) => (v.sequenceNumber - views[0]!.sequenceNumber) & 0xffff)).toEqual([0, 2, 1]);
    expect(views.every((v) => v.ssrc === 21 && v.payloadType === 100)).toBe(true);
    await until('transport-wide feedback', () => a.browser.rtcp(RTCP_RTPFB, RTPFB_TWCC).length > 0);
    await until('a receiver report', () => a.browser.rtcp(RTCP_RR).length > 0);

    const lost = views[0]!.sequenceNumber;
    b.browser.send(writeNack(9, 21, [lost]));
    await until('a retransmission', () => b.browser.rtp.length === 4);
    const rtx = parsed(b.browser.rtp[3]!);
    expect([rtx.ssrc, rtx.payloadType, rtx.buffer.readUInt16BE(rtx.payloadOffset)]).toEqual([22, 101, lost]);
    expect(rtx.buffer.subarray(rtx.payloadOffset + 2)).toEqual(KEY_FRAME);
  });

  it('reports as sender for a phone, whose source has no clock', async () => {
    const registry = new TestRegistry();
    const { browser, transport } = await join(registry, randomPort());
    const trackSid = newSid('MT');
    const sinks = new Set<TrackSink>();
    registry.addSource({ trackSid, kind: 'audio', addSink: (s) => void sinks.add(s), removeSink: (s) => void sinks.delete(s), requestKeyFrame: () => {} });
    transport.setSendTracks([{ trackSid, kind: 'audio', mid: 's1', ssrc: 77, cname: 'c', codecs: [opus(111), { name: 'pcmu', payloadType: 0, clockRateHz: 8000 }], extensions: {} }]);
    const view = new RtpView();
    parseRtp(view, rtp({ payloadType: 3, sequenceNumber: 1, timestamp: 160, ssrc: 5, payload: Buffer.alloc(160, 0xff) }));
    for (const sink of sinks) sink.packetForwarded(view, 'pcmu', systemClock.nowMs());
    await until('the packet', () => browser.rtp.length === 1);
    expect(parsed(browser.rtp[0]!)).toMatchObject({ payloadType: 0, ssrc: 77, payloadLength: 160 });
    await until('a sender report', () => browser.rtcp(RTCP_SR).length > 0);
    expect(browser.rtcp(RTCP_SR)[0]!.packet.readUInt32BE(4)).toBe(77);
    transport.setSendTracks([]);
    expect(sinks.size).toBe(0);
  });

  it('refuses credentials that would write lines into its SDP', async () => {
    const remote = { iceUfrag: 'abcd\r\na=x', icePwd: 'p'.repeat(24), fingerprint: `sha-256 ${Array(32).fill('AB').join(':')}` };
    const options = { id: 'b', remote, registry: new TestRegistry(), data: new DataRelay(), settings: { bindAddress: '127.0.0.1', webrtcPort: randomPort() }, clock: systemClock, log: silentLog, events: { connected: () => {}, failed: () => {}, channelMessage: () => {}, videoSwitched: () => {}, layersWanted: () => {} } };
    await expect(WebRtcTransport.create(options)).rejects.toMatchObject({ reason: 'bad-request' });
  });

  it('writes the public address into its candidates', async () => {
    const browser = new FakeBrowser();
    const transport = await WebRtcTransport.create({
      id: 'b', remote: browser.start(), registry: new TestRegistry(), data: new DataRelay(), clock: systemClock, log: silentLog, events: { connected: () => {}, failed: () => {}, channelMessage: () => {}, videoSwitched: () => {}, layersWanted: () => {} },
      settings: { bindAddress: '127.0.0.1', publicAddress: '203.0.113.7', webrtcPort: randomPort() },
    });
    closing.push(browser, transport);
    expect(transport.local.candidates.length).toBe(1);
    expect(transport.local.candidates[0]).toContain(' 203.0.113.7 ');
  });
});
