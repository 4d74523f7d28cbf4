import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { MediaPlane } from '../media/protocol.ts';
import type { SipUserAgent } from '../sip/contract.ts';
import { CallCallbacks, endParameters } from './call-callbacks.ts';
import { LiveCalls } from './calls.ts';
import type { CallbackSender, Calls, RoomConnector } from './contract.ts';
import { IncomingCalls } from './incoming-calls.ts';
import type { CallRecord, CallRepository, DirectoryRepository } from './model.ts';
import { createPrompts } from './prompts.ts';
import { createSpeech } from './speech.ts';
import { createCallbackQueue } from './webhook/callbacks.ts';
import { createWebhookClient } from './webhook/client.ts';
import { callParameters } from './webhook/parameters.ts';

export interface VoiceConfig {
  /** Host in SDP, Contact and From. */
  publicAddress: string;
  /** Host names a Request-URI may carry, in lower case; any other is refused with 403. */
  localHosts: string[];
  /** `sip:host:port`: where numbers are called out; null: only SIP URIs can be called. */
  carrier: string | null;
  /** Prompts and speech are cached below it. */
  dataDir: string;
  /** How long a call that came in may ring. Default 180000. */
  ringTimeoutMs?: number;
  speech: { command: string };
}

export interface VoiceDeps {
  clock: Clock;
  log: Log;
  sip: SipUserAgent;
  media: MediaPlane;
  rooms: RoomConnector;
  calls: CallRepository;
  directory: DirectoryRepository;
  config: VoiceConfig;
}

/** Phone calls as Twilio sees them. */
export interface Voice {
  calls: Calls;
  /** Signed requests to customers in the background; for rooms too. */
  callbacks: CallbackSender;
  /** Sends the last callback of calls that a crash cut off. */
  leftoversEnded(records: CallRecord[]): void;
  /** Ends what is left, gives the last callbacks `graceMs` to go out, closes. */
  stop(graceMs: number): Promise<void>;
}

const PRODUCT = 'Partyline';

/** Builds voice/ and begins to take the user agent's calls. */
export function createVoice(deps: VoiceDeps): Voice {
  const { clock, log, directory, config } = deps;
  const client = createWebhookClient({ clock, log, product: PRODUCT });
  const callbacks = createCallbackQueue({ client, clock, log, authTokenOf: (sid) => directory.account(sid)?.authToken ?? null });
  const speech = createSpeech({ command: config.speech.command, cacheDir: join(config.dataDir, 'speech') }, { log });
  const prompts = createPrompts({ cacheDir: join(config.dataDir, 'prompts') }, { client, log, clock });
  const calls = new LiveCalls({ ...deps, client, callbacks, speech, prompts });
  const incoming = new IncomingCalls({ ...deps, live: calls });
  return {
    calls,
    callbacks,
    leftoversEnded: (records) => records.forEach((record) => leftoverEnded(record, { ...deps, callbacks })),
    stop: async (graceMs) => {
      incoming.stop();
      await calls.stop(0);
      await callbacks.settled(graceMs);
      await client.close();
    },
  };
}

/** A killed server keeps no per-call StatusCallback: the number's is told, by the number the call was for. */
function leftoverEnded(record: CallRecord, { clock, directory, callbacks }: Pick<VoiceDeps, 'clock' | 'directory'> & { callbacks: CallbackSender }): void {
  const number = record.phoneNumberSid === null ? null : directory.number(record.accountSid, record.phoneNumberSid);
  if (!number?.statusCallback) return;
  const target = { url: number.statusCallback, method: number.statusCallbackMethod, events: ['completed' as const] };
  const teller = new CallCallbacks({ sender: callbacks, clock, record, parameters: () => callParameters(record) }, target);
  teller.tell({ event: 'completed', callStatus: record.status, parameters: endParameters(record) });
}
