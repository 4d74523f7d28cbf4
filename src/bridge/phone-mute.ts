import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { PhoneMedia, PromptSource } from '../media/protocol.ts';
import type { Participant, Publication } from '../rooms/contract.ts';
import { KeySequence } from './key-sequence.ts';

/** What tells a phone that it is no longer heard, and that it is again. */
const MUTED_TONE: PromptSource = { kind: 'tone', frequencyHz: 370, durationMs: 250, levelDbov: -18 };
const UNMUTED_TONE: PromptSource = { kind: 'tone', frequencyHz: 740, durationMs: 250, levelDbov: -18 };

export interface PhoneMuteOptions {
  participant: Participant;
  /** The phone's publication: `enabled: false` is muted. */
  track: Publication;
  phone: PhoneMedia;
  /** Keys that turn it over; null: none do. */
  muteKeys: string | null;
  clock: Clock;
  log: Log;
}

/**
 * Keeps a phone's voice as its publication says, whoever changes that: REST or its own keys. Until the returned function is
 * called.
 */
export function followMute({ participant, track, phone, muteKeys, clock, log }: PhoneMuteOptions): () => void {
  let heard = track.enabled;
  const failed = (error: unknown): void => log.debug({ participantSid: participant.sid, error: messageOf(error) }, 'a phone could not follow its mute');
  const look = (): void => {
    if (track.enabled === heard) return;
    heard = track.enabled;
    log.info({ participantSid: participant.sid, muted: !heard }, heard ? 'a phone is heard again' : 'a phone is muted');
    phone.setRoomVoice({ muted: !heard }).catch(failed);
    phone.play(heard ? UNMUTED_TONE : MUTED_TONE).catch(failed);
  };
  const forget = [participant.room.on('trackUpdated', look)];
  if (muteKeys !== null) {
    const sequence = new KeySequence(muteKeys);
    forget.push(phone.on('digitReceived', (key) => void (sequence.pressed(key, clock.nowMs()) && participant.update(track.sid, { enabled: !track.enabled }))));
  }
  return () => forget.forEach((one) => one());
}
