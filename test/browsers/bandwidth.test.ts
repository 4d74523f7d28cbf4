import { beforeAll, describe, expect, it } from 'vitest';
import { Browser, type InboundRtp, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { sleep, waitUntil } from '../peers/wait.ts';

// Video at the right rate, by the unmodified twilio-video package: every codec decodes, and a subscriber gets the layer it may have.

const cast = new Cast();
let stage: Stage;
let browser: Browser;
/** Publishes VP8 in three layers of 120, 240 and 480 pixels width; the others H.264 and VP9. */
let layered: Party;
let viewer: Party;
let guest: Party;

beforeAll(async () => {
  stage = await Stage.open(cast);
  browser = await cast.add('browser', Browser.start());
  [layered, viewer, guest] = [await browser.party('layered'), await browser.party('viewer'), await browser.party('guest')];
}, 60_000);

const profile = (maxSubscriptionBitrate: number): Record<string, unknown> => ({
  video: { mode: 'grid', maxSubscriptionBitrate, trackSwitchOffMode: 'disabled', clientTrackSwitchOffControl: 'manual', contentPreferencesMode: 'manual' },
});

async function rowOf(page: Party, codec: string): Promise<InboundRtp | undefined> {
  return (await page.rtp()).find((row) => row.codec === codec);
}

async function waitDecodes(page: Party, codec: string): Promise<void> {
  let rows: InboundRtp[] = [];
  await waitUntil(async () => ((rows = await page.rtp()).find((row) => row.codec === codec)?.framesDecoded ?? 0) > 5, {
    timeoutMs: 20_000,
    what: () => `pictures in ${codec} at ${page.name}; it had ${JSON.stringify(rows)}`,
  });
}

describe('one room, three codecs', () => {
  it('H.264, VP9 and VP8 with simulcast all decode', async () => {
    const join = (page: Party, video: Record<string, number>, options: Record<string, unknown>): Promise<unknown> =>
      page.join({ token: stage.server.token(page.name), wsServer: stage.server.wsUrl, roomName: 'Codecs', video, options });
    await join(layered, { width: 480, height: 270, noise: 0.2 }, { preferredVideoCodecs: [{ codec: 'VP8', simulcast: true }] });
    await layered.scaleLayers([4, 2, 1]);
    await join(viewer, { width: 160, height: 90 }, { preferredVideoCodecs: ['VP9'], bandwidthProfile: profile(2_000_000) });
    await join(guest, { width: 160, height: 90 }, { preferredVideoCodecs: ['H264'] });
    await Promise.all([waitDecodes(viewer, 'video/H264'), waitDecodes(viewer, 'video/VP8'), waitDecodes(layered, 'video/VP9')]);
    await guest.leave();
    await guest.close();
  });
});

describe('a subscriber with a bandwidth profile', () => {
  let seen = 0;
  const waitWidth = (fits: (width: number) => boolean, what: string): Promise<unknown> =>
    waitUntil(async () => fits((seen = (await rowOf(viewer, 'video/VP8'))?.frameWidth ?? 0)), { timeoutMs: 20_000, what: () => `${what}; it was ${seen} wide` });

  /** Bit/s of the VP8 picture in the next 1.5 s. */
  async function rate(): Promise<number> {
    const before = (await rowOf(viewer, 'video/VP8'))?.bytesReceived ?? 0;
    await sleep(1500);
    return (((await rowOf(viewer, 'video/VP8'))?.bytesReceived ?? 0) - before) * (8 / 1.5);
  }

  it('gets a higher layer, the lowest when its limit is low, and the higher one back', async () => {
    await waitWidth((width) => width >= 240, 'a higher layer');
    await viewer.setBandwidthProfile(profile(40_000));
    await waitWidth((width) => width === 120, 'the lowest layer');
    const least = await rate();
    await viewer.setBandwidthProfile(profile(2_000_000));
    await waitWidth((width) => width >= 240, 'the higher layer again');
    // Compared with what comes now: at first the publisher's encoder was still below what it may send.
    expect(await rate(), `of ${least}`).toBeGreaterThan(least);
  });
});
