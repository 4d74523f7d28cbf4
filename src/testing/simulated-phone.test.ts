import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedPhone, type SimulatedPhoneOptions } from './simulated-phone.ts';

const phones: SimulatedPhone[] = [];

async function phone(options: SimulatedPhoneOptions = {}): Promise<SimulatedPhone> {
  const started = await SimulatedPhone.start(options);
  phones.push(started);
  return started;
}

afterEach(async () => {
  await Promise.all(phones.splice(0).map((each) => each.stop()));
});

const hum = (frequencyHz: number) => ({ kind: 'tone' as const, frequencyHz });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < 8000; waitedMs += 20) {
    if (condition()) return;
    await sleep(20);
  }
  expect.fail(`waited in vain for ${what}`);
}

describe('two simulated phones', () => {
  it.each(['udp', 'tcp'] as const)('hear each other and not themselves over %s', async (transport) => {
    const alice = await phone({ user: 'alice', sound: hum(440), transport });
    const bob = await phone({ user: 'bob', sound: hum(1000) });
    const called = bob.nextCall();
    const atAlice = await alice.call(bob.uri(transport));
    await atAlice.answered();
    const atBob = await called;
    await until(() => atAlice.heard.frequencyShare(1000, 1000) === 1 && atBob.heard.frequencyShare(440, 1000) === 1, 'both tones, a second long');
    expect(atAlice.heard.frequencyShare(440, 1000)).toBe(0);
    expect(atBob.heard.frequencyShare(1000, 1000)).toBe(0);
    expect(atBob.heard.levelDbov(500)).toBeCloseTo(-12, 0);
    expect(atBob.heard.dominantFrequencyHz()).toBe(440);
    expect(atBob.incoming?.from.user).toBe('alice');

    expect(atAlice.reception).toMatchObject({ codec: 'PCMU', scale: 'narrow-band', packetsLost: 0 });
    expect(atAlice.reception.mos).toBeGreaterThan(4.2);
    expect(atAlice.reception.packetsReceived).toBeGreaterThanOrEqual(atAlice.heard.packets);

    atAlice.hangup();
    expect((await atBob.ended()).cause).toBe('remote-bye');
    expect((await atAlice.ended()).cause).toBe('local');
    await until(() => alice.counts().dialogs === 0 && bob.counts().dialogs === 0, 'no dialog to be left');
  });

  it('press keys that arrive once each, in order', async () => {
    const alice = await phone();
    const bob = await phone();
    const called = bob.nextCall();
    const atAlice = await alice.call(bob.uri());
    await atAlice.answered();
    await atAlice.sendDigits('12#99');
    const atBob = await called;
    await until(() => atBob.digitsReceived.length >= 5, 'five keys');
    expect(atBob.digitsReceived).toBe('12#99');
  });

  it('say something else in the middle of a call', async () => {
    const alice = await phone({ sound: hum(440) });
    const bob = await phone();
    const called = bob.nextCall();
    const atAlice = await alice.call(bob.uri());
    const atBob = await called;
    await until(() => atBob.heard.frequencyShare(440, 300) === 1, '440 Hz');
    atAlice.say(hum(700));
    await until(() => atBob.heard.frequencyShare(700, 300) === 1, '700 Hz');
    expect(atBob.heard.frequencyShare(440, 300)).toBe(0);
    atAlice.say({ kind: 'silence' });
    await until(() => atBob.heard.levelDbov(300) < -60, 'silence');
  });
});

describe('a simulated phone that is called', () => {
  it('is busy when told so', async () => {
    const bob = await phone({ habit: { kind: 'reject', statusCode: 486 } });
    const call = await (await phone()).call(bob.uri());
    await expect(call.answered()).rejects.toThrow('rejected with 486');
    expect(call.ending).toMatchObject({ cause: 'rejected', statusCode: 486 });
  });

  it('rings until the caller gives up', async () => {
    const bob = await phone({ habit: { kind: 'ring' } });
    const called = bob.nextCall();
    const call = await (await phone()).call(bob.uri());
    const atBob = await called;
    await until(() => call.state === 'ringing', 'the ringing');
    call.hangup();
    expect((await atBob.ended()).cause).toBe('remote-cancel');
    await call.ended();
    expect(call.milestones.answeredMs).toBeNull();
  });

  it('answers after a while', async () => {
    const bob = await phone({ habit: { kind: 'answer', afterMs: 200 } });
    const call = await (await phone()).call(bob.uri());
    await call.answered();
    expect(call.milestones.ringingMs).not.toBeNull();
    expect(call.milestones.answeredMs).toBeGreaterThanOrEqual(190);
  });
});

it('forty calls at a time, all heard', async () => {
  const bob = await phone({ sound: hum(1000), keepMs: 4000 });
  const alice = await phone({ sound: hum(440), keepMs: 4000 });
  const calls = await Promise.all(Array.from({ length: 40 }, () => alice.call(bob.uri())));
  await Promise.all(calls.map((call) => call.answered()));
  await until(() => calls.every((call) => call.heard.frequencyShare(1000, 500) >= 0.8), '1000 Hz in 40 calls');
  await until(() => bob.calls.every((call) => call.heard.frequencyShare(440, 500) >= 0.8), '440 Hz in 40 calls');
  expect(bob.calls).toHaveLength(40);
});
