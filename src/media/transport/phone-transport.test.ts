import { afterEach, describe, expect, it } from 'vitest';
import { delivered } from '../../testing/delivered.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { RtpCaller } from '../../testing/rtp-caller.ts';
import { silenceSource, ToneSource } from '../play/pcm-source.ts';
import type { PhoneRemote } from '../protocol.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { SrtpReceiver, SrtpSender, type SrtpKeying } from '../rtp/srtp.ts';
import { PhoneTransport } from './phone-transport.ts';
import { PortPool } from './port-pool.ts';

const closing: { close(): void }[] = [];
afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});

interface Leg {
  clock: FakeClock;
  phone: PhoneTransport;
  caller: RtpCaller;
  remote: PhoneRemote;
  told: string[];
  /** 20 ms of the phone. */
  tick(): void;
  /** So many ms of the phone. */
  run(ms: number): Promise<void>;
  /** Lets the sockets deliver. */
  settle(): Promise<void>;
}

async function leg(over: Partial<PhoneRemote> = {}): Promise<Leg> {
  const clock = new FakeClock();
  const told: string[] = [];
  const base = 40_000 + 2 * Math.floor(Math.random() * 7000);
  const phone = await PhoneTransport.open({
    id: 'phone-1',
    bindAddress: '127.0.0.1',
    ports: new PortPool({ min: base, max: base + 199 }),
    mediaTimeoutMs: 1000,
    clock,
    events: {
      digitReceived: (digit) => told.push(digit),
      firstPacketReceived: () => told.push('first'),
      mediaTimedOut: () => told.push('timed out'),
      securityFailed: (why) => told.push(why),
    },
  });
  const caller = await RtpCaller.open(0);
  closing.push(phone, caller);
  const remote: PhoneRemote = { address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true, ...over };
  phone.connect(remote);
  const settle = (): Promise<void> => delivered(phone, caller);
  const tick = (): void => {
    clock.advance(20);
    phone.idle.tick(clock.nowMs());
  };
  const run = async (ms: number): Promise<void> => {
    for (let n = 0; n < ms / 20; n++) {
      tick();
      if (n % 100 === 99) await settle(); // a socket holds some 250 packets
    }
    await settle();
  };
  return { clock, phone, caller, remote, told, tick, run, settle };
}

/** The caller speaks one frame. */
function speak(from: RtpCaller, to: PhoneTransport, payloadType = 0): void {
  from.send(payloadType, Buffer.alloc(160, 0x90), { target: to.localPort });
  from.timestamp += 160;
}

describe('a phone’s transport', () => {
  it('sends a frame every 20 ms from the moment it is connected', async () => {
    const { caller, run } = await leg();
    await run(1000);
    expect(caller.heard).toHaveLength(50);
    expect(caller.heard.every(({ payload }) => payload.equals(Buffer.alloc(160, 0xff)))).toBe(true);
  });

  it('is silent on hold, keeps its numbers, and goes on in time', async () => {
    const { phone, caller, remote, run } = await leg();
    await run(100);
    phone.connect({ ...remote, send: false });
    await run(1000);
    expect(caller.heard).toHaveLength(5);
    phone.connect(remote);
    await run(100);
    const [last, next] = [caller.heard[4]!, caller.heard[5]!];
    expect((next.sequenceNumber - last.sequenceNumber) & 0xffff).toBe(1);
    expect((next.timestamp - last.timestamp) >>> 0).toBe(51 * 160);
    expect(next.marker).toBe(true);
  });

  it('takes the address 0.0.0.0 for hold and knows the old one afterwards', async () => {
    const { phone, caller, remote, run } = await leg();
    await run(100);
    phone.connect({ ...remote, address: '0.0.0.0' });
    await run(200);
    expect(caller.heard).toHaveLength(5);
    phone.connect(remote);
    await run(100);
    expect(caller.heard).toHaveLength(10);
  });

  it('plays on through hold: a prompt does not wait for who cannot hear it', async () => {
    const { phone, run } = await leg({ send: false });
    let outcome = '';
    void phone.play(silenceSource(400)).then((how) => (outcome = how));
    await run(440);
    expect(outcome).toBe('finished');
  });

  it('sends to where the first packet came from, and drops strangers', async () => {
    const { phone, caller, run, settle } = await leg({ port: 9, rtcpPort: 9 });
    speak(caller, phone);
    await settle();
    await run(100);
    expect(caller.heard).toHaveLength(5);
    const stranger = await RtpCaller.open(0);
    closing.push(stranger);
    for (let n = 0; n < 5; n++) speak(stranger, phone);
    await run(100);
    expect(stranger.heard).toHaveLength(0);
    expect(caller.heard).toHaveLength(10);
    expect(phone.stats()).toMatchObject({ packetsReceived: 1, packetsDiscarded: 5 });
  });

  it('drops payload types nobody agreed on and what is no RTP', async () => {
    const { phone, caller, told, settle } = await leg({ dtmfPayloadType: null });
    speak(caller, phone, 18);
    caller.send(101, Buffer.from([1, 0x8a, 1, 0]), { target: phone.localPort });
    caller.send(14, Buffer.from([40]), { target: phone.localPort });
    await settle();
    expect(told).toEqual([]);
    expect(phone.stats()).toMatchObject({ packetsReceived: 0, packetsDiscarded: 3 });
  });

  it('tells a phone that fell silent, once, and not while none of its media is expected', async () => {
    const { phone, caller, remote, told, run, settle } = await leg({ receive: false });
    await run(3000);
    expect(told).toEqual([]);
    phone.connect({ ...remote, receive: true });
    await run(900);
    speak(caller, phone);
    await settle();
    await run(900);
    expect(told).toEqual(['first']);
    await run(3000);
    expect(told).toEqual(['first', 'timed out']);
  });

  it('counts what another SSRC brings without taking the change for loss', async () => {
    const { phone, caller, settle } = await leg();
    for (let n = 0; n < 3; n++) speak(caller, phone);
    caller.ssrc++;
    caller.sequence = 40_000;
    for (let n = 0; n < 3; n++) speak(caller, phone);
    await settle();
    expect(phone.stats()).toMatchObject({ packetsReceived: 6, packetsLost: 0 });
  });

  it('reports every few seconds, with what it sent and what it got, and says BYE', async () => {
    const { phone, caller, run, settle } = await leg();
    for (let n = 0; n < 3; n++) speak(caller, phone);
    await settle();
    await run(10_000);
    expect(caller.rtcp.length).toBeGreaterThanOrEqual(1);
    expect(caller.rtcp.length).toBeLessThanOrEqual(4);
    const report = caller.rtcp[0]!;
    expect(report[1]).toBe(200);
    expect(report.readUInt32BE(4)).toBe(caller.heard[0]!.ssrc);
    expect(report.readUInt32BE(20)).toBeGreaterThan(60);
    expect(report.includes('phone-1@partyline')).toBe(true);
    expect(parseRtcp(report)?.blocks[0]).toMatchObject({ ssrc: caller.ssrc, fractionLost: 0, lost: 0 });
    phone.close();
    phone.close();
    await settle();
    expect(parseRtcp(caller.rtcp.at(-1)!)?.bye).toBe(true);
  });

  it('finds the RTCP port of a phone behind a NAT where its RTCP comes from, and believes no other address', async () => {
    const rtcp = await RtpCaller.open(0);
    closing.push(rtcp);
    const { phone, caller, remote, run, settle } = await leg({ rtcpPort: 9 });
    const say = (): void => rtcp.send(73, Buffer.alloc(0), { marker: true, target: phone.localPort + 1 });
    say();
    await run(8000);
    expect([rtcp.rtcp.length, caller.rtcp.length]).toEqual([0, 0]);
    speak(caller, phone);
    await settle();
    say();
    await settle();
    // A session refresh says the private port again.
    phone.connect(remote);
    await run(8000);
    expect(rtcp.rtcp.length).toBeGreaterThanOrEqual(1);
    expect(parseRtcp(rtcp.rtcp[0]!)?.blocks).toMatchObject([{ ssrc: caller.ssrc }]);
    phone.close();
    await settle();
    expect(parseRtcp(rtcp.rtcp.at(-1)!)?.bye).toBe(true);
  });

  it('sends keys, then goes on with what was playing', async () => {
    const { phone, caller, run } = await leg();
    let sent = false;
    void phone.play(new ToneSource({ frequencyHz: 500, durationMs: 5000, levelDbov: -12 }));
    void phone.sendDigits('4').then(() => (sent = true));
    await run(1000);
    expect(sent).toBe(true);
    const types = caller.heard.map(({ payloadType }) => payloadType);
    expect(types.filter((type) => type === 101)).toHaveLength(8);
    expect(types.slice(8).every((type) => type === 0)).toBe(true);
    expect(caller.hears(500, 2000)).toBeGreaterThan(0.05);
  });

  it('of a phone on the last port goes on without RTCP, and gives its own port back', async () => {
    const { phone, remote, tick } = await leg({ port: 65_535 });
    const { rtcpPort: _none, ...last } = { ...remote, port: 65_535 };
    phone.connect(last);
    const port = phone.localPort;
    // Nobody hears it: there is nothing to wait for.
    for (let n = 0; n < 1000; n++) tick();
    phone.close();
    const again = await PhoneTransport.open({ id: 'phone-2', bindAddress: '127.0.0.1', ports: new PortPool({ min: port, max: port + 1 }), mediaTimeoutMs: 0, clock: new FakeClock(), events: { digitReceived: () => {}, firstPacketReceived: () => {}, mediaTimedOut: () => {}, securityFailed: () => {} } });
    again.close();
  });

  it('refuses what is no address', async () => {
    const { phone, remote } = await leg();
    for (const bad of [{ address: 'phone.example' }, { address: '::1' }, { port: 0 }, { port: 70_000 }]) {
      expect(() => phone.connect({ ...remote, ...bad })).toThrow(expect.objectContaining({ name: 'MediaError', reason: 'bad-request' }) as Error);
    }
  });
});

describe('a phone’s transport with SRTP', () => {
  const key = (letter: string): SrtpKeying => ({ suite: 'AES_CM_128_HMAC_SHA1_80', key: letter.repeat(40) });

  it('sends what its keys open, hears what its keys have sealed, and nothing in clear', async () => {
    const { phone, caller, remote, run, settle, told } = await leg({ srtp: { send: key('A'), receive: key('B') } });
    const raw: Buffer[] = [];
    caller.packetReceived = (packet) => raw.push(Buffer.from(packet));
    await run(100);
    const ours = new SrtpReceiver(key('A'));
    expect(raw).toHaveLength(5);
    expect(raw.every((packet) => ours.unprotect(packet)?.subarray(12).equals(Buffer.alloc(160, 0xff)))).toBe(true);
    speak(caller, phone);
    await settle();
    expect([phone.stats().packetsReceived, phone.stats().packetsDiscarded]).toEqual([0, 1]);
    const theirs = new SrtpSender(key('B'));
    caller.seal = (packet) => theirs.protect(packet);
    speak(caller, phone);
    await settle();
    phone.connect({ ...remote, srtp: { send: key('A'), receive: key('B') } });
    speak(caller, phone);
    await settle();
    expect([phone.stats().packetsReceived, phone.stats().packetsDiscarded, told]).toEqual([2, 1, ['first']]);
    phone.connect({ ...remote, srtp: { send: key('A'), receive: key('C') } });
    speak(caller, phone);
    await settle();
    expect(phone.stats().packetsDiscarded).toBe(2);
  });
});
