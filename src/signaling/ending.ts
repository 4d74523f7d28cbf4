import type { LeaveReason } from '../rooms/model.ts';

/** An RSP `error`: the SDK's Room is disconnected with that TwilioError. */
export function errorMessage(code: number, message: string): object {
  return { type: 'error', version: 2, code, message };
}

/** What a browser is told when its participant has left for a reason that was not its own (rsp §3.6); null: nothing. */
export function endingMessage(reason: LeaveReason): object | null {
  switch (reason) {
    case 'left':
      return null;
    case 'participant-removed':
      return { type: 'disconnected', version: 2 };
    case 'room-completed':
      return { type: 'disconnected', version: 2, status: 'completed' };
    case 'duplicate-identity':
      return errorMessage(53205, 'Participant disconnected because of duplicate identity');
    case 'participant-duration':
      return errorMessage(53216, 'Participant session length exceeded');
    case 'connection-lost':
      return errorMessage(53405, 'Media connection failed');
    case 'media-lost':
      return errorMessage(53405, 'Media connection failed: the media server of the room was lost');
    case 'server-stopped':
      return errorMessage(53001, 'Signaling connection disconnected: the server is shutting down');
  }
}
