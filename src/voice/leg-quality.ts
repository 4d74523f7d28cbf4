import { channel } from 'node:diagnostics_channel';
import type { Log } from '../base/log.ts';
import type { PhoneMedia, PhoneMediaStats, PhoneQuality } from '../media/protocol.ts';
import type { CallQuality } from './model.ts';

/** Told of each phone that was heard, when its leg ends: `PhoneQuality`. */
export const PHONE_QUALITY_CHANNEL = 'partyline:phone-quality';

const told = channel(PHONE_QUALITY_CHANNEL);

/** Asks before the phone is closed; one line of the log, and the channel, when the answer comes. Null when it was never heard. */
export async function tellQuality(phone: PhoneMedia, log: Log): Promise<CallQuality | null> {
  // Its media worker may have died: there is nothing to tell then.
  const stats = await phone.stats().catch(() => null);
  if (!stats?.quality || stats.packetsReceived === 0) return null;
  const quality = callQuality(stats, stats.quality);
  log.info({ ...quality }, 'how it was for a phone');
  told.publish(stats.quality satisfies PhoneQuality);
  return quality;
}

function callQuality({ packetsReceived, packetsSent, packetsLost, packetsDiscarded, jitterMs }: PhoneMediaStats, quality: PhoneQuality): CallQuality {
  const { codec, scale, rating, mos, roundTripMs, remoteLost, remoteJitterMs } = quality;
  return {
    codec,
    scale,
    rating: rounded(rating, 10),
    mos: rounded(mos, 100),
    packetsReceived,
    packetsSent,
    packetsLost,
    packetsDiscarded,
    jitterMs: rounded(jitterMs, 10) ?? 0,
    roundTripMs: rounded(roundTripMs, 10),
    remoteLost,
    remoteJitterMs: rounded(remoteJitterMs, 10),
  };
}

function rounded(value: number | null, perUnit: number): number | null {
  return value === null ? null : Math.round(value * perUnit) / perUnit;
}
