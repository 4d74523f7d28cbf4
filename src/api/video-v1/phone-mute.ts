import { TwilioError } from '../../base/errors.ts';
import type { Participant } from '../../rooms/contract.ts';

/**
 * `Muted` of a participant update, an extension: a phone has no page that could mute it. Its publication is disabled or
 * enabled; its media follows. Throws 20001 for a browser, whose own page says what is enabled, and 53204 when it has left.
 */
export function mutePhone(participant: Participant | undefined, muted: boolean): void {
  if (!participant) throw new TwilioError(53204, 'The participant has left: it can no longer be muted');
  if (participant.medium !== 'phone') throw new TwilioError(20001, 'Muted works for phones only: a browser mutes itself');
  for (const { sid, kind } of participant.publications.values()) if (kind === 'audio') participant.update(sid, { enabled: !muted });
}
