import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { networkMissing, TroubledNetwork } from '../peers/netns.ts';
import { startServer, type Server } from '../peers/server.ts';
import { toneAmplitude, type Sound } from '../peers/tones.ts';
import { sleep, waitUntil } from '../peers/wait.ts';

// Two browsers and a phone whose every packet to and from the server goes over a bad line: signaling, SIP and media alike.

const cast = new Cast();
const ANNA_HZ = 440;
const PHONE_HZ = 1000;
/** All of them hum at an amplitude of 0.4. */
const LOUD_ENOUGH = 0.2;
const ROOM = 'DailyStandup';
const reason = networkMissing();
let network: TroubledNetwork;
let server: Server;
let anna: Party;
let ben: Party;
let phone: Phone;
/** Of the phone: the demo application gives it none. */
let caller = '';

/**
 * Share of the 100 ms windows in which the tone is well to be heard: at least half as loud as it was sent, and at least half of
 * all there is to be heard.
 */
const clearly = (amplitude: number, power: number): boolean => amplitude >= LOUD_ENOUGH && amplitude ** 2 / 2 >= power / 2;
const shareOf = (windows: { amplitude: number; power: number }[]): number => windows.filter(({ amplitude, power }) => clearly(amplitude, power)).length / windows.length;

/** 100 ms windows of what the page hears of `identity` in the next `ms`. */
function pageWindows(page: Party, identity: string, { hz, ms }: { hz: number; ms: number }): Promise<{ amplitude: number; power: number }[]> {
  return page.page.evaluate(
    async ({ identity, hz, ms }) => {
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      const { party, performance } = globalThis as any;
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      const ear = (Object.entries(party.ears) as [string, any][]).find(([key]) => key.startsWith(`${identity} `))?.[1];
      const windows = [];
      for (const end = performance.now() + ms; performance.now() < end; ) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        const { power, amplitudes } = ear.window([hz]);
        windows.push({ amplitude: amplitudes[0], power });
      }
      return windows;
    },
    { identity, hz, ms },
  );
}

/** 100 ms windows of what the phone hears in the next `ms`. */
async function phoneWindows(hz: number, ms: number): Promise<{ amplitude: number; power: number }[]> {
  const from = phone.heard().samples.length;
  await sleep(ms);
  const sound: Sound = phone.heard();
  const size = sound.sampleRateHz / 10;
  const windows = [];
  for (let at = from; at + size <= sound.samples.length; at += size) {
    const samples = sound.samples.subarray(at, at + size);
    windows.push({ amplitude: toneAmplitude(sound, hz, at, size), power: samples.reduce((sum, sample) => sum + (sample / 32768) ** 2, 0) / size });
  }
  return windows;
}

/** Frames a page has sent, of all its video. */
function framesSent(page: Party): Promise<number> {
  return page.page.evaluate(async () => {
    let frames = 0;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    for (const connection of (globalThis as any).peerConnections) {
      for (const row of (await connection.getStats()).values()) if (row.type === 'outbound-rtp' && row.kind === 'video') frames += row.framesSent ?? 0;
    }
    return frames;
  });
}

const framesDecoded = async (page: Party): Promise<number> => (await page.rtp()).reduce((sum, row) => sum + (row.framesDecoded ?? 0), 0);

describe.skipIf(reason !== null)(`network trouble${reason === null ? '' : ` (${reason})`}`, () => {
  beforeAll(async () => {
    network = await cast.add('network', TroubledNetwork.create());
    server = await cast.add('server', startServer({ namespace: network.namespace, env: { PARTYLINE_BIND_ADDRESS: network.farAddress }, demo: true }));
    const browser = await cast.add('browser', Browser.start());
    [anna, ben] = [await browser.party('anna'), await browser.party('ben')];
    phone = await cast.add('phone', startPhone({ user: '+15557001', toneHz: PHONE_HZ, address: network.nearAddress }));
    await anna.join({ token: server.token('anna'), wsServer: server.wsUrl, roomName: ROOM, toneHz: ANNA_HZ, video: true });
    await ben.join({ token: server.token('ben'), wsServer: server.wsUrl, roomName: ROOM });
    await phone.dial(server.sipUri('+15550100'));
    await phone.waitEstablished();
    await ben.waitHears('anna', ANNA_HZ);
    caller = (await ben.waitEvent((event) => event.name === 'participantConnected', 'the phone to come')).identity ?? '';
    await ben.waitHears(caller, PHONE_HZ);
  }, 90_000);

  it('5 % loss each way: pictures move and the phone is understood', async () => {
    network.lose(5);
    await sleep(500);
    const before = { sent: await framesSent(anna), decoded: await framesDecoded(ben) };
    const [atBen, atPhone] = await Promise.all([pageWindows(ben, caller, { hz: PHONE_HZ, ms: 8000 }), phoneWindows(ANNA_HZ, 8000)]);
    const sent = (await framesSent(anna)) - before.sent;
    const decoded = (await framesDecoded(ben)) - before.decoded;
    const dropped = network.dropped();
    expect(Math.min(...dropped), 'packets lost each way').toBeGreaterThan(30);
    expect(sent).toBeGreaterThan(40);
    expect(decoded / sent, `${decoded} of ${sent} frames`).toBeGreaterThanOrEqual(0.8);
    expect(atBen.length).toBeGreaterThan(40);
    expect(shareOf(atBen), JSON.stringify(atBen)).toBeGreaterThanOrEqual(0.95);
    expect(atPhone.length).toBeGreaterThan(60);
    expect(shareOf(atPhone), JSON.stringify(atPhone)).toBeGreaterThanOrEqual(0.95);
  });

  it('an outage of 10 s ends in reconnected, and everybody is heard again', async () => {
    network.lose(100);
    const began = Date.now();
    await sleep(10_000);
    network.lose(0);
    const restored = Date.now();
    for (const page of [anna, ben]) {
      await page.waitEvent((event) => event.name === 'reconnecting' && event.at >= began, 'the outage to be noticed');
      await page.waitEvent((event) => event.name === 'reconnected' && event.at >= restored, 'the return', 20_000);
    }
    await Promise.all([ben.waitHears('anna', ANNA_HZ), ben.waitHears(caller, PHONE_HZ), anna.waitHears(caller, PHONE_HZ)]);
    const decodedBefore = await framesDecoded(ben);
    await waitUntil(async () => (await framesDecoded(ben)) > decodedBefore + 10, { what: 'pictures of anna at ben' });
    expect(shareOf(await phoneWindows(ANNA_HZ, 1500))).toBeGreaterThanOrEqual(0.9);
    // Signaling is back as well, over the same socket or another one: what anna does is told to ben.
    await anna.enableAudio(false);
    await ben.waitEvent((event) => event.name === 'trackDisabled' && event.identity === 'anna', 'anna to mute', 20_000);
    for (const page of [anna, ben]) await waitUntil(async () => (await page.describe()).state === 'connected', { timeoutMs: 20_000, what: `${page.name} to be connected` });
    for (const page of [anna, ben]) expect((await page.events()).filter((event) => event.name === 'disconnected')).toEqual([]);
    expect(phone.count('CALL_CLOSED')).toBe(0);
  });
});
