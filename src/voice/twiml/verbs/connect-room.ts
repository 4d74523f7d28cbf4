import type { RoomDisconnectReason, RoomStay, RoomWishes } from '../../contract.ts';
import { textOf, type TwimlElement } from '../document.ts';
import { extensionKey } from '../extensions.ts';
import { NEXT_VERB, methodOf, type VerbContext, type VerbOutcome } from '../verb.ts';
import { untilRoomOpens } from './wait-for-room.ts';

/** `<Connect><Room>` (contract §3.2, §3.3), with our extensions. */
export async function connectRoom(room: TwimlElement, { element, context }: { element: TwimlElement; context: VerbContext }): Promise<VerbOutcome> {
  const roomName = textOf(room).trim();
  const gaveUp = await untilRoomOpens(room, { roomName, context });
  if (gaveUp) return gaveUp;
  const stay = await stayIn(room, { roomName, context });
  return stay && wasInRoom(stay.reason) ? afterwards(element, stay) : NEXT_VERB;
}

async function stayIn(room: TwimlElement, { roomName, context }: { roomName: string; context: VerbContext }): Promise<RoomStay | null> {
  const { accountSid } = context.call;
  // The room is looked up before a ringing call is answered: without one, the next verb decides (contract §14.4).
  if (!context.answered && !context.rooms.exists(accountSid, roomName)) return notThere(roomName, context);
  const phone = await context.answer(context.answered ? null : await context.rooms.mediaOf(accountSid, roomName));
  context.reached('connected');
  const identity = room.attributes['participantIdentity'] ?? '';
  const stay = await context.rooms.stay({ accountSid, call: context.call, roomName, identity: identity === '' ? null : identity, wishes: wishesOf(room), phone, signal: context.signal });
  if (stay.notification) context.report({ errorCode: stay.notification.errorCode, message: stay.notification.message, log: 0 });
  return stay;
}

function wishesOf({ attributes }: TwimlElement): RoomWishes {
  const isOn = (name: string): boolean => attributes[extensionKey(name)]?.toLowerCase() === 'true';
  return { muted: isOn('muted'), muteKeys: attributes[extensionKey('muteKeys')] ?? null, joinTone: isOn('joinTone'), leaveTone: isOn('leaveTone') };
}

function notThere(roomName: string, context: VerbContext): null {
  context.report({ errorCode: 53106, message: `Room not found: no room in progress is named '${roomName}'. <Connect> was skipped.`, log: 0 });
  return null;
}

function afterwards(element: TwimlElement, stay: RoomStay): VerbOutcome {
  const action = element.attributes['action']?.trim();
  if (action === undefined || action === '') return NEXT_VERB;
  return { next: 'document', reference: action, method: methodOf(element), parameters: stay.parameters };
}

const WITHOUT_A_STAY: readonly RoomDisconnectReason[] = ['room-not-found', 'room-full', 'phone-limit', 'room-type', 'identity-invalid', 'left'];

/** A call that never got in goes on with its next verb: `action` is for the end of a stay (contract §3.3, §14.2). */
function wasInRoom(reason: RoomDisconnectReason): boolean {
  return !WITHOUT_A_STAY.includes(reason);
}
