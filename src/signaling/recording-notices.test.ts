import { expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { newSid } from '../base/sid.ts';
import type { Participant, Room } from '../rooms/contract.ts';
import type { RoomRepository } from '../rooms/model.ts';
import { createRooms } from '../rooms/rooms.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeMediaPlane } from '../testing/fake-media.ts';
import { RecordingNotices } from './recording-notices.ts';

async function inRoom(): Promise<{ room: Room; anna: Participant }> {
  const repository = { saveRoom: () => {}, saveParticipant: () => {}, saveTrack: () => {} } as unknown as RoomRepository;
  const rooms = createRooms({ clock: new FakeClock(), log: silentLog, media: new FakeMediaPlane(), repository, callbacks: { send: () => {} }, settings: () => null });
  const room = await rooms.create(newSid('AC'), {});
  return { room, anna: room.join({ identity: 'anna', medium: 'browser' }) };
}

it('a browser is told once whenever its room begins or ceases to be recorded', async () => {
  const { room, anna } = await inRoom();
  let changes = 0;
  const notices = new RecordingNotices(anna, { wantsWarnings: false, changed: () => changes++ });
  expect(notices.takeAll()).toEqual({ is_recording: false, revision: 1 });
  expect(notices.take()).toBeNull();
  room.recording.setActive(true);
  expect(changes).toBe(1);
  expect(notices.take()).toEqual({ is_recording: true, revision: 2 });
  expect(notices.take()).toBeNull();
  notices.close();
  room.recording.setActive(false);
  expect(changes).toBe(1);
});

it('a browser that asked is warned of its own tracks that a recording lacks media of', async () => {
  const { room, anna } = await inRoom();
  let changes = 0;
  const notices = new RecordingNotices(anna, { wantsWarnings: true, changed: () => changes++ });
  const deaf = new RecordingNotices(anna, { wantsWarnings: false, changed: () => {} });
  const { sid } = anna.publish({ kind: 'audio', name: '' });
  const other = room.join({ identity: 'bert', medium: 'phone' }).publish({ kind: 'audio', name: '' });
  room.recording.setLacksMedia(other.sid, true);
  expect(changes).toBe(0);
  room.recording.setLacksMedia(sid, true);
  expect(changes).toBe(1);
  expect(notices.takeWarnings()).toEqual({ type: 'warning', version: 2, states: { revision: 1, tracks: { [sid]: { recordings: 'NO_MEDIA' } } } });
  expect(notices.takeWarnings()).toBeNull();
  expect(deaf.takeWarnings()).toBeNull();
  room.recording.setLacksMedia(sid, false);
  expect(notices.takeWarnings()).toEqual({ type: 'warning', version: 2, states: { revision: 2, tracks: { [sid]: { recordings: 'OK' } } } });
});
