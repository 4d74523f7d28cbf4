import { TwilioError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TrackSid } from '../base/sid.ts';
import type { RoomMedia } from '../media/protocol.ts';
import type { Participant, Room, Rooms } from '../rooms/contract.ts';
import type { LeaveReason } from '../rooms/model.ts';
import { includesAll } from '../rooms/track-rules.ts';
import type { RoomConnector, RoomDisconnectReason, RoomStay } from '../voice/contract.ts';

interface Deps {
  rooms: Rooms;
  log: Log;
}

type StayOptions = Parameters<RoomConnector['stay']>[0];

/** Makes phones participants of rooms (contract §3.3). The one place that knows both a call's leg and a room. */
export function createRoomConnector(deps: Deps): RoomConnector {
  return {
    exists: (accountSid, roomName) => deps.rooms.find(accountSid, roomName) !== null,
    mediaOf: (accountSid, roomName) => mediaOf(deps, deps.rooms.find(accountSid, roomName)),
    stay: (options) => stay(deps, options),
  };
}

async function mediaOf({ log }: Deps, room: Room | null): Promise<RoomMedia | null> {
  try {
    return room ? await room.media() : null;
  } catch (error) {
    log.warn({ roomSid: room?.sid, error: messageOf(error) }, 'a room has no media to open a phone beside');
    return null;
  }
}

async function stay(deps: Deps, options: StayOptions): Promise<RoomStay> {
  const { rooms, log } = deps;
  const room = rooms.find(options.accountSid, options.roomName);
  if (!room) return refusal('room-not-found', { errorCode: 53106, message: `Room ${JSON.stringify(options.roomName)} is not in progress: the call goes on without it` });
  const media = await mediaOf(deps, room);
  if (options.signal.aborted) return ended('left', room, null);
  if (!media) return ended('media-lost', room, null);
  try {
    return await stayIn(room, { ...options, media, log });
  } catch (error) {
    if (error instanceof TwilioError) return { ...ended(refusalReason(error), room, null), notification: { errorCode: error.code, message: error.message } };
    log.error({ callSid: options.callSid, roomSid: room.sid, error: messageOf(error) }, 'a phone could not join a room');
    return ended('media-lost', room, null);
  }
}

/** Throws what `Room.join` throws, before anything was changed. */
async function stayIn(room: Room, options: StayOptions & { media: RoomMedia; log: Log }): Promise<RoomStay> {
  const { phone, signal, log, callSid } = options;
  const participant = room.join({ identity: options.identity, medium: 'phone' });
  const left = new Promise<LeaveReason>((resolve) => participant.once('disconnected', resolve));
  const leave = (): void => participant.disconnect('left');
  signal.addEventListener('abort', leave, { once: true });
  const forgetLoss = phone.once('lost', () => participant.disconnect('media-lost'));
  try {
    const track = participant.publish({ kind: 'audio', name: '' });
    log.info({ callSid, roomSid: room.sid, participantSid: participant.sid }, 'a phone joins a room');
    await phone.joinRoom(options.media, { trackSid: track.sid, voice: { hears: heardBy(participant) } });
    const forgetRules = followRules(participant, (hears) => void phone.setRoomVoice({ hears }).catch((error: unknown) => log.debug({ callSid, error: messageOf(error) }, 'a phone could not follow its subscribe rules')));
    const reason = await left.finally(forgetRules);
    // A call that hangs up closes its media itself.
    if (!signal.aborted) await phone.leaveRoom();
    return ended(reasonOf(reason), room, participant);
  } catch (error) {
    // The leg's media went away under the call; the call hears of it itself.
    log.warn({ callSid, roomSid: room.sid, error: messageOf(error) }, 'a phone lost its media in a room');
    participant.disconnect('media-lost');
    return ended(signal.aborted ? 'left' : 'media-lost', room, participant);
  } finally {
    signal.removeEventListener('abort', leave);
    forgetLoss();
  }
}

/** Tracks that a phone hears by its subscribe rules; null: all. */
function heardBy(participant: Participant): TrackSid[] | null {
  if (includesAll(participant.subscribeRules.rules)) return null;
  const heard: TrackSid[] = [];
  for (const publisher of participant.room.participants.values()) {
    for (const track of publisher.publications.values()) if (track.kind === 'audio' && participant.subscribesTo(publisher, track)) heard.push(track.sid);
  }
  return heard;
}

/** Tells what the phone is to hear whenever that may have changed, until the returned function is called. */
function followRules(participant: Participant, apply: (hears: TrackSid[] | null) => void): () => void {
  const { room } = participant;
  let told = JSON.stringify(heardBy(participant));
  const look = (): void => {
    const hears = heardBy(participant);
    const text = JSON.stringify(hears);
    if (text !== told) apply(hears);
    told = text;
  };
  const forget = [participant.on('subscribeRulesChanged', look), room.on('trackPublished', look), room.on('trackUnpublished', look)];
  return () => forget.forEach((one) => one());
}

function reasonOf(reason: LeaveReason): RoomDisconnectReason {
  switch (reason) {
    case 'server-stopped':
    case 'connection-lost':
      return 'room-completed';
    default:
      return reason;
  }
}

function refusalReason(error: TwilioError): RoomDisconnectReason {
  switch (error.code) {
    case 53105:
      return error.details?.['phoneLimit'] === true ? 'phone-limit' : 'room-full';
    case 53108:
      return 'room-type';
    case 53118:
      return 'room-completed';
    default:
      return 'identity-invalid';
  }
}

function refusal(reason: RoomDisconnectReason, notification: { errorCode: number; message: string }): RoomStay {
  return { reason, parameters: [['RoomDisconnectReason', reason]], notification };
}

/** What `<Connect action>` tells about the stay (contract §14.1). */
function ended(reason: RoomDisconnectReason, room: Room, participant: Participant | null): RoomStay {
  const parameters: [string, string][] = [
    ['RoomSid', room.sid],
    ['RoomName', room.uniqueName],
  ];
  if (participant) parameters.push(['ParticipantSid', participant.sid], ['ParticipantIdentity', participant.identity]);
  parameters.push(['RoomDisconnectReason', reason]);
  return { reason, parameters };
}
