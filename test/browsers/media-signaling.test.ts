import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party, type PartyEvent } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { sleep, waitUntil } from '../peers/wait.ts';

// What the SDK does over its media signaling channels, by pages of the unmodified package: who speaks, how good everybody's
// network is, which videos are switched off and why, and which layers of its video a publisher makes.

const cast = new Cast();
const ROOM = 'Signals';
const PHONE = '+15557003';
const ANNA_PICTURE = { width: 960, height: 540 };
let stage: Stage;
let phone: Phone;
/** Shows her picture in three layers, and hums. */
let anna: Party;
/** Says himself which videos he shows, and how large. */
let ben: Party;
/** Shows one video at a time, small. */
let cora: Party;

beforeAll(async () => {
  const [opened, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  stage = opened;
  phone = await cast.add('phone', startPhone({ user: PHONE, toneHz: 1000 }));
  stage.app.on('/voice', () => {
    const response = new twilio.twiml.VoiceResponse();
    response.connect().room({ participantIdentity: PHONE }, ROOM);
    return response;
  });
  await stage.number('+15550103', '/voice');
  await stage.room(ROOM);
  [anna, ben, cora] = await Promise.all(['anna', 'ben', 'cora'].map((name) => browser.party(name))) as [Party, Party, Party];
  await cora.page.addStyleTag({ content: 'video { width: 160px; height: 90px }' });
  const join = (page: Party, more: object): Promise<unknown> => page.join({ token: stage.server.token(page.name), wsServer: stage.server.wsUrl, roomName: ROOM, ...more });
  await join(anna, { toneHz: 440, video: ANNA_PICTURE, options: { preferredVideoCodecs: 'auto', networkQuality: { local: 3, remote: 3 } } });
  const manual = { clientTrackSwitchOffControl: 'manual', contentPreferencesMode: 'manual', trackSwitchOffMode: 'disabled' };
  await join(ben, { video: true, options: { bandwidthProfile: { video: manual }, networkQuality: { local: 1, remote: 1 } } });
  await join(cora, { options: { bandwidthProfile: { video: { mode: 'grid', maxTracks: 1, trackSwitchOffMode: 'disabled' } }, dominantSpeaker: true, networkQuality: true } });
  await phone.dial(stage.server.sipUri('+15550103'));
}, 90_000);

/** The value of an expression in a page, once it is what is waited for. */
async function waitFor<T>(page: Party, expression: string, fits: (value: T) => boolean): Promise<T> {
  let last: T | undefined;
  const found = async (): Promise<{ value: T } | null> => {
    const value = (last = await page.page.evaluate<T>(expression));
    return fits(value) ? { value } : null;
  };
  return (await waitUntil(found, { timeoutMs: 12_000, what: () => `${expression} at page ${page.name}; it was ${JSON.stringify(last)}\n${page.log()}` })).value;
}

const remote = (identity: string): string => `[...party.room.participants.values()].find((participant) => participant.identity === ${JSON.stringify(identity)})`;
const videoOf = (identity: string): string => `[...(${remote(identity)}).videoTracks.values()][0]`;
const happened = async (page: Party, name: string, identity: string): Promise<number> => (await page.events()).filter((event) => event.name === name && event.identity === identity).length;
const changes = (name: string, identity: string) => (event: PartyEvent): boolean => event.name === name && event.identity === identity;

describe('network quality', () => {
  interface Stats {
    level: number;
    audio: { send: number; sendStats: Record<string, Record<string, number | null>>; recvStats: object } | null;
    video: { send: number; sendStats: { bandwidth: { actual: number } } } | null;
  }

  it('is told of oneself with figures', async () => {
    const event = await anna.waitEvent(changes('networkQualityLevelChanged', 'anna'), 'her own level');
    expect(event.level).toBeGreaterThanOrEqual(1);
    const stats = await waitFor<Stats>(anna, 'party.room.localParticipant.networkQualityStats', (each) => (each.video?.sendStats.bandwidth.actual ?? 0) > 0);
    expect(stats.audio?.send).toBeGreaterThanOrEqual(1);
    expect(stats.audio?.sendStats).toMatchObject({ bandwidth: { actual: expect.any(Number) as number }, latency: { jitter: expect.any(Number) as number, level: expect.any(Number) as number }, fractionLost: { level: expect.any(Number) as number } });
  });

  it('is told of other browsers and of phones, with figures', async () => {
    for (const identity of ['ben', 'cora', PHONE]) {
      const event = await anna.waitEvent(changes('networkQualityLevelChanged', identity), `the level of ${identity}`);
      expect(event.level).toBeGreaterThanOrEqual(1);
    }
    const [bens, phones] = await anna.page.evaluate<[Stats, Stats]>(`[(${remote('ben')}).networkQualityStats, (${remote(PHONE)}).networkQualityStats]`);
    expect(bens.video?.sendStats.bandwidth.actual).toBeGreaterThan(0);
    expect(phones).toMatchObject({ audio: { send: 5, sendStats: { latency: { jitter: expect.any(Number) as number } } }, video: null });
  });

  it('is as terse as the page wants it', async () => {
    const levels = `[party.room.localParticipant.networkQualityLevel, (${remote('anna')}).networkQualityLevel, party.room.localParticipant.networkQualityStats?.audio ?? null]`;
    const [own, annas, stats] = await waitFor<(number | null)[]>(ben, levels, ([a, b]) => a !== null && b !== null);
    expect([typeof own, typeof annas, stats]).toEqual(['number', 'number', null]);
    expect(await waitFor<(number | null)[]>(cora, levels, ([a]) => a !== null)).toEqual([expect.any(Number), null, null]);
  });
});

it('the dominant speaker is a browser, then the phone', async () => {
  const speaker = `party.room.dominantSpeaker?.identity ?? null`;
  await cora.waitEvent(changes('dominantSpeakerChanged', 'anna'), 'anna to be the dominant speaker');
  await anna.enableAudio(false);
  await waitFor<string | null>(cora, speaker, (identity) => identity === PHONE);
  await anna.enableAudio(true);
});

describe('a video is switched off', () => {
  it('when more are there than the page shows, the less important one, until the profile changes', async () => {
    const states = `[${videoOf('anna')}.track?.isSwitchedOff, ${videoOf('ben')}.track?.isSwitchedOff]`;
    const [annasOff] = await waitFor<boolean[]>(cora, states, (off) => off.filter(Boolean).length === 1 && off.length === 2);
    const [shown, hidden] = annasOff ? ['ben', 'anna'] : ['anna', 'ben'];
    const before = await happened(cora, 'trackSwitchedOff', shown!);
    await cora.page.evaluate(`${videoOf(hidden!)}.track.setPriority('high')`);
    await cora.waitEvent(changes('trackSwitchedOn', hidden!), `the video of ${hidden} to be switched on`);
    await waitUntil(async () => (await happened(cora, 'trackSwitchedOff', shown!)) > before, { what: `the video of ${shown} to be switched off` });
    // The SDK's public method says only that it is not there yet; the signaling under it is.
    await cora.page.evaluate(`party.room.localParticipant._signaling.setBandwidthProfile({ video: { mode: 'grid', trackSwitchOffMode: 'disabled' } })`);
    await waitFor<boolean[]>(cora, states, (off) => off.every((each) => each === false));
  });

  it('when the page says it does not show it', async () => {
    // What arrives, not what is decoded: a slow page has pictures waiting for long after the last one came.
    const frames = async (): Promise<number> => (await ben.rtp()).reduce((sum, row) => sum + (row.kind === 'video' ? (row.framesReceived ?? 0) : 0), 0);
    const arriving = async (): Promise<boolean> => {
      const before = await frames();
      await sleep(700);
      return (await frames()) > before;
    };
    await waitUntil(arriving, { what: 'the picture of anna at ben' });
    await ben.page.evaluate(`${videoOf('anna')}.track.switchOff()`);
    await ben.waitEvent(changes('trackSwitchedOff', 'anna'), 'the video of anna to be switched off');
    await waitUntil(async () => !(await arriving()), { what: 'the picture of anna to cease at ben' });
    expect(await arriving()).toBe(false);
    const stopped = await frames();
    await ben.page.evaluate(`${videoOf('anna')}.track.switchOn()`);
    await ben.waitEvent(changes('trackSwitchedOn', 'anna'), 'the video of anna to be switched on');
    await waitUntil(async () => (await frames()) > stopped + 5, { what: 'the picture of anna at ben again' });
  });
});

it('a publisher makes the layers that somebody shows, and no others', async () => {
  const layers = `window.peerConnections[0].getSenders().find((sender) => sender.track?.kind === 'video').getParameters().encodings.map(({ active }) => active)`;
  // Whatever came before: ben shows it.
  await ben.page.evaluate(`${videoOf('anna')}.track.switchOn()`);
  const show = (size: object): Promise<unknown> => ben.page.evaluate(`${videoOf('anna')}.track.setContentPreferences({ renderDimensions: ${JSON.stringify(size)} })`);
  await show({ width: 200, height: 112 });
  await waitFor<boolean[]>(anna, layers, (active) => active.length === 3 && active[0] === true && active[2] === false);
  await show(ANNA_PICTURE);
  await waitFor<boolean[]>(anna, layers, (active) => active[2] === true);
});

it('the bandwidth profile that no server could obey is refused with 53208', async () => {
  // The SDK checks what it knows itself; a page may still be wrong about the size of a number.
  const refused = await cora.page.evaluate(`(async () => {
    const { connect } = Twilio.Video;
    try { await connect(${JSON.stringify(stage.server.token('dora'))}, { wsServer: ${JSON.stringify(stage.server.wsUrl)}, name: ${JSON.stringify(ROOM)}, tracks: [], bandwidthProfile: { video: { maxTracks: -1 } } }); return null; } catch (error) { return error.code; }
  })()`);
  expect(refused).toBe(53208);
});
