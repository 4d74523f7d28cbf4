import { join } from 'node:path';
import { CallCallbacks, endParameters, type StatusCallback } from './call-callbacks.ts';
import { CallerIdValidations, type CallerIdValidator } from './caller-id-validation.ts';
import { LiveCalls } from './calls.ts';
import { Carriers } from './carrier/carriers.ts';
import type { CallbackSender, Calls } from './contract.ts';
import { IncomingCalls } from './incoming-calls.ts';
import type { CallRecord } from './model.ts';
import { createExplainer, type Explainer } from './explain.ts';
import { createGatherings, type Gatherings } from './gatherings.ts';
import { OfferMemory } from './offer-memory.ts';
import { createPrompts } from './prompts.ts';
import { createCallRecordings, type CallRecordings } from './recording/call-recordings.ts';
import { createRecordingMedia, type RecordingMedia } from './recording/recording-media.ts';
import { createRecordings } from './recording/recording-service.ts';
import type { Recordings } from './recording/recordings.ts';
import { createRegistrations } from './registrations.ts';
import { createSpeech } from './speech.ts';
import { createCommandRecognizer } from './speech-recognition.ts';
import type { VoiceDeps } from './voice-deps.ts';
import { createCallbackQueue } from './webhook/callbacks.ts';
import { createWebhookClient } from './webhook/client.ts';
import { createNetworkPolicy } from './webhook/network-policy.ts';
import { callParameters } from './webhook/parameters.ts';

/** Phone calls as Twilio sees them. */
export interface Voice {
  calls: Calls;
  /** How calls leave; to be started when the user agent listens, and stopped before it stops. */
  carriers: Pick<Carriers, 'start' | 'stop' | 'counts'>;
  callerIds: CallerIdValidator;
  /** Signed requests to customers in the background; for rooms too. */
  callbacks: CallbackSender;
  recordings: Recordings;
  recordingMedia: RecordingMedia;
  callRecordings: CallRecordings;
  /** Conferences and queues, for REST. */
  gatherings: Gatherings;
  /** For `partyline explain`. */
  explainer: Explainer;
  /** Sends the last callback of calls that a crash cut off. */
  leftoversEnded(records: CallRecord[]): void;
  /** Ends what is left, gives the last callbacks `graceMs` to go out, closes. */
  stop(graceMs: number): Promise<void>;
}

const PRODUCT = 'Partyline';

/** Builds voice/ and begins to take the user agent's calls. */
export function createVoice(deps: VoiceDeps): Voice {
  const { clock, log, directory, config } = deps;
  const { privateNetworks = 'allow', ownAddresses = [], ownUrls = () => [] } = config.webhooks ?? {};
  const network = createNetworkPolicy(privateNetworks, ownAddresses);
  const client = createWebhookClient({ clock, log, product: PRODUCT, policy: network, ownUrls });
  const callbacks = createCallbackQueue({ client, clock, log, authTokenOf: (sid) => directory.account(sid)?.authToken ?? null });
  const speech = createSpeech({ command: config.speech.command, cacheDir: join(config.dataDir, 'speech') }, { log });
  const recognizer = config.speech.recognizer ? createCommandRecognizer({ command: config.speech.recognizer, folder: join(config.dataDir, 'heard') }, { log }) : null;
  const prompts = createPrompts({ cacheDir: join(config.dataDir, 'prompts') }, { client, log, clock });
  const recordings = createRecordings({ folder: join(config.dataDir, 'recordings'), origin: config.httpOrigin ?? (() => 'http://localhost') }, { clock, log, repository: deps.recordingRepository, calls: deps.calls, callbacks });
  const gatherings = createGatherings({ ...deps, callbacks, recordings, liveCall: (sid) => calls.live(sid) });
  const { registrations, stop: stopRegistering } = createRegistrations(deps);
  const carriers = new Carriers({ ...deps, publicAddress: config.publicAddress, ...(config.isOwnSip && { isOwn: config.isOwnSip }) });
  const calls: LiveCalls = new LiveCalls({ ...deps, carriers, client, callbacks, speech, recognizer, prompts, recordings, gatherings, registrations, offers: new OfferMemory(), network });
  const incoming = new IncomingCalls({ ...deps, live: calls });
  return {
    calls,
    carriers,
    callerIds: new CallerIdValidations({ clock, directory, callbacks, live: calls }),
    callbacks,
    recordings,
    recordingMedia: createRecordingMedia({ command: 'ffmpeg' }, { recordings, log }),
    callRecordings: createCallRecordings(recordings, (sid) => calls.answeredCall(sid)),
    gatherings,
    explainer: createExplainer({ ...deps, carriers, mayDial: (destination) => calls.mayDial(destination) }),
    leftoversEnded: (records) => records.forEach((record) => leftoverEnded(record, { ...deps, callbacks })),
    stop: async (graceMs) => {
      incoming.stop();
      stopRegistering();
      await calls.stop(0);
      await recordings.stop();
      gatherings.conferences.stop();
      await callbacks.settled(graceMs);
      await client.close();
    },
  };
}

/** Tells the end of a call that a crash cut off to whoever was told the rest of it. */
function leftoverEnded(record: CallRecord, { clock, directory, callbacks }: Pick<VoiceDeps, 'clock' | 'directory'> & { callbacks: CallbackSender }): void {
  const target = record.statusCallback ?? callbackOfNumber(record, directory);
  if (!target) return;
  const teller = new CallCallbacks({ sender: callbacks, clock, record, parameters: () => callParameters(record) }, target);
  teller.tell({ event: 'completed', callStatus: record.status, parameters: endParameters(record) });
}

/** For calls of a version that kept no StatusCallback with them. */
function callbackOfNumber(record: CallRecord, directory: VoiceDeps['directory']): StatusCallback | null {
  const number = record.phoneNumberSid === null || record.direction !== 'inbound' ? null : directory.number(record.accountSid, record.phoneNumberSid);
  return number?.statusCallback ? { url: number.statusCallback, method: number.statusCallbackMethod, events: ['completed'] } : null;
}
