import twilio from 'twilio';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPhone, type Phone } from '../peers/baresip.ts';
import { Browser, type Party } from '../peers/browser.ts';
import { Cast } from '../peers/cast.ts';
import { Stage } from '../peers/stage.ts';
import { sleep } from '../peers/wait.ts';

// Phones and browsers in one room. Everybody hums a tone of its own; who hears which tone is the whole point.

const { VoiceResponse } = twilio.twiml;
const cast = new Cast();
const ANNA_HZ = 440;
const BEN_HZ = 620;
const DESK_HZ = 1000;
const TABLE_HZ = 810;
const ALL_HZ = [ANNA_HZ, BEN_HZ, DESK_HZ, TABLE_HZ];
const ROOM = 'DailyStandup';

let stage: Stage;
let browser: Browser;
let anna: Party;
let ben: Party;
let desk: Phone;
let table: Phone;

beforeAll(async () => {
  [stage, browser] = await Promise.all([Stage.open(cast), cast.add('browser', Browser.start())]);
  desk = await cast.add('desk phone', startPhone({ user: '+15557001', toneHz: DESK_HZ }));
  table = await cast.add('table phone', startPhone({ user: '+15557002', toneHz: TABLE_HZ, transport: 'tcp' }));
  stage.app.on('/voice', () => {
    const response = new VoiceResponse();
    response.connect().room(ROOM);
    return response;
  });
  stage.app.on('/named', (request) => {
    const response = new VoiceResponse();
    response.connect({ action: '/after' }).room({ participantIdentity: request.params['From'] ?? '' }, ROOM);
    return response;
  });
  stage.app.on('/after', () => {
    const response = new VoiceResponse();
    response.pause({ length: 20 });
    return response;
  });
  await stage.number('+15550100', '/voice');
  await stage.number('+15550101', '/named');
  await stage.room(ROOM);
  anna = await browser.party('anna');
  ben = await browser.party('ben');
}, 90_000);

/** Who of a page's room hums what, asserted for one page: hears `others` on their own tracks, itself on none. */
function expectHears(report: Awaited<ReturnType<Party['listen']>>, others: Record<string, number>, ownHz: number): void {
  const told = JSON.stringify(report);
  for (const [identity, hz] of Object.entries(others)) {
    expect(report[identity]?.[hz]?.share ?? 0, `${hz} Hz of ${identity} in ${told}`).toBeGreaterThan(0.85);
    for (const other of ALL_HZ.filter((candidate) => candidate !== hz)) expect(report[identity]?.[other]?.share ?? 0, `${other} Hz on the track of ${identity} in ${told}`).toBeLessThan(0.1);
  }
  for (const [identity, tones] of Object.entries(report)) expect(tones[ownHz]?.share ?? 0, `itself on the track of ${identity} in ${told}`).toBeLessThan(0.1);
}

function expectPhoneHears(report: Awaited<ReturnType<Phone['listen']>>, othersHz: number[], ownHz: number): void {
  const told = JSON.stringify(report);
  for (const hz of othersHz) expect(report[hz]?.share, `${hz} Hz in ${told}`).toBeGreaterThan(0.85);
  expect(report[ownHz]?.share, `its own ${ownHz} Hz in ${told}`).toBeLessThan(0.05);
  expect(report[ownHz]?.amplitude, `its own ${ownHz} Hz in ${told}`).toBeLessThan(0.01);
}

let deskIdentity = '';

describe('the documented sample', () => {
  it('two browsers see and hear each other', async () => {
    await anna.join({ token: stage.server.token('anna'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: ANNA_HZ, video: true });
    await ben.join({ token: stage.server.token('ben'), wsServer: stage.server.wsUrl, roomName: ROOM, toneHz: BEN_HZ, video: true });
    await Promise.all([anna.waitHears('ben', BEN_HZ), ben.waitHears('anna', ANNA_HZ)]);
    await sleep(1000);
    for (const page of [anna, ben]) {
      const rows = await page.rtp();
      expect(rows.filter((row) => row.kind === 'video' && (row.framesDecoded ?? 0) > 0), JSON.stringify(rows)).toHaveLength(1);
    }
  });

  it('a caller becomes a participant with one audio track', async () => {
    await desk.dial(stage.server.sipUri('+15550100'));
    const asked = await stage.app.waitFor({ path: '/voice' });
    expect(asked.valid).toBe(true);
    expect(asked.params).toMatchObject({ AccountSid: stage.server.accountSid, From: '+15557001', To: '+15550100', CallStatus: 'ringing', Direction: 'inbound', ApiVersion: '2010-04-01' });
    expect(asked.params['CallSid']).toMatch(/^CA[0-9a-f]{32}$/);
    await desk.waitEstablished();
    expect(desk.log()).toMatch(/SIP\/2\.0 180 [\s\S]*SIP\/2\.0 200 /);
    const participants = await stage.waitParticipants(ROOM, 3);
    const phone = participants.find((participant) => !['anna', 'ben'].includes(participant.identity))!;
    expect(phone.identity).not.toBe('');
    expect(phone.sid).toMatch(/^PA[0-9a-f]{32}$/);
    deskIdentity = phone.identity;
    const tracks = await stage.server.client.video.v1.rooms(ROOM).participants(phone.sid).publishedTracks.list();
    expect(tracks).toHaveLength(1);
    expect(tracks[0]).toMatchObject({ kind: 'audio', enabled: true });
    expect(tracks[0]!.sid).toMatch(/^MT[0-9a-f]{32}$/);
    await anna.waitEvent((event) => event.name === 'participantConnected' && event.identity === deskIdentity, 'the phone to be told');
  });

  it('everybody hears everybody else and nobody hears itself', async () => {
    await Promise.all([anna.waitHears(deskIdentity, DESK_HZ), ben.waitHears(deskIdentity, DESK_HZ)]);
    const [annaHeard, benHeard, deskHeard] = await Promise.all([anna.listen(2000, ALL_HZ), ben.listen(2000, ALL_HZ), desk.listen(2200, ALL_HZ)]);
    expectHears(annaHeard, { ben: BEN_HZ, [deskIdentity]: DESK_HZ }, ANNA_HZ);
    expectHears(benHeard, { anna: ANNA_HZ, [deskIdentity]: DESK_HZ }, BEN_HZ);
    expectPhoneHears(deskHeard, [ANNA_HZ, BEN_HZ], DESK_HZ);
  });

  it("the caller's G.711 reaches the browser as it came", async () => {
    const rows = (await anna.rtp()).filter((row) => row.kind === 'audio');
    const phone = rows.find((row) => /pcmu/i.test(row.codec ?? ''));
    expect(phone, JSON.stringify(rows)).toBeDefined();
    expect(phone!.totalAudioEnergy).toBeGreaterThan(0.01);
  });

  it('a second phone over TCP joins beside the first, and the phones hear each other', async () => {
    await table.dial(stage.server.sipUri('+15550101'));
    await table.waitEstablished();
    await Promise.all([anna.waitHears('+15557002', TABLE_HZ), ben.waitHears('+15557002', TABLE_HZ)]);
    const [annaHeard, deskHeard, tableHeard] = await Promise.all([anna.listen(2000, ALL_HZ), desk.listen(2200, ALL_HZ), table.listen(2200, ALL_HZ)]);
    expectHears(annaHeard, { ben: BEN_HZ, [deskIdentity]: DESK_HZ, '+15557002': TABLE_HZ }, ANNA_HZ);
    expectPhoneHears(deskHeard, [ANNA_HZ, BEN_HZ, TABLE_HZ], DESK_HZ);
    expectPhoneHears(tableHeard, [ANNA_HZ, BEN_HZ, DESK_HZ], TABLE_HZ);
  });

  it('finds a participant whose identity is a number', async () => {
    const participant = await stage.server.client.video.v1.rooms(ROOM).participants('+15557002').fetch();
    expect(participant).toMatchObject({ identity: '+15557002', status: 'connected' });
  });
});

describe('leaving', () => {
  it('a browser that mutes is no longer heard by the phone, and is heard again when it unmutes', async () => {
    await ben.enableAudio(false);
    await anna.waitEvent((event) => event.name === 'trackDisabled' && event.identity === 'ben', 'ben to be muted');
    const muted = await desk.listen(1500, [ANNA_HZ, BEN_HZ]);
    expect(muted[BEN_HZ]!.amplitude).toBeLessThan(0.02);
    expect(muted[ANNA_HZ]!.share).toBeGreaterThan(0.85);
    await ben.enableAudio(true);
    await anna.waitHears('ben', BEN_HZ);
    expect((await desk.listen(1500, [BEN_HZ]))[BEN_HZ]!.share).toBeGreaterThan(0.85);
  });

  it('a caller who hangs up disturbs nobody else', async () => {
    await desk.hangUp();
    await anna.waitEvent((event) => event.name === 'participantDisconnected' && event.identity === deskIdentity, 'the phone to be gone');
    const callSid = stage.app.matching({ path: '/voice' })[0]!.params['CallSid']!;
    await stage.waitCallStatus(callSid, 'completed');
    const told = await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'participant-disconnected', ParticipantIdentity: deskIdentity } });
    expect(Number(told.params['ParticipantDuration'])).toBeGreaterThanOrEqual(1);
    const [annaHeard, tableHeard] = await Promise.all([anna.listen(1200, ALL_HZ), table.listen(1500, ALL_HZ)]);
    expectHears(annaHeard, { ben: BEN_HZ, '+15557002': TABLE_HZ }, ANNA_HZ);
    expectPhoneHears(tableHeard, [ANNA_HZ, BEN_HZ], TABLE_HZ);
    expect(tableHeard[DESK_HZ]!.share).toBeLessThan(0.1);
    expect(stage.roomEvents('participant-disconnected', { ParticipantIdentity: deskIdentity })).toHaveLength(1);
    expect(stage.app.matching({ path: '/after' })).toHaveLength(0);
  });

  it('a phone removed through REST goes on with its call', async () => {
    const participant = await stage.server.client.video.v1.rooms(ROOM).participants('+15557002').update({ status: 'disconnected' });
    expect(participant.status).toBe('disconnected');
    const after = await stage.app.waitFor({ path: '/after' });
    expect(after.valid).toBe(true);
    expect(after.method).toBe('POST');
    expect(after.params).toMatchObject({ CallStatus: 'in-progress', From: '+15557002' });
    await anna.waitEvent((event) => event.name === 'participantDisconnected' && event.identity === '+15557002', 'the phone to be gone');
    expect(table.count('CALL_CLOSED')).toBe(0);
    await table.hangUp();
    await stage.waitCallStatus(after.params['CallSid']!, 'completed');
  });

  it('a call redirected while in the room leaves it and stays up', async () => {
    stage.app.on('/elsewhere', () => {
      const response = new VoiceResponse();
      response.pause({ length: 20 });
      return response;
    });
    await desk.dial(stage.server.sipUri('+15550101'));
    await desk.waitEstablished({ nth: 2 });
    await stage.waitParticipants(ROOM, 3);
    const callSid = stage.app.matching({ path: '/named', params: { From: '+15557001' } })[0]!.params['CallSid']!;
    await stage.server.client.calls(callSid).update({ url: `${stage.app.url}/elsewhere` });
    const elsewhere = await stage.app.waitFor({ path: '/elsewhere' });
    expect(elsewhere.params).toMatchObject({ CallSid: callSid, CallStatus: 'in-progress' });
    await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'participant-disconnected', ParticipantIdentity: '+15557001' } });
    await stage.waitParticipants(ROOM, 2);
    expect((await stage.server.client.calls(callSid).fetch()).status).toBe('in-progress');
    expect(stage.app.matching({ path: '/after', params: { CallSid: callSid } })).toHaveLength(0);
    await desk.hangUp();
    await desk.waitClosed({ nth: 2 });
  });

  it('the same identity again: the new call stays, the first goes on with its call', async () => {
    stage.app.on('/twice', () => {
      const response = new VoiceResponse();
      response.connect().room({ participantIdentity: 'caller' }, ROOM);
      response.redirect('/kicked');
      return response;
    });
    stage.app.on('/kicked', () => {
      const response = new VoiceResponse();
      response.hangup();
      return response;
    });
    await stage.number('+15550102', '/twice');
    await desk.dial(stage.server.sipUri('+15550102'));
    await desk.waitEstablished({ nth: 3 });
    await anna.waitHears('caller', DESK_HZ);
    const [first] = await stage.server.client.video.v1.rooms(ROOM).participants.list({ identity: 'caller' });
    await table.dial(stage.server.sipUri('+15550102'));
    await table.waitEstablished({ nth: 2 });
    const kicked = await stage.app.waitFor({ path: '/kicked' });
    expect(kicked.params['From']).toBe('+15557001');
    await desk.waitClosed({ nth: 3 });
    await anna.waitHears('caller', TABLE_HZ);
    const [second] = await stage.server.client.video.v1.rooms(ROOM).participants.list({ identity: 'caller' });
    expect(second!.sid).not.toBe(first!.sid);
    expect(stage.app.matching({ path: '/kicked' })).toHaveLength(1);
    await table.hangUp();
    await table.waitClosed({ nth: 2 });
  });

  it('a completed room lets the phone go on and the browsers go with 53118', async () => {
    await table.dial(stage.server.sipUri('+15550101'));
    await table.waitEstablished({ nth: 3 });
    await stage.waitParticipants(ROOM, 3);
    const before = stage.app.matching({ path: '/after' }).length;
    const room = await stage.server.client.video.v1.rooms(ROOM).update({ status: 'completed' });
    expect(room.status).toBe('completed');
    const after = await stage.app.waitFor({ path: '/after' }, { nth: before + 1 });
    expect(after.params).toMatchObject({ CallStatus: 'in-progress', From: '+15557002' });
    for (const page of [anna, ben]) {
      const gone = await page.waitEvent((event) => event.name === 'disconnected', 'the end of the room');
      expect(gone.code).toBe(53118);
    }
    const ended = await stage.app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'room-ended' } });
    expect(Number(ended.params['RoomDuration'])).toBeGreaterThan(1);
    expect(table.count('CALL_CLOSED')).toBe(2);
    await table.hangUp();
    await table.waitClosed({ nth: 3 });
  });

  it('every request of the server was signed, and the room told its story', () => {
    expect(stage.app.requests.filter((request) => !request.valid).map((request) => request.path)).toEqual([]);
    const names = stage.app.matching({ path: '/room' }).map((request) => request.params['StatusCallbackEvent']);
    for (const name of ['room-created', 'participant-connected', 'track-added', 'participant-disconnected', 'room-ended']) expect(names).toContain(name);
    for (const request of stage.app.matching({ path: '/room' })) {
      expect(request.params).toMatchObject({ AccountSid: stage.server.accountSid, RoomName: ROOM, RoomType: 'group' });
      expect(request.params['RoomSid']).toMatch(/^RM[0-9a-f]{32}$/);
      expect(new Date(request.params['Timestamp']!).toISOString().slice(0, 19)).toBe(request.params['Timestamp']!.slice(0, 19));
    }
  });
});

describe('phones of different codecs in one room', () => {
  const WIDE_ROOM = 'WideBand';
  const PAGE_HZ = 4700;
  const G722_HZ = 5300;
  const OPUS_HZ = 6000;
  /** What tones above 4 kHz would become where half the rate is taken without a filter. */
  const ALIASES_HZ = [PAGE_HZ, G722_HZ, OPUS_HZ].map((hz) => 8000 - hz);
  let wide: Party;
  let g722: Phone;
  let opus: Phone;

  beforeAll(async () => {
    g722 = await cast.add('G.722 phone', startPhone({ user: '+15557022', toneHz: G722_HZ, codecs: 'G722/16000/1', rateHz: 16_000 }));
    opus = await cast.add('Opus phone', startPhone({ user: '+15557023', toneHz: OPUS_HZ, codecs: 'opus/48000/1', rateHz: 16_000 }));
    stage.app.on('/wide', (request) => {
      const response = new VoiceResponse();
      response.connect().room({ participantIdentity: request.params['From'] ?? '' }, WIDE_ROOM);
      return response;
    });
    await stage.number('+15550103', '/wide');
    await stage.room(WIDE_ROOM);
    wide = await browser.party('carla');
    await wide.join({ token: stage.server.token('carla'), wsServer: stage.server.wsUrl, roomName: WIDE_ROOM, toneHz: PAGE_HZ });
    const nth = desk.count('CALL_ESTABLISHED') + 1;
    for (const phone of [g722, opus, desk]) await phone.dial(stage.server.sipUri('+15550103'));
    await g722.waitEstablished();
    await opus.waitEstablished();
    await desk.waitEstablished({ nth });
    await Promise.all([wide.waitHears('+15557022', G722_HZ), wide.waitHears('+15557023', OPUS_HZ), wide.waitHears('+15557001', DESK_HZ)]);
  }, 30_000);

  it('each is heard by the browser as it came, above 4 kHz where its codec has that', async () => {
    const report = await wide.listen(2000, [DESK_HZ, PAGE_HZ, G722_HZ, OPUS_HZ]);
    const told = JSON.stringify(report);
    expect(report['+15557022']?.[G722_HZ]?.share, told).toBeGreaterThan(0.85);
    expect(report['+15557023']?.[OPUS_HZ]?.share, told).toBeGreaterThan(0.85);
    expect(report['+15557001']?.[DESK_HZ]?.share, told).toBeGreaterThan(0.85);
    const codecs = (await wide.rtp()).filter((row) => row.kind === 'audio').map((row) => row.codec?.toLowerCase());
    for (const name of ['g722', 'opus', 'pcmu']) expect(codecs.some((codec) => codec?.includes(name)), JSON.stringify(codecs)).toBe(true);
  });

  it('wide-band phones hear all of it, a G.711 phone what it can, and nobody itself', async () => {
    const all = [DESK_HZ, PAGE_HZ, G722_HZ, OPUS_HZ];
    const [atG722, atOpus, atDesk] = await Promise.all([g722.listen(2200, all), opus.listen(2200, all), desk.listen(2200, [DESK_HZ, ...ALIASES_HZ])]);
    for (const [report, ownHz] of [[atG722, G722_HZ], [atOpus, OPUS_HZ]] as const) {
      const told = JSON.stringify(report);
      for (const hz of all.filter((each) => each !== ownHz)) expect(report[hz]!.share, `${hz} Hz in ${told}`).toBeGreaterThan(0.85);
      expect(report[ownHz]!.share, `its own ${ownHz} Hz in ${told}`).toBeLessThan(0.05);
      // With two bits a sample above 4 kHz G.722 leaves noise of its own between loud tones.
      expect(report[ownHz]!.amplitude, `its own ${ownHz} Hz in ${told}`).toBeLessThan(0.05);
    }
    for (const hz of [DESK_HZ, ...ALIASES_HZ]) expect(atDesk[hz]!.amplitude, JSON.stringify(atDesk)).toBeLessThan(0.01);
  });
});
