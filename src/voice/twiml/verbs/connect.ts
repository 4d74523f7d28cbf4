import type { RoomDisconnectReason, RoomStay } from '../../contract.ts';
import { textOf, type TwimlElement } from '../document.ts';
import { streamsIn } from '../stream-noun.ts';
import { NEXT_VERB, methodOf, type Verb, type VerbContext, type VerbOutcome } from '../verb.ts';
import { connectStream } from './connect-stream.ts';

/** `<Connect><Room>` (contract §3.2, §3.3) and `<Connect><Stream>`. Other nouns were taken out with a warning before; then the verb ends at once. */
export const connect: Verb = async (element, context) => {
  const [stream] = streamsIn(element);
  if (stream) return await connectStream(stream, { element, context });
  const room = element.children.find((child): child is TwimlElement => typeof child !== 'string' && child.name === 'Room');
  if (!room) return NEXT_VERB;
  const stay = await stayIn(room, context);
  return stay && wasInRoom(stay.reason) ? afterwards(element, stay) : NEXT_VERB;
};

async function stayIn(room: TwimlElement, context: VerbContext): Promise<RoomStay | null> {
  const { accountSid, sid } = context.call;
  const roomName = textOf(room).trim();
  // The room is looked up before a ringing call is answered: without one, the next verb decides (contract §14.4).
  if (!context.answered && !context.rooms.exists(accountSid, roomName)) return notThere(roomName, context);
  const phone = await context.answer(context.answered ? null : await context.rooms.mediaOf(accountSid, roomName));
  context.reached('connected');
  const identity = room.attributes['participantIdentity'] ?? '';
  const stay = await context.rooms.stay({ accountSid, callSid: sid, roomName, identity: identity === '' ? null : identity, phone, signal: context.signal });
  if (stay.notification) context.report({ errorCode: stay.notification.errorCode, message: stay.notification.message, log: 0 });
  return stay;
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
