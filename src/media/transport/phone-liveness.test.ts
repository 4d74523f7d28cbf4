import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { RtpCaller } from '../../testing/rtp-caller.ts';
import type { PhoneRemote } from '../protocol.ts';
import { SrtpSender, type SrtpKeying } from '../rtp/srtp.ts';
import { PhoneTransport } from './phone-transport.ts';
import { PortPool } from './port-pool.ts';

const TIMEOUT_MS = 1000;
const closing: { close(): void }[] = [];
afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});

interface Call {
  phone: PhoneTransport;
  caller: RtpCaller;
  remote: PhoneRemote;
  told: string[];
  /** Steps the phone through so many ms, with something done every 200 ms that says how many RTP packets it sent. */
  run(ms: number, each?: () => number): Promise<void>;
}

async function callOf(over: Partial<PhoneRemote> = {}): Promise<Call> {
  const clock = new FakeClock();
  const told: string[] = [];
  const base = 26_000 + 2 * Math.floor(Math.random() * 3000);
  const phone = await PhoneTransport.open({
    id: 'phone-1',
    bindAddress: '127.0.0.1',
    ports: new PortPool({ min: base, max: base + 199 }),
    mediaTimeoutMs: TIMEOUT_MS,
    clock,
    events: { digitReceived: () => {}, firstPacketReceived: () => told.push('first'), mediaTimedOut: () => told.push('timed out'), securityFailed: (why) => told.push(why) },
  });
  const caller = await opened();
  closing.push(phone);
  const remote: PhoneRemote = { address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true, ...over };
  phone.connect(remote);
  let sent = 0;
  const judged = (): number => phone.stats().packetsReceived + phone.stats().packetsDiscarded;
  const run = async (ms: number, each?: () => number): Promise<void> => {
    for (let n = 0; n < ms / 200; n++) {
      sent += each?.() ?? 0;
      await vi.waitFor(() => expect(judged()).toBe(sent), { interval: 2, timeout: 3000 });
      for (let step = 0; step < 10; step++) {
        clock.advance(20);
        phone.idle.tick(clock.nowMs());
      }
    }
  };
  return { phone, caller, remote, told, run };
}

async function opened(): Promise<RtpCaller> {
  const caller = await RtpCaller.open(0);
  closing.push(caller);
  return caller;
}

/** One packet. */
function speak(from: RtpCaller, to: PhoneTransport): 1 {
  from.send(0, Buffer.alloc(160, 0x90), { target: to.localPort });
  from.timestamp += 160;
  return 1;
}

describe('the media time-out of a phone', () => {
  it('is not put off by strangers, by RTCP, or by payload types nobody agreed on', async () => {
    const { phone, caller, told, run } = await callOf();
    const stranger = await opened();
    await run(400, () => speak(caller, phone));
    await run(1400, () => {
      speak(stranger, phone);
      // A receiver report without blocks: version 2, type 201, one word.
      caller.send(73, Buffer.alloc(0), { marker: true, target: phone.localPort });
      caller.send(18, Buffer.alloc(20), { target: phone.localPort });
      return 2;
    });
    expect(told).toEqual(['first', 'timed out']);
  });

  it('is not put off by packets that the keys refuse', async () => {
    const key = (letter: string): SrtpKeying => ({ suite: 'AES_CM_128_HMAC_SHA1_80', key: letter.repeat(40) });
    const { phone, caller, told, run } = await callOf({ srtp: { send: key('A'), receive: key('B') } });
    const theirs = new SrtpSender(key('B'));
    caller.seal = (packet) => theirs.protect(packet);
    await run(2000, () => speak(caller, phone));
    expect(told).toEqual(['first']);
    const forged = new SrtpSender(key('C'));
    caller.seal = (packet) => forged.protect(packet);
    await run(1400, () => speak(caller, phone));
    expect(told).toEqual(['first', 'timed out']);
  });

  it('is put off by comfort noise alone: a phone that is silent for long says so now and then', async () => {
    const { phone, caller, told, run } = await callOf();
    await run(400, () => speak(caller, phone));
    let step = 0;
    await run(4000, () => {
      if (step++ % 4 > 0) return 0;
      caller.send(13, Buffer.from([60]), { target: phone.localPort });
      caller.timestamp += 6400;
      return 1;
    });
    expect(told).toEqual(['first']);
    expect(phone.stats().packetsLost).toBe(0);
    await run(1200);
    expect(told).toEqual(['first', 'timed out']);
  });

  it.each([
    ['inactive', { receive: false, send: false }],
    ['sendonly, with no music', { send: false }],
    ['0.0.0.0', { address: '0.0.0.0' }],
  ])('pauses on hold (%s), and begins anew when the phone is taken back', async (_how, held) => {
    const { phone, caller, remote, told, run } = await callOf();
    await run(800, () => speak(caller, phone));
    phone.connect({ ...remote, ...held });
    await run(10_000);
    phone.connect(remote);
    await run(800);
    expect(told).toEqual(['first']);
    await run(400);
    expect(told).toEqual(['first', 'timed out']);
  });
});

describe('a phone that takes the place of another one', () => {
  it('has all its time, however long the one before was silent', async () => {
    const { phone, remote, told, run } = await callOf();
    await run(800);
    phone.connect({ ...remote, anotherPhone: true });
    await run(800);
    expect(told).toEqual([]);
    await run(400);
    expect(told).toEqual(['timed out']);
  });
});

describe('a phone that changes in the middle of a call', () => {
  it('is heard on with another SSRC, and from another port once its old one is silent', async () => {
    const { phone, caller, told, run } = await callOf();
    await run(400, () => speak(caller, phone));
    caller.ssrc++;
    caller.sequence = 50_000;
    caller.timestamp = 7;
    await run(1600, () => speak(caller, phone));
    expect(phone.stats()).toMatchObject({ packetsReceived: 10, packetsLost: 0, packetsDiscarded: 0 });
    const moved = await opened();
    moved.ssrc = caller.ssrc;
    moved.sequence = caller.sequence;
    moved.timestamp = caller.timestamp;
    // Silent for 2 s it is believed to have moved; what came before that is a stranger's.
    await run(3000, () => speak(moved, phone));
    expect(phone.stats().packetsReceived).toBeGreaterThan(13);
    await vi.waitFor(() => expect(moved.heard.length).toBeGreaterThan(0));
    expect(told.filter((what) => what === 'first')).toHaveLength(1);
  });
});
