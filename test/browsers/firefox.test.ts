import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Firefox, firefoxMissing, machineAddress, type FirefoxParty } from '../peers/firefox.ts';
import { Stage } from '../peers/stage.ts';
import { waitUntil } from '../peers/wait.ts';

// A Firefox, a Chromium and a phone in one room. Firefox numbers its codecs otherwise, encrypts by another profile, and sends an
// m-line of its own accord.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const FOX_HZ = 440;
const CHROME_HZ = 620;
const PHONE_HZ = 1000;
const ALL_HZ = [FOX_HZ, CHROME_HZ, PHONE_HZ];
const ROOM = 'Mixed';
let stage: Stage;
let fox: FirefoxParty;
let chrome: Party;
let phone: Phone;

describe.skipIf(firefoxMissing !== null)(`Firefox beside Chromium and a phone${firefoxMissing === null ? '' : ` (${firefoxMissing})`}`, () => {
  beforeAll(async () => {
    stage = await Stage.open(cast, { env: { PARTYLINE_BIND_ADDRESS: '0.0.0.0', PARTYLINE_PUBLIC_ADDRESS: machineAddress ?? '', PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: 'allow' } });
    const browser = await cast.add('browser', Browser.start());
    const firefox = await cast.add('firefox', Firefox.start({ name: 'fox', url: browser.pageUrl, toneHz: FOX_HZ }));
    fox = firefox.party;
    chrome = await browser.party('chrome');
    phone = await cast.add('phone', startPhone({ user: '+15557001', toneHz: PHONE_HZ }));
    stage.app.on('/voice', () => {
      const response = new VoiceResponse();
      response.connect().room({ participantIdentity: 'phone' }, ROOM);
      return response;
    });
    await stage.number('+15550100', '/voice');
    await stage.room(ROOM);
  }, 90_000);

  it('each sees and hears all the others', async () => {
    await fox.join({ token: stage.server.token('fox'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: FOX_HZ, video: true });
    await chrome.join({ token: stage.server.token('chrome'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: CHROME_HZ, video: true });
    await phone.dial(stage.server.sipUri('+15550100'));
    await phone.waitEstablished();
    await Promise.all([fox.waitHears('chrome', CHROME_HZ), chrome.waitHears('fox', FOX_HZ), fox.waitHears('phone', PHONE_HZ), chrome.waitHears('phone', PHONE_HZ)]);
    for (const page of [fox, chrome]) {
      await waitUntil(async () => (await page.rtp()).some((row) => row.kind === 'video' && (row.framesDecoded ?? 0) > 15), { what: `pictures at ${page.name}` });
    }
    const heard = await phone.listen(2000, ALL_HZ);
    // Firefox's fake microphone hums at a quarter of the others' amplitude.
    expect(heard[FOX_HZ]?.amplitude, JSON.stringify(heard)).toBeGreaterThan(0.05);
    expect(heard[CHROME_HZ]?.share, JSON.stringify(heard)).toBeGreaterThan(0.85);
    expect(heard[PHONE_HZ]?.share, JSON.stringify(heard)).toBeLessThan(0.05);
  });
});
