import twilio from 'twilio';
import { beforeAll, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { tonesIn } from '../peers/tones.ts';
import { waitUntil } from '../peers/wait.ts';

// What a phone in a room can do here beyond Twilio, seen by an unmodified page and heard by a real phone. One story.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const ROOM = 'Beyond';
const ANNA_HZ = 440;
const DESK_HZ = 1000;
const JOIN_HZ = 880;
const MUTED_HZ = 370;
const UNMUTED_HZ = 740;
const ALICE_HZ = 620;
const OFFICE = 'office.sip.localhost';
const PASSWORD = 'Wonderland2026';

let stage: Stage;
let anna: Party;
let desk: Phone;
let callSid = '';

beforeAll(async () => {
  const [opened, browser] = await Promise.all([Stage.open(cast, { env: { PARTYLINE_PHONE_ATTRIBUTES: 'numbers' } }), cast.add('browser', Browser.start())]);
  stage = opened;
  desk = await cast.add('desk phone', startPhone({ user: '+15557001', toneHz: DESK_HZ }));
  anna = await browser.party('anna');
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    const extensions = { 'xmlns:pl': 'https://partyline.dev/twiml', 'pl:waitForRoom': 'true', 'pl:muteKeys': '*6', 'pl:joinTone': 'true' };
    response.connect().room({ participantIdentity: 'desk', ...extensions }, ROOM);
    return response;
  });
  await stage.number('+15550100', '/voice');
}, 90_000);

/** Seconds heard so far. */
const nowS = (): number => desk.heard().samples.length / desk.heard().sampleRateHz;

async function deskHeard(hz: number, fromSeconds: number): Promise<void> {
  await waitUntil(
    () => {
      const [report] = Object.values(tonesIn(desk.heard(), [hz], { fromSeconds }));
      return Promise.resolve((report?.share ?? 0) * (report?.windows ?? 0) >= 0.9);
    },
    { what: `the desk phone to hear ${hz} Hz` },
  );
}

async function annaHearsDesk(wanted: boolean): Promise<void> {
  let last: unknown;
  await waitUntil(
    async () => {
      const report = await anna.listen(400, [DESK_HZ]);
      last = report;
      return (report['desk']?.[DESK_HZ]?.share ?? 0) > 0.8 === wanted && ((report['desk']?.[DESK_HZ]?.share ?? 0) === 0) !== wanted;
    },
    { what: () => `anna to hear the desk: ${wanted}; ${JSON.stringify(last)}` },
  );
}

async function annaSees(name: 'trackDisabled' | 'trackEnabled', nth: number): Promise<void> {
  await waitUntil(async () => (await anna.events()).filter((event) => event.name === name && event.identity === 'desk').length >= nth, { what: `${name} no. ${nth} at the page` });
}

it('waits with music for a room that is not there, then joins it', async () => {
  await desk.dial(stage.server.sipUri('+15550100'));
  callSid = (await stage.app.waitFor({ path: '/voice' })).params['CallSid'] ?? '';
  await desk.waitEstablished();
  const loudest = (): number => desk.heard().samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  await waitUntil(() => Promise.resolve(loudest() > 1000), { what: 'music at the desk phone' });
  expect(await stage.server.client.video.v1.rooms.list()).toEqual([]);
  await stage.room(ROOM);
  const [participant] = await stage.waitParticipants(ROOM, 1);
  expect(participant?.identity).toBe('desk');
});

it('the room tells of its call', async () => {
  const joined = await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'participant-connected', ParticipantIdentity: 'desk' } });
  expect(joined.params).toMatchObject({ CallSid: callSid, From: '+15557001', To: '+15550100' });
  expect(joined.valid).toBe(true);
  const answer = await stage.server.rest(`/v1/Rooms/${ROOM}/Participants/desk`);
  expect(answer.body).toMatchObject({ call_sid: callSid, from: '+15557001', to: '+15550100' });
});

it('hears a tone when a page joins, and then the two hear each other', async () => {
  const from = nowS();
  await anna.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: ANNA_HZ });
  await deskHeard(JOIN_HZ, from);
  await anna.waitHears('desk', DESK_HZ);
  await waitUntil(async () => ((await desk.listen(400, [ANNA_HZ]))[ANNA_HZ]?.share ?? 0) > 0.8, { what: 'anna at the desk phone' });
});

it('*6 mutes it: the page sees it and hears silence, the phone still hears; *6 again and it is heard', async () => {
  let from = nowS();
  await desk.command('sndcode', '*6');
  await annaSees('trackDisabled', 1);
  await deskHeard(MUTED_HZ, from);
  await annaHearsDesk(false);
  expect((await desk.listen(400, [ANNA_HZ]))[ANNA_HZ]?.share).toBeGreaterThan(0.7);
  const [track] = await stage.server.client.video.v1.rooms(ROOM).participants('desk').publishedTracks.list();
  expect(track?.enabled).toBe(false);
  await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'track-disabled', ParticipantIdentity: 'desk' } });
  from = nowS();
  await desk.command('sndcode', '*6');
  await annaSees('trackEnabled', 1);
  await deskHeard(UNMUTED_HZ, from);
  await annaHearsDesk(true);
  await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'track-enabled', ParticipantIdentity: 'desk' } });
});

it('REST mutes it and lets it be heard again', async () => {
  const mute = (muted: boolean) => stage.server.client.request({ method: 'post', uri: `${stage.server.httpUrl}/v1/Rooms/${ROOM}/Participants/desk`, data: { Muted: muted } });
  const answer = await mute(true);
  expect(answer.statusCode).toBe(202);
  await annaSees('trackDisabled', 2);
  await annaHearsDesk(false);
  expect((await mute(false)).statusCode).toBe(202);
  await annaSees('trackEnabled', 2);
  await annaHearsDesk(true);
});

it('hands its call over to a phone of a SIP domain, which is the same participant then; the debugger has nothing to say about all that', async () => {
  const { client, sipPort } = stage.server;
  const [list, domain] = await Promise.all([client.sip.credentialLists.create({ friendlyName: 'phones' }), client.sip.domains.create({ domainName: OFFICE, sipRegistration: true })]);
  await client.sip.credentialLists(list.sid).credentials.create({ username: 'alice', password: PASSWORD });
  await client.sip.domains(domain.sid).auth.registrations.credentialListMappings.create({ credentialListSid: list.sid });
  const alice = await cast.add('alice', startPhone({ user: 'alice', toneHz: ALICE_HZ, codecs: 'PCMA', registration: { domain: OFFICE, password: PASSWORD, server: `127.0.0.1:${sipPort}` } }));
  const [before] = await stage.participants(ROOM).then((all) => all.filter(({ identity }) => identity === 'desk'));
  await desk.command('transfer', `sip:alice@${OFFICE}`);
  await alice.waitEstablished();
  await anna.waitHears('desk', ALICE_HZ);
  await desk.waitClosed();
  expect(desk.log()).toMatch(/NOTIFY sip:[\s\S]*SIP\/2\.0 100 [\s\S]*SIP\/2\.0 200 OK/);
  const [atAnna, atAlice] = await Promise.all([anna.listen(800, [ALICE_HZ, DESK_HZ]), alice.listen(800, [ANNA_HZ, DESK_HZ])]);
  expect([atAnna['desk']?.[ALICE_HZ]?.share, atAlice[ANNA_HZ]?.share].map((share = 0) => share > 0.85), JSON.stringify([atAnna, atAlice])).toEqual([true, true]);
  expect([atAnna['desk']?.[DESK_HZ]?.share ?? 0, atAlice[DESK_HZ]?.share ?? 0]).toEqual([0, 0]);
  expect((await stage.participants(ROOM)).find(({ identity }) => identity === 'desk')?.sid).toBe(before?.sid);
  expect((await anna.events()).filter(({ name, identity }) => name === 'participantDisconnected' && identity === 'desk')).toEqual([]);
  await alice.hangUp();
  await stage.waitCallStatus(callSid, 'completed');
  expect(await stage.server.client.calls(callSid).notifications.list()).toEqual([]);
});
