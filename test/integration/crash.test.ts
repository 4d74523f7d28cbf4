import { existsSync, statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Cast } from '../peers/cast.ts';
import { temporaryFolder } from '../peers/child.ts';
import { startServer, type Server } from '../peers/server.ts';
import { waitUntil } from '../peers/wait.ts';
import { WebhookApp } from '../peers/webhook-app.ts';
import { SimulatedPhone } from '../../src/testing/simulated-phone.ts';
import { prepareDatabase } from '../prepared-database.ts';

// What a kill -9 leaves behind, and what the next start makes of it.

const cast = new Cast();

it('keeps what was answered, and ends what was open', async () => {
  const dataDir = temporaryFolder('crash');
  await prepareDatabase(dataDir);
  const first = await cast.add('server', startServer({ dataDir }));
  const login = { PARTYLINE_ACCOUNT_SID: first.accountSid, PARTYLINE_AUTH_TOKEN: first.authToken, PARTYLINE_API_KEY_SID: first.apiKeySid, PARTYLINE_API_KEY_SECRET: first.apiKeySecret };
  await first.client.incomingPhoneNumbers.create({ phoneNumber: '+15550700', voiceUrl: 'http://127.0.0.1:9/voice' });
  const sids: string[] = [];
  for (let i = 0; i < 20; i++) sids.push((await first.client.video.v1.rooms.create({ uniqueName: `Room ${i}` })).sid);
  // Read before the kill: what a read has shown must be there for ever.
  expect(await inProgress(first)).toHaveLength(20);
  first.child.kill('SIGKILL');
  await first.child.exited(5000);

  const second = await cast.add('server after the crash', startServer({ dataDir, env: login }));
  expect(await inProgress(second)).toEqual([]);
  const completed = await second.client.video.v1.rooms.list({ status: 'completed' });
  expect(completed.map(({ sid }) => sid).sort()).toEqual([...sids].sort());
  expect(completed.every(({ endTime }) => endTime instanceof Date)).toBe(true);
  expect((await second.client.incomingPhoneNumbers.list()).map(({ phoneNumber }) => phoneNumber)).toEqual(['+15550700']);
  // The names are free again.
  expect((await second.client.video.v1.rooms.create({ uniqueName: 'Room 0' })).status).toBe('in-progress');
});

it('tells the end of calls that were live to those who were told their beginning', async () => {
  const dataDir = temporaryFolder('crash-calls');
  await prepareDatabase(dataDir);
  const first = await cast.add('server', startServer({ dataDir }));
  const app = await cast.add('webhook app', WebhookApp.start(first.authToken));
  const phone = await cast.add('phone', SimulatedPhone.start());
  app.on('/voice', () => '<Response><Pause length="60"/><Say>late</Say></Response>');
  app.on('/short', () => '<Response/>');
  app.on('/studio', () => '<Response><Connect><Room participantIdentity="desk">Studio</Room></Connect></Response>');
  await first.client.incomingPhoneNumbers.create({ phoneNumber: '+15550701', voiceUrl: `${app.url}/voice`, statusCallback: `${app.url}/number` });
  await first.client.incomingPhoneNumbers.create({ phoneNumber: '+15550702', voiceUrl: `${app.url}/short` });
  await first.client.incomingPhoneNumbers.create({ phoneNumber: '+15550703', voiceUrl: `${app.url}/studio` });
  await first.client.video.v1.rooms.create({ uniqueName: 'Studio', recordParticipantsOnConnect: true, statusCallback: `${app.url}/room` });
  const twiml = '<Response><Pause length="60"/></Response>';
  const all = ['initiated', 'ringing', 'answered', 'completed'];
  const told = await first.client.calls.create({ to: phone.uri(), from: '+15550701', twiml, statusCallback: `${app.url}/call`, statusCallbackEvent: all });
  const notTold = await first.client.calls.create({ to: phone.uri(), from: '+15550701', twiml, statusCallback: `${app.url}/call`, statusCallbackEvent: ['answered'] });
  const ringing = await phone.call(first.sipUri('+15550701'));
  const finished = await phone.call(first.sipUri('+15550702'));
  await finished.ended();
  for (const { sid } of [told, notTold]) await app.waitFor({ path: '/call', params: { CallSid: sid, CallStatus: 'in-progress' } });
  const rung = (await app.waitFor({ path: '/voice' })).params['CallSid'] ?? '';
  const recording = await first.client.calls(told.sid).recordings.create({ recordingStatusCallback: `${app.url}/recording` });
  const file = `${dataDir}/recordings/${first.accountSid}/${recording.sid}.wav`;
  await waitUntil(() => existsSync(file) && statSync(file).size > BYTES_OF_2_S, { what: 'two seconds of a recording' });
  const inRoom = await phone.call(first.sipUri('+15550703'));
  const track = (await app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'recording-started' } })).params['RecordingSid'] ?? '';
  const trackFile = `${dataDir}/room-recordings/${first.accountSid}/${track}.mka`;
  await waitUntil(() => existsSync(trackFile) && statSync(trackFile).size > BYTES_OF_2_S / 2, { what: 'two seconds of a track' });
  // Read before the kill: what a read has shown must be there for ever.
  const before = await first.client.calls.list();
  expect(before.map(({ status }) => status).sort()).toEqual(['completed', 'in-progress', 'in-progress', 'in-progress', 'ringing']);
  const counted = app.requests.length;
  const toldBefore = app.matching({ path: '/call', params: { CallSid: told.sid } }).length;
  first.child.kill('SIGKILL');
  await first.child.exited(5000);

  const login = { PARTYLINE_ACCOUNT_SID: first.accountSid, PARTYLINE_AUTH_TOKEN: first.authToken, PARTYLINE_API_KEY_SID: first.apiKeySid, PARTYLINE_API_KEY_SECRET: first.apiKeySecret };
  const second = await cast.add('server after the crash', startServer({ dataDir, env: login }));
  const end = await app.waitFor({ path: '/call', params: { CallSid: told.sid, CallStatus: 'failed' } });
  expect(end).toMatchObject({ valid: true, params: { SequenceNumber: String(toldBefore), CallbackSource: 'call-progress-events' } });
  expect(Number(end.params['CallDuration'])).toBeGreaterThanOrEqual(1);
  await app.waitFor({ path: '/number', params: { CallSid: rung, CallStatus: 'failed' } });
  const recorded = await app.waitFor({ path: '/recording', params: { RecordingSid: recording.sid, RecordingStatus: 'completed' } });
  expect(Number(recorded.params['RecordingDuration'])).toBeGreaterThanOrEqual(2);
  const ofRoom = await app.waitFor({ path: '/room', params: { StatusCallbackEvent: 'recording-completed', RecordingSid: track } });
  expect(ofRoom).toMatchObject({ valid: true, params: { ParticipantIdentity: 'desk', RoomStatus: 'completed', Codec: 'PCMU' } });
  expect(Number(ofRoom.params['Duration'])).toBeGreaterThanOrEqual(2);
  expect(await second.client.video.v1.recordings(track).fetch()).toMatchObject({ status: 'completed', size: statSync(trackFile).size });
  expect((await second.client.recordings.list()).map(({ sid, status }) => [sid, status])).toEqual([[recording.sid, 'completed']]);
  expect(app.requests.slice(counted)).toHaveLength(4);
  const after = await second.client.calls.list();
  expect(after.map(({ sid }) => sid)).toEqual(before.map(({ sid }) => sid));
  expect(after.map(({ status }) => status).sort()).toEqual(['completed', 'failed', 'failed', 'failed', 'failed']);
  ringing.hangup();
  inRoom.hangup();
});

/** 8000 samples of 16 bits a second, and the header. */
const BYTES_OF_2_S = 32_044;

const inProgress = (server: Server): Promise<unknown[]> => server.client.video.v1.rooms.list();
