import type { Clock } from '../base/clock.ts';
import { TwilioError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AccountSid } from '../base/sid.ts';
import type { RoomMedia } from '../media/protocol.ts';
import type { Participant, Room, Rooms } from '../rooms/contract.ts';
import type { LeaveReason, ParticipantCall } from '../rooms/model.ts';
import type { RoomConnector, RoomDisconnectReason, RoomStay } from '../voice/contract.ts';
import { followMute } from './phone-mute.ts';
import { RoomTones } from './room-tones.ts';
import { followRules, heardBy } from './subscribe-rules.ts';

/** What rooms tell of a phone's call: nothing, its SID, or its SID and numbers. */
export type PhoneAttributes = 'off' | 'sid' | 'numbers';

export interface RoomConnectorDeps {
  rooms: Rooms;
  attributes: PhoneAttributes;
  clock: Clock;
  log: Log;
}

interface Deps extends RoomConnectorDeps {
  tones: RoomTones;
}

type StayOptions = Parameters<RoomConnector['stay']>[0];

/** Makes phones participants of rooms (contract §3.3). The one place that knows both a call's leg and a room. */
export function createRoomConnector(connectorDeps: RoomConnectorDeps): RoomConnector {
  const deps: Deps = { ...connectorDeps, tones: new RoomTones(connectorDeps.log) };
  return {
    exists: (accountSid, roomName) => deps.rooms.find(accountSid, roomName) !== null,
    whenOpen: (accountSid, roomName, signal) => whenOpen(deps.rooms, { accountSid, roomName, signal }),
    mediaOf: (accountSid, roomName) => mediaOf(deps, deps.rooms.find(accountSid, roomName)),
    stay: (options) => stay(deps, options),
  };
}

function whenOpen(rooms: Rooms, { accountSid, roomName, signal }: { accountSid: AccountSid; roomName: string; signal: AbortSignal }): Promise<void> {
  if (signal.aborted || rooms.find(accountSid, roomName)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      forget();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const forget = rooms.onOpened(() => {
      if (rooms.find(accountSid, roomName)) done();
    });
    signal.addEventListener('abort', done, { once: true });
  });
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
    return await stayIn(room, { ...options, media }, deps);
  } catch (error) {
    if (error instanceof TwilioError) return { ...ended(refusalReason(error), room, null), notification: { errorCode: error.code, message: error.message } };
    log.error({ callSid: options.call.sid, roomSid: room.sid, error: messageOf(error) }, 'a phone could not join a room');
    return ended('media-lost', room, null);
  }
}

/** Throws what `Room.join` throws, before anything was changed. */
async function stayIn(room: Room, options: StayOptions & { media: RoomMedia }, deps: Deps): Promise<RoomStay> {
  const { phone, signal, identity, call } = options;
  const { log, attributes } = deps;
  const participant = room.join({ identity, medium: 'phone', call: toldOf(call, attributes) });
  const left = new Promise<LeaveReason>((resolve) => participant.once('disconnected', resolve));
  const leave = (): void => participant.disconnect('left');
  signal.addEventListener('abort', leave, { once: true });
  const forget = [phone.once('lost', () => participant.disconnect('media-lost'))];
  try {
    forget.push(await takeSeat(participant, options, deps));
    const reason = await left;
    // A call that hangs up closes its media itself.
    if (!signal.aborted) await phone.leaveRoom();
    return ended(reasonOf(reason), room, participant);
  } catch (error) {
    // The leg's media went away under the call; the call hears of it itself.
    log.warn({ callSid: call.sid, roomSid: room.sid, error: messageOf(error) }, 'a phone lost its media in a room');
    participant.disconnect('media-lost');
    return ended(signal.aborted ? 'left' : 'media-lost', room, participant);
  } finally {
    signal.removeEventListener('abort', leave);
    for (const one of forget) one();
  }
}

function toldOf({ sid, from, to }: StayOptions['call'], attributes: PhoneAttributes): ParticipantCall | null {
  if (attributes === 'off') return null;
  return attributes === 'sid' ? { sid, from: null, to: null } : { sid, from, to };
}

/** Publishes the phone, lets it hear the room, and follows what changes both; until the returned function is called. */
async function takeSeat(participant: Participant, options: StayOptions & { media: RoomMedia }, { clock, log, tones }: Deps): Promise<() => void> {
  const { phone, media, call, wishes } = options;
  const track = participant.publish({ kind: 'audio', name: '', enabled: !wishes.muted });
  log.info({ callSid: call.sid, roomSid: participant.room.sid, participantSid: participant.sid }, 'a phone joins a room');
  const joining = phone.joinRoom(media, { trackSid: track.sid, voice: { hears: heardBy(participant), muted: wishes.muted } });
  // What changes before it is in takes effect right after.
  const forget = [followMute({ participant, track, phone, muteKeys: wishes.muteKeys, clock, log }), followRules(participant, { phone, log })];
  const leave = (): void => forget.forEach((one) => one());
  try {
    await joining;
    participant.mediaStats = () => phone.stats();
    forget.push(tones.ask(participant, media, wishes));
  } catch (error) {
    leave();
    throw error;
  }
  return leave;
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
