import { newSid, type AccountSid } from './base/sid.ts';
import type { Config } from './config.ts';
import { shownSipAddress } from './own-addresses.ts';
import { bracket } from './sip/message/uri.ts';
import type { Store } from './store/store.ts';
import type { PhoneNumberRecord } from './voice/model.ts';

/** The room that callers of the demo number join. */
export const DEMO_ROOM = 'DailyStandup';

const DEMO_NUMBER_NAME = `Demo: join the room ${DEMO_ROOM}`;

/** The demo number answers through the demo application of this server, over HTTP as any other application would. */
export async function seedDemoNumber({ directory }: Pick<Store, 'directory'>, { demoNumber }: Pick<Config, 'demoNumber'>, { accountSid, httpUrl, nowMs }: { accountSid: AccountSid; httpUrl: string; nowMs: number }): Promise<void> {
  const kept = directory.numberByDigits(demoNumber);
  if (kept && kept.friendlyName !== DEMO_NUMBER_NAME) return;
  const record: PhoneNumberRecord = {
    sid: kept?.sid ?? newSid('PN'),
    accountSid,
    phoneNumber: demoNumber,
    friendlyName: DEMO_NUMBER_NAME,
    voiceUrl: `${httpUrl}/demo/voice`,
    voiceMethod: 'POST',
    voiceFallbackUrl: null,
    voiceFallbackMethod: 'POST',
    statusCallback: null,
    statusCallbackMethod: 'POST',
    voiceApplicationSid: null,
    trunkSid: null,
    voiceCallerIdLookup: false,
    voiceReceiveMode: 'voice',
    createdAtMs: kept?.createdAtMs ?? nowMs,
    updatedAtMs: nowMs,
  };
  await directory.saveNumber(record);
}

/** What a phone dials. */
export function demoUri(config: Config, sipPort: number): string {
  return `sip:${config.demoNumber}@${bracket(shownSipAddress(config))}:${sipPort}`;
}
