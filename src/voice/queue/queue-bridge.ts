import { orAborted } from '../../base/abort.ts';
import { newSid } from '../../base/sid.ts';
import type { MediaPlane, PhoneMedia, RoomMedia } from '../../media/protocol.ts';

/**
 * Lets two phones talk until the signal aborts or the mixer is lost; both are their own again when it resolves. Rejects with
 * MediaError when they cannot be brought together.
 */
export async function talk(media: MediaPlane, phones: readonly [PhoneMedia, PhoneMedia], signal: AbortSignal): Promise<void> {
  const room = await media.createRoom({ roomSid: newSid('RM') });
  try {
    await Promise.all(phones.map((phone) => phone.joinRoom(room, { trackSid: newSid('MT') })));
    await orAborted(lost(room), signal);
  } finally {
    await Promise.allSettled(phones.map((phone) => phone.leaveRoom()));
    await room.close().catch(() => undefined);
  }
}

function lost(room: RoomMedia): Promise<void> {
  return new Promise((resolve) => room.once('lost', () => resolve()));
}
