import { channel } from 'node:diagnostics_channel';
import type { Log } from '../base/log.ts';
import type { PhoneMedia, PhoneQuality } from '../media/protocol.ts';

/** Told of each phone that was heard, when its leg ends: `PhoneQuality`. */
export const PHONE_QUALITY_CHANNEL = 'partyline:phone-quality';

const told = channel(PHONE_QUALITY_CHANNEL);

/** Asks before the phone is closed; one line of the log, and the channel, when the answer comes. */
export function tellQuality(phone: PhoneMedia, log: Log): void {
  void phone.stats().then(
    ({ quality, ...packets }) => {
      if (!quality || packets.packetsReceived === 0) return;
      log.info({ ...packets, ...quality, jitterMs: Math.round(packets.jitterMs * 10) / 10, mos: rounded(quality.mos), roundTripMs: rounded(quality.roundTripMs), remoteJitterMs: rounded(quality.remoteJitterMs) }, 'how it was for a phone');
      told.publish(quality satisfies PhoneQuality);
    },
    // Its media worker died: there is nothing to tell.
    () => undefined,
  );
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100;
}
