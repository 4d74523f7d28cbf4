import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { RoomRecordingRepository } from '../recording/model.ts';
import type { TranscriptionsRepository } from '../recording/transcription/model.ts';
import type { CompositionRepository } from '../recording/composition/model.ts';
import type { RoomRepository } from '../rooms/model.ts';
import type { ConferenceRepository } from '../voice/conference/model.ts';
import type { RecordingRepository } from '../voice/recording/model.ts';
import type { TrunkRepository } from '../voice/carrier/model.ts';
import type { QueueRepository } from '../voice/queue/model.ts';
import type { CallRepository, KeyDirectory, SipDirectory } from '../voice/model.ts';
import { CallStore } from './call-store.ts';
import { CompositionStore } from './composition-store.ts';
import { ConferenceStore } from './conference-store.ts';
import { QueueStore } from './queue-store.ts';
import { openDatabase, type DatabaseOptions } from './database.ts';
import { DirectoryStore } from './directory-store.ts';
import { RecordingStore } from './recording-store.ts';
import { RoomRecordingStore } from './room-recording-store.ts';
import { RoomStore } from './room-store.ts';
import { SipStore } from './sip-store.ts';
import { TranscriptionsStore } from './transcriptions-store.ts';
import { TrunkStore } from './trunk-store.ts';
import { WriteQueue } from './write-queue.ts';

/** Everything that outlives the process. */
export interface Store {
  rooms: RoomRepository;
  roomRecordings: RoomRecordingRepository;
  calls: CallRepository;
  recordings: RecordingRepository;
  directory: KeyDirectory;
  conferences: ConferenceRepository;
  queues: QueueRepository;
  sip: SipDirectory;
  trunks: TrunkRepository;
  compositions: CompositionRepository;
  transcriptions: TranscriptionsRepository;
  /** Resolves when all that was saved so far is in the database. */
  settled(): Promise<void>;
  /** Writes what waits, then closes. */
  close(): Promise<void>;
}

/**
 * Opens the database (embedded in `dataDir`, or PostgreSQL by `databaseUrl`) and brings its tables up to date. Rejects with
 * StartupError when it cannot be reached or another server holds the data folder.
 */
export async function openStore(options: DatabaseOptions, deps: { log: Log; clock: Clock }): Promise<Store> {
  const { db, close } = await openDatabase(options);
  const queue = new WriteQueue(db, deps);
  return {
    rooms: new RoomStore(db, queue),
    roomRecordings: new RoomRecordingStore(db, queue),
    calls: new CallStore(db, queue),
    recordings: new RecordingStore(db, queue),
    directory: await DirectoryStore.load(db, queue),
    conferences: new ConferenceStore(db, queue),
    queues: await QueueStore.load(db, queue),
    sip: await SipStore.load(db, queue),
    trunks: await TrunkStore.load(db, queue),
    compositions: await CompositionStore.load(db, queue),
    transcriptions: new TranscriptionsStore(db, queue),
    settled: () => queue.settled(),
    close: async () => {
      await queue.settled();
      await close();
    },
  };
}
