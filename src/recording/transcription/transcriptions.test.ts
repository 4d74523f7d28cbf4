import { describe, expect, it } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import type { MediaPlane } from '../../media/protocol.ts';
import type { CreateRoomOptions, Room, Transcription } from '../../rooms/contract.ts';
import type { RoomRepository } from '../../rooms/model.ts';
import { createRooms } from '../../rooms/rooms.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { FakeRoomMedia } from '../../testing/fake-media.ts';
import type { Recognized } from '../../voice/speech-recognition.ts';
import { readConfiguration, wishesOf } from './configuration.ts';
import type { TranscriptionsRecord, TranscriptionsRepository } from './model.ts';
import { createRoomTranscriptions } from './transcriptions.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function world(options: CreateRoomOptions = {}, over: { deaf?: boolean } = {}) {
  const clock = new FakeClock();
  const media = new FakeRoomMedia();
  const plane = { createRoom: () => Promise.resolve(media) } as unknown as MediaPlane;
  const roomRepository = { saveRoom: () => {}, saveParticipant: () => {}, saveTrack: () => {} } as unknown as RoomRepository;
  const rooms = createRooms({ clock, log: silentLog, media: plane, repository: roomRepository, callbacks: { send: () => {} }, settings: () => null });
  const saved: TranscriptionsRecord[] = [];
  const repository = { saveTranscriptions: (record: TranscriptionsRecord) => saved.push(record) } as unknown as TranscriptionsRepository;
  const asked: { path: string; wishes: object; answer: (recognized: Recognized | null | Error) => void }[] = [];
  const discarded: string[] = [];
  const recognizer = {
    newFile: () => Promise.resolve('/heard/x.wav'),
    recognize: (path: string, wishes: object) => new Promise<Recognized | null>((resolve, reject) => void asked.push({ path, wishes, answer: (recognized) => (recognized instanceof Error ? reject(recognized) : resolve(recognized)) })),
    discard: (path: string) => Promise.resolve(void discarded.push(path)),
  };
  const service = createRoomTranscriptions({ clock, log: silentLog, rooms, repository, recognizer: over.deaf ? null : recognizer });
  const room = await rooms.create(newSid('AC'), options);
  const told: Transcription[] = [];
  room.on('transcribed', (transcription) => told.push(transcription));
  await settle();
  return { clock, media, rooms, service, room, saved, asked, discarded, told };
}

const talk = (room: Room, kind: 'audio' | 'video' = 'audio') => {
  const participant = room.join({ identity: null, medium: 'browser' });
  return { participant, track: participant.publish({ kind, name: '' }) };
};

describe('transcriptions of a room', () => {
  it('tell what each audio track said, in the order in which it was said, however long the recognizer takes', async () => {
    const { room, service, media, asked, discarded, told } = await world();
    const before = talk(room);
    const record = await service.start(room, { languageCode: 'de-DE', hints: 'Partyline,SIP' });
    expect(record).toMatchObject({ ttid: expect.stringMatching(/^video_extension_[0-9a-f-]{36}$/), status: 'started', endedAtMs: null });
    talk(room);
    talk(room, 'video');
    await settle();
    expect(media.listenings.map(({ folder }) => folder)).toEqual(['/heard', '/heard']);
    const [first] = media.listenings;
    first?.emit('spoken', { path: '/heard/1.wav', startedAtMs: 1_700_000_000_000, durationMs: 1000 });
    first?.emit('spoken', { path: '/heard/2.wav', startedAtMs: 1_700_000_002_000, durationMs: 1000 });
    first?.emit('spoken', { path: '/heard/3.wav', startedAtMs: 1_700_000_004_000, durationMs: 1000 });
    await settle();
    expect(asked[0]?.wishes).toMatchObject({ language: 'de-DE', hints: ['Partyline', 'SIP'], profanityFilter: true, model: '' });
    asked[1]?.answer({ transcript: 'second', confidence: 1 });
    await settle();
    expect(told).toEqual([]);
    asked[0]?.answer(new Error('no'));
    asked[2]?.answer({ transcript: 'third', confidence: 1 });
    await settle();
    const common = { participantSid: before.participant.sid, trackSid: before.track.sid, partial: false, languageCode: 'de-DE' };
    expect(told).toEqual([
      { ...common, text: 'second', timestamp: '2023-11-14T22:13:22.000Z', sequenceNumber: 1 },
      { ...common, text: 'third', timestamp: '2023-11-14T22:13:24.000Z', sequenceNumber: 2 },
    ]);
    expect(discarded.sort()).toEqual(['/heard/1.wav', '/heard/2.wav', '/heard/3.wav']);
  });

  it('stop, and can be started again; one at a time', async () => {
    const { room, service, media, clock, saved, told, asked } = await world();
    talk(room);
    const record = await service.start(room, {});
    await expect(service.start(room, {})).rejects.toMatchObject({ code: 20001 });
    await settle();
    media.listenings[0]?.emit('spoken', { path: '/heard/1.wav', startedAtMs: 0, durationMs: 1000 });
    clock.advance(5000);
    const stopped = await service.setStatus(room, { ...record }, 'stopped');
    expect(stopped).toMatchObject({ status: 'stopped', endedAtMs: record.startedAtMs + 5000 });
    expect(media.listenings[0]?.stopped).toBe(true);
    asked[0]?.answer({ transcript: 'late', confidence: 1 });
    await settle();
    expect(told).toEqual([]);
    expect((await service.setStatus(room, { ...stopped }, 'started')).ttid).toBe(record.ttid);
    expect(saved.map(({ status }) => status)).toEqual(['started', 'stopped', 'started']);
    await settle();
    expect(media.listenings).toHaveLength(2);
  });

  it('end with the room and with the track', async () => {
    const { room, service, media, saved } = await world();
    const { participant, track } = talk(room);
    await service.start(room, {});
    await settle();
    participant.unpublish(track.sid);
    expect(media.listenings[0]?.stopped).toBe(true);
    talk(room);
    await settle();
    room.end('completed-by-api');
    expect(media.listenings[1]?.stopped).toBe(true);
    expect(saved.at(-1)?.status).toBe('stopped');
  });

  it('begin with a room that asks for it, and are refused without a recognizer', async () => {
    const { saved } = await world({ transcribeOnConnect: { languageCode: 'fr-FR' } });
    expect(saved).toMatchObject([{ status: 'started', configuration: { languageCode: 'fr-FR' } }]);
    const deaf = await world({ transcribeOnConnect: {} }, { deaf: true });
    expect(deaf.saved).toEqual([]);
    await expect(deaf.service.start(deaf.room, {})).rejects.toMatchObject({ code: 20001, message: expect.stringContaining('PARTYLINE_SPEECH_RECOGNIZER') });
  });
});

describe('a configuration', () => {
  it('is read in either spelling', () => {
    expect(wishesOf(readConfiguration('{"LanguageCode":"en-GB","ProfanityFilter":false,"speechModel":"phone","other":1}'))).toEqual({ languageCode: 'en-GB', profanityFilter: false, hints: [], model: 'phone' });
    expect(wishesOf(readConfiguration(undefined))).toEqual({ languageCode: 'en-US', profanityFilter: true, hints: [], model: '' });
  });

  it.each(['[]', 'null', 'x', '{"languageCode":"--x"}', '{"languageCode":7}', '{"hints":[1]}', '{"profanityFilter":"yes"}', '{"speechModel":"../x"}', `{"a":"${'x'.repeat(5000)}"}`])('%s is none', (json) => {
    expect(() => readConfiguration(json)).toThrow(expect.objectContaining({ code: 20001 }));
  });
});
