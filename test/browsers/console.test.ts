import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { startServer, type Server } from '../peers/server.ts';
import { waitUntil, within } from '../peers/wait.ts';

// The page at `/` as a visitor uses it: built, served under its own security policy, driven by its labels.

const NUMBER = '+15550100';
const PHONE_HZ = 810;
const cast = new Cast();

let server: Server;
let browser: Browser;
let phone: Phone;
let anna: Page;
let ben: Page;
const complaints: string[] = [];

async function visit(): Promise<Page> {
  const page = await browser.open('about:blank');
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${server.httpUrl}/`);
  return page;
}

async function join(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  await tile(page, name).waitFor({ timeout: 15_000 });
}

const tile = (page: Page, identity: string): ReturnType<Page['locator']> => page.locator(`.tile[data-identity="${identity}"]`);

/** Whether the picture of a tile moves on: its clock and its size. */
function pictureIsThere(page: Page, identity: string): Promise<boolean> {
  return tile(page, identity).locator('video').evaluate((element) => {
    const video = element as unknown as { videoWidth: number; currentTime: number };
    return video.videoWidth > 0 && video.currentTime > 0;
  });
}

/** How far the page reaches beyond a window of that width. */
async function overflow(page: Page, width: number): Promise<number> {
  await page.setViewportSize({ width, height: 844 });
  const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
  await page.setViewportSize({ width: 1240, height: 780 });
  return wide - width;
}

const levelOf = async (page: Page, selector: string): Promise<number> =>
  Number(await page.locator(selector).first().evaluate((element) => (element as unknown as { style: { getPropertyValue(name: string): string } }).style.getPropertyValue('--level')));

beforeAll(async () => {
  server = await cast.add('server', within(40_000, 'Starting the server', startServer({ demo: true })));
  browser = await cast.add('browser', within(20_000, 'Starting Chromium', Browser.start()));
  phone = await cast.add('phone', within(12_000, 'Starting the phone', startPhone({ user: '+15557001', toneHz: PHONE_HZ })));
  [anna, ben] = await within(15_000, 'Opening two pages', Promise.all([visit(), visit()]));
}, 90_000);

describe('the page', () => {
  it('tells which number to dial before anybody joined', async () => {
    await anna.locator(`[data-number="${NUMBER}"]`).waitFor();
    await anna.getByText(server.sipUri(NUMBER)).waitFor();
    expect(await anna.locator('code').last().innerText()).toContain(`npx partyline call ${NUMBER} --server 127.0.0.1:${server.sipPort}`);
    await anna.getByText('Nobody yet').waitFor();
    expect(await overflow(anna, 390), 'pixels beyond a narrow window').toBe(0);
  });

  it('is served under a policy without inline scripts and without eval', async () => {
    const policy = (await fetch(`${server.httpUrl}/`)).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
  });

  it('two visitors join and see themselves and each other', async () => {
    await join(anna, 'Anna');
    await join(ben, 'Ben');
    for (const page of [anna, ben]) {
      for (const name of ['Anna', 'Ben']) {
        await tile(page, name).waitFor();
        await waitUntil(() => pictureIsThere(page, name), { what: `the picture of ${name}` });
      }
    }
    expect(await tile(anna, 'Anna').innerText()).toContain('(you)');
    expect(await tile(anna, 'Ben').innerText()).not.toContain('(you)');
  });

  it('a phone that dials the number appears as a tile and is seen to speak', async () => {
    await phone.dial(server.sipUri(NUMBER));
    await phone.waitEstablished();
    for (const page of [anna, ben]) {
      await page.locator('.tile.phone').waitFor();
      await waitUntil(async () => (await levelOf(page, '.tile.phone')) > 0.3, { what: 'the ring of the phone' });
      await page.locator('.people li.phone').waitFor();
    }
    expect(await anna.locator('.tile.phone').innerText()).toContain('by phone');
    expect(await overflow(ben, 390), 'pixels beyond a narrow window').toBe(0);
  });

  it('a visitor who has no devices joins and is told so', async () => {
    const carl = await visit();
    await carl.evaluate(() => {
      const { mediaDevices } = (globalThis as unknown as { navigator: unknown }).navigator as { mediaDevices: { getUserMedia: () => Promise<never> } };
      mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'));
    });
    await join(carl, 'Carl');
    await carl.getByText('No microphone was found.').waitFor();
    await carl.getByText('You hear the room; it does not hear you.').waitFor();
    await waitUntil(async () => (await levelOf(carl, '.tile.phone')) > 0.3, { what: 'the phone to be heard by one who only listens' });
    await carl.context().close();
    await waitUntil(async () => (await tile(anna, 'Carl').count()) === 0, { timeoutMs: 20_000, what: 'Carl to be gone' });
  });

  it('mute and camera are seen by the others', async () => {
    await ben.getByRole('button', { name: 'Mute' }).click();
    await tile(anna, 'Ben').getByText('muted').waitFor();
    await ben.getByRole('button', { name: 'Stop camera' }).click();
    await waitUntil(async () => (await tile(anna, 'Ben').locator('video').count()) === 0, { what: 'the picture of Ben to go' });
    await ben.getByRole('button', { name: 'Start camera' }).click();
    await waitUntil(() => pictureIsThere(anna, 'Ben'), { what: 'the picture of Ben to come back' });
    await ben.getByRole('button', { name: 'Unmute' }).click();
    await waitUntil(async () => (await tile(anna, 'Ben').getByText('muted').count()) === 0, { what: 'Ben to be unmuted' });
  });

  it('who hangs up or leaves is gone, and the door is open again', async () => {
    await phone.hangUp();
    await waitUntil(async () => (await anna.locator('.tile.phone').count()) === 0, { what: 'the phone to be gone' });
    await ben.getByRole('button', { name: 'Leave' }).click();
    await ben.getByLabel('Your name').waitFor();
    await waitUntil(async () => (await anna.locator('.tile').count()) === 1, { what: 'Ben to be gone' });
    await ben.locator('[data-person="Anna"]').waitFor();
  });

  it('a room that is closed lets the visitor go, in words', async () => {
    await server.client.video.v1.rooms('DailyStandup').update({ status: 'completed' });
    await anna.getByRole('alert').getByText('The room was closed.').waitFor();
  });

  it('complained about nothing', () => {
    expect(complaints).toEqual([]);
  });
});
