import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { CallSid } from '../base/sid.ts';
import type { MediaPlane } from '../media/protocol.ts';
import { Conferences } from './conference/conferences.ts';
import type { ConferenceRepository } from './conference/model.ts';
import type { CallbackSender } from './contract.ts';
import { createHoldMusic, type HoldMusic } from './hold-music.ts';
import type { CallRecord } from './model.ts';
import type { QueueRepository } from './queue/model.ts';
import type { Recordings } from './recording/recordings.ts';
import { Queues } from './queue/queues.ts';

/** Where calls meet each other: conferences and queues, and what is heard while one waits there. */
export interface Gatherings {
  conferences: Conferences;
  queues: Queues;
  music: HoldMusic;
  media: MediaPlane;
  callbacks: CallbackSender;
}

export interface GatheringDeps {
  clock: Clock;
  log: Log;
  media: MediaPlane;
  callbacks: CallbackSender;
  recordings: Recordings;
  conferenceRepository: ConferenceRepository;
  queueRepository: QueueRepository;
  liveCall: (sid: CallSid) => CallRecord | null;
  config: { dataDir: string };
  /** Default: a file of ours in the data folder. */
  music?: HoldMusic;
}

export function createGatherings(deps: GatheringDeps): Gatherings {
  const { clock, log, media, callbacks } = deps;
  const music = deps.music ?? createHoldMusic({ cacheDir: join(deps.config.dataDir, 'prompts') });
  return {
    conferences: new Conferences({ clock, log, media, callbacks, music, recordings: deps.recordings, repository: deps.conferenceRepository, liveCall: deps.liveCall }),
    queues: new Queues({ repository: deps.queueRepository, clock }),
    music,
    media,
    callbacks,
  };
}
