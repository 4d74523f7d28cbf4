import { expect, it } from 'vitest';
import { Cast } from '../peers/cast.ts';
import { temporaryFolder } from '../peers/child.ts';
import { startServer, type Server } from '../peers/server.ts';

// What a kill -9 leaves behind, and what the next start makes of it.

const cast = new Cast();

it('keeps what was answered, and ends what was open', async () => {
  const dataDir = temporaryFolder('crash');
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

const inProgress = (server: Server): Promise<unknown[]> => server.client.video.v1.rooms.list();
