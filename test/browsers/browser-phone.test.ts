import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../peers/browser.ts';
import type { BrowserPhone } from '../peers/browser-phone.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';

// A browser as a phone: JsSIP over SIP-over-WebSocket (RFC 7118).

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const DOMAIN = 'phones.sip.localhost';
const PASSWORD = 'Wonderland2026';
const WEB_HZ = 700;

let stage: Stage;
let web: BrowserPhone;

beforeAll(async () => {
  stage = await Stage.open(cast);
  const browser = await cast.add('browser', Browser.start());
  const { sip } = stage.server.client;
  const list = await sip.credentialLists.create({ friendlyName: 'phones' });
  await sip.credentialLists(list.sid).credentials.create({ username: 'web', password: PASSWORD });
  const domain = await sip.domains.create({ domainName: DOMAIN, voiceUrl: `${stage.app.url}/domain`, sipRegistration: true });
  await sip.domains(domain.sid).auth.calls.credentialListMappings.create({ credentialListSid: list.sid });
  await sip.domains(domain.sid).auth.registrations.credentialListMappings.create({ credentialListSid: list.sid });
  web = await browser.phone('web');
}, 90_000);

const account = (password: string) => ({ wsUri: `ws://127.0.0.1:${stage.server.httpPort}/sip`, uri: `sip:web@${DOMAIN}`, password, toneHz: WEB_HZ });

describe('a browser phone', () => {
  it('registers with its password', async () => {
    expect(await web.register(account(PASSWORD))).toEqual({ status: 200 });
  });

  it('whose page is gone is called no more', async () => {
    await web.cut();
    await web.waitEvent('disconnected');
    const call = await stage.server.client.calls.create({ to: 'client:web', from: 'lobby', twiml: new VoiceResponse() });
    await stage.waitCallStatus(call.sid, 'no-answer', 4000);
  });
});
