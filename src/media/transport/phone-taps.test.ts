import { afterEach, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { muLawOf, RtpCaller, tonePower } from '../../testing/rtp-caller.ts';
import { MixParty } from '../mix/mix-party.ts';
import { RoomMixer } from '../mix/room-mixer.ts';
import { ToneSource } from '../play/pcm-source.ts';
import type { PhoneRemote } from '../protocol.ts';
import { parseRtp, RtpView, writeRtpHeader } from '../rtp/packet.ts';
import type { PhoneTap } from './phone-taps.ts';
import { PhoneTransport } from './phone-transport.ts';
import { PortPool } from './port-pool.ts';

const LOUD = 0.03;
const FAINT = 1e-6;

/** Keeps what it hears. */
class Ear implements PhoneTap {
  readonly inbound: number[] = [];
  readonly outbound: number[] = [];
  closed = 0;
  frame(inbound: Int16Array, outbound: Int16Array): void {
    expect([inbound.length, outbound.length]).toEqual([160, 160]);
    this.inbound.push(...inbound);
    this.outbound.push(...outbound);
  }
  phoneClosed(): void {
    this.closed++;
  }
}

const closing: { close(): void }[] = [];
afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});

interface Leg {
  clock: FakeClock;
  phone: PhoneTransport;
  caller: RtpCaller;
  remote: PhoneRemote;
  /** The caller hums 440 Hz for so long while `step` steps the phone. */
  hum(ms: number, step?: (nowMs: number) => void): Promise<void>;
}

function toneCodes(frequencyHz: number, frame: number): Buffer {
  return Buffer.from(Array.from({ length: 160 }, (_, i) => muLawOf(8000 * Math.sin((2 * Math.PI * frequencyHz * (frame * 160 + i)) / 8000))));
}

async function leg(): Promise<Leg> {
  const clock = new FakeClock();
  const base = 40_000 + 2 * Math.floor(Math.random() * 7000);
  const phone = await PhoneTransport.open({
    id: 'phone-1',
    bindAddress: '127.0.0.1',
    ports: new PortPool({ min: base, max: base + 199 }),
    mediaTimeoutMs: 0,
    clock,
    events: { digitReceived: () => {}, firstPacketReceived: () => {}, mediaTimedOut: () => {}, securityFailed: () => {} },
  });
  const caller = await RtpCaller.open(0);
  closing.push(phone, caller);
  const remote: PhoneRemote = { address: '127.0.0.1', port: caller.port, rtcpPort: caller.port, codec: 'PCMU', payloadType: 0, dtmfPayloadType: 101, ptimeMs: 20, send: true, receive: true };
  phone.connect(remote);
  let frames = 0;
  const hum = async (ms: number, step = (nowMs: number) => phone.idle.tick(nowMs)): Promise<void> => {
    for (let n = 0; n < ms / 20; n++) {
      const { packetsReceived } = phone.stats();
      caller.send(0, toneCodes(440, frames++), { target: phone.localPort });
      caller.timestamp += 160;
      while (phone.stats().packetsReceived === packetsReceived) await new Promise((resolve) => setImmediate(resolve));
      clock.advance(20);
      step(clock.nowMs());
    }
  };
  return { clock, phone, caller, remote, hum };
}

describe('a tap on a phone', () => {
  it('hears what the phone says and what is sent to it, each 20 ms', async () => {
    const { phone, hum } = await leg();
    const ear = new Ear();
    phone.addTap(ear);
    void phone.play(new ToneSource({ frequencyHz: 900, durationMs: 60_000, levelDbov: -15 }));
    await hum(500);
    expect(ear.inbound).toHaveLength(4000);
    expect(ear.outbound).toHaveLength(4000);
    const [said, sent] = [ear.inbound.slice(-3200), ear.outbound.slice(-3200)];
    expect(tonePower(said, 440)).toBeGreaterThan(LOUD);
    expect(tonePower(said, 900)).toBeLessThan(FAINT);
    expect(tonePower(sent, 900)).toBeGreaterThan(LOUD);
    expect(tonePower(sent, 440)).toBeLessThan(FAINT);
  });

  it('hears what a phone in a room gets from the room, and on hold that nothing is sent', async () => {
    const { phone, remote, hum } = await leg();
    const mixer = new RoomMixer();
    phone.enterRoom({ packetReceived: () => {}, noiseReceived: () => {} });
    const party = new MixParty(newSid('MT'));
    mixer.addInput(phone.voice, party);
    mixer.addOutput(phone, party);
    const tone = new ToneSource({ frequencyHz: 700, durationMs: 60_000, levelDbov: -15 });
    const pcm = new Int16Array(160);
    mixer.addInput({ pcm, wide: () => new Int16Array(320), levelDbov: -15, pull: () => tone.read(pcm) > 0 }, new MixParty(newSid('MT')));
    const ear = new Ear();
    phone.addTap(ear);
    await hum(500, (nowMs) => mixer.tick(nowMs));
    expect(tonePower(ear.inbound.slice(-3200), 440)).toBeGreaterThan(LOUD);
    expect(tonePower(ear.outbound.slice(-3200), 700)).toBeGreaterThan(LOUD);
    expect(tonePower(ear.outbound.slice(-3200), 440)).toBeLessThan(FAINT);
    phone.connect({ ...remote, send: false });
    await hum(200, (nowMs) => mixer.tick(nowMs));
    expect(ear.outbound.slice(-1600).every((sample) => sample === 0)).toBe(true);
    expect(tonePower(ear.inbound.slice(-1600), 440)).toBeGreaterThan(LOUD);
  });

  it('hears what a pipe brings, in steps of 20 ms', async () => {
    const { clock, phone, hum } = await leg();
    phone.enterPipe({ packetReceived: () => {}, noiseReceived: () => {} });
    const ear = new Ear();
    phone.addTap(ear);
    const [packet, view] = [Buffer.alloc(172), new RtpView()];
    let frames = 0;
    await hum(500, (nowMs) => {
      writeRtpHeader(packet, { payloadType: 0, marker: false, sequenceNumber: frames, timestamp: frames * 160, ssrc: 7 });
      toneCodes(700, frames++).copy(packet, 12);
      parseRtp(view, packet);
      phone.pipeReceived(view, clock.nowMs());
      phone.idle.tick(nowMs);
    });
    expect(tonePower(ear.outbound.slice(-3200), 700)).toBeGreaterThan(LOUD);
    expect(tonePower(ear.inbound.slice(-3200), 440)).toBeGreaterThan(LOUD);
    phone.pipeClosed();
    await hum(200);
    expect(ear.outbound.slice(-1600).every((sample) => sample === 0)).toBe(true);
  });

  it('may leave in the midst of a frame, and is told once that the phone closed', async () => {
    const { phone, hum } = await leg();
    const [ear, other] = [new Ear(), new Ear()];
    let frames = 0;
    const short: PhoneTap = {
      frame: () => {
        frames++;
        phone.removeTap(short);
      },
      phoneClosed: () => expect.fail('it had left'),
    };
    for (const tap of [ear, short, other]) phone.addTap(tap);
    await hum(60);
    phone.close();
    phone.close();
    expect([frames, ear.inbound.length, other.inbound.length, ear.closed, other.closed]).toEqual([1, 480, 480, 1, 1]);
  });
});
