import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TrackSid } from '../base/sid.ts';
import type { PhoneMedia } from '../media/protocol.ts';
import type { Participant } from '../rooms/contract.ts';
import { includesAll } from '../rooms/track-rules.ts';

/** Tracks that a phone hears by its subscribe rules; null: all. */
export function heardBy(participant: Participant): TrackSid[] | null {
  if (includesAll(participant.subscribeRules.rules)) return null;
  const heard: TrackSid[] = [];
  for (const publisher of participant.room.participants.values()) {
    for (const track of publisher.publications.values()) if (track.kind === 'audio' && participant.subscribesTo(publisher, track)) heard.push(track.sid);
  }
  return heard;
}

/** Tells the phone's media what it is to hear whenever that may have changed, until the returned function is called. */
export function followRules(participant: Participant, { phone, log }: { phone: PhoneMedia; log: Log }): () => void {
  const { room } = participant;
  let told = JSON.stringify(heardBy(participant));
  const look = (): void => {
    const hears = heardBy(participant);
    const text = JSON.stringify(hears);
    if (text === told) return;
    told = text;
    phone.setRoomVoice({ hears }).catch((error: unknown) => log.debug({ participantSid: participant.sid, error: messageOf(error) }, 'a phone could not follow its subscribe rules'));
  };
  const forget = [participant.on('subscribeRulesChanged', look), room.on('trackPublished', look), room.on('trackUnpublished', look)];
  return () => forget.forEach((one) => one());
}
