import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import type { BrowserPhone } from '../peers/browser-phone.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';

// A browser as a phone: JsSIP over SIP-over-WebSocket (RFC 7118), in a room with a page of the video SDK and a desk phone.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const DOMAIN = 'phones.sip.localhost';
const PASSWORD = 'Wonderland2026';
const ROOM = 'Lobby';
const ANNA_HZ = 440;
const DESK_HZ = 1000;
const WEB_HZ = 700;

let stage: Stage;
let anna: Party;
let web: BrowserPhone;
let desk: Phone;

beforeAll(async () => {
  stage = await Stage.open(cast);
  const browser = await cast.add('browser', Browser.start());
  const { sip } = stage.server.client;
  const list = await sip.credentialLists.create({ friendlyName: 'phones' });
  for (const username of ['web', 'desk']) await sip.credentialLists(list.sid).credentials.create({ username, password: PASSWORD });
  stage.app.on('/domain', (request) => {
    const response = new VoiceResponse();
    if (request.params['To'] === `sip:room@${DOMAIN}`) response.connect().room({ participantIdentity: request.params['SipUsername'] ?? '' }, ROOM);
    else if (request.params['To'] === `sip:desk@${DOMAIN}`) response.dial().sip(`sip:desk@${DOMAIN}`);
    else response.dial().client('web');
    return response;
  });
  const domain = await sip.domains.create({ domainName: DOMAIN, voiceUrl: `${stage.app.url}/domain`, sipRegistration: true });
  await sip.domains(domain.sid).auth.calls.credentialListMappings.create({ credentialListSid: list.sid });
  await sip.domains(domain.sid).auth.registrations.credentialListMappings.create({ credentialListSid: list.sid });
  await stage.room(ROOM);
  [anna, web, desk] = await Promise.all([browser.party('anna'), browser.phone('web'), cast.add('desk', startPhone({ user: 'desk', toneHz: DESK_HZ, transport: 'tcp', registration: { domain: DOMAIN, password: PASSWORD, server: `127.0.0.1:${stage.server.sipPort}` } }))]);
}, 90_000);

const account = (password: string) => ({ wsUri: `ws://127.0.0.1:${stage.server.httpPort}/sip`, uri: `sip:web@${DOMAIN}`, password, toneHz: WEB_HZ });

describe('a browser phone', () => {
  it('registers with its password', async () => {
    expect(await web.register(account(PASSWORD))).toEqual({ status: 200 });
  });

  it('calls into a room and hears everybody, as everybody hears it', async () => {
    await anna.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: ANNA_HZ });
    await web.dial(`sip:room@${DOMAIN}`);
    await web.waitEvent('confirmed');
    await desk.dial(`sip:room@${DOMAIN}`);
    await desk.waitEstablished();
    await stage.waitParticipants(ROOM, 3);
    await Promise.all([anna.waitHears('web', WEB_HZ), anna.waitHears('desk', DESK_HZ), web.waitHears(ANNA_HZ), web.waitHears(DESK_HZ)]);
    const heard = await desk.listen(1500, [ANNA_HZ, WEB_HZ, DESK_HZ]);
    expect(heard[WEB_HZ]?.share, JSON.stringify(heard)).toBeGreaterThan(0.85);
    expect((await web.listen(1000, [WEB_HZ]))[WEB_HZ]?.share).toBeLessThan(0.1);
    await web.hangUp();
    await stage.waitParticipants(ROOM, 2);
    await desk.hangUp();
    await desk.waitClosed();
  });

  it('is called by its name, from a desk phone and over REST', async () => {
    await desk.dial(`sip:web@${DOMAIN}`);
    await web.waitEvent('rang');
    await desk.waitEstablished({ nth: 2 });
    await web.waitHears(DESK_HZ);
    expect((await desk.listen(1500, [WEB_HZ]))[WEB_HZ]?.share).toBeGreaterThan(0.85);
    await desk.hangUp();
    await web.waitEvent('ended', { nth: 2 });
    const twiml = new VoiceResponse();
    twiml.connect().room(ROOM);
    const call = await stage.server.client.calls.create({ to: 'client:web', from: 'lobby', twiml });
    await web.waitEvent('rang', { nth: 2 });
    await web.waitHears(ANNA_HZ);
    await web.hangUp();
    await stage.waitCallStatus(call.sid, 'completed');
  });

  it('in a room asks the desk and hands its place to it: the same participant speaks with another voice', async () => {
    const before = { closed: desk.count('CALL_CLOSED'), established: desk.count('CALL_ESTABLISHED') };
    const ended = (await web.events()).filter(({ name }) => name === 'ended').length;
    await web.dial(`sip:room@${DOMAIN}`);
    await anna.waitHears('web', WEB_HZ);
    const [participant] = (await stage.participants(ROOM)).filter(({ identity }) => identity === 'web');
    await web.consult(`sip:desk@${DOMAIN}`);
    await desk.waitEstablished({ nth: before.established + 1 });
    await web.waitHears(DESK_HZ);
    expect(await web.transfer()).toMatchObject({ outcome: 'accepted', status: 200 });
    await web.waitEvent('ended', { nth: ended + 2 });
    await anna.waitHears('web', DESK_HZ);
    expect((await desk.listen(1500, [ANNA_HZ]))[ANNA_HZ]?.share).toBeGreaterThan(0.85);
    expect((await stage.participants(ROOM)).filter(({ identity }) => identity === 'web')).toMatchObject([{ sid: participant?.sid }]);
    expect(desk.count('CALL_CLOSED')).toBe(before.closed);
    await desk.hangUp();
    await stage.waitParticipants(ROOM, 1);
  });

  it('whose page is gone is called no more', async () => {
    await web.cut();
    await web.waitEvent('disconnected');
    const call = await stage.server.client.calls.create({ to: 'client:web', from: 'lobby', twiml: new VoiceResponse() });
    await stage.waitCallStatus(call.sid, 'no-answer', 4000);
  });
});
