import type { Clock } from '../base/clock.ts';
import type { RecordingCallbackEvent } from './contract.ts';
import type { ParticipantCall, ParticipantRecord, RoomCallbackSender, RoomRecord, TrackRecord } from './model.ts';

/** Events of a room's StatusCallback (contract §7.9). */
export type RoomCallbackEvent =
  | 'room-created'
  | 'room-ended'
  | 'participant-connected'
  | 'participant-disconnected'
  | 'track-added'
  | 'track-removed'
  | 'track-enabled'
  | 'track-disabled'
  | RecordingCallbackEvent;

/** Tells one room's StatusCallback what happens in it. Without a callback URL it does nothing. */
export class RoomCallbacks {
  readonly #room: () => Readonly<RoomRecord>;
  readonly #sender: RoomCallbackSender;
  readonly #clock: Clock;
  #sequenceNumber = 0;

  constructor(room: () => Readonly<RoomRecord>, deps: { callbacks: RoomCallbackSender; clock: Clock }) {
    this.#room = room;
    this.#sender = deps.callbacks;
    this.#clock = deps.clock;
  }

  send(event: RoomCallbackEvent, about: { participant?: Readonly<ParticipantRecord>; track?: Readonly<TrackRecord>; parameters?: [name: string, value: string][] } = {}): void {
    const room = this.#room();
    if (room.statusCallback === null) return;
    const parameters: [string, string][] = [
      ['AccountSid', room.accountSid],
      ['RoomName', room.uniqueName],
      ['RoomSid', room.sid],
      ['RoomStatus', room.status],
      ['RoomType', room.type],
      ['StatusCallbackEvent', event],
      ['Timestamp', new Date(this.#clock.wallMs()).toISOString()],
      ['SequenceNumber', String(this.#sequenceNumber++)],
    ];
    if (event === 'room-ended') parameters.push(['RoomDuration', secondsOf(room.createdAtMs, room.endedAtMs)]);
    if (about.participant) parameters.push(...participantParameters(about.participant, event));
    if (about.track) parameters.push(['TrackSid', about.track.sid], ['TrackKind', about.track.kind]);
    parameters.push(...(about.parameters ?? []));
    this.#sender.send({ accountSid: room.accountSid, url: room.statusCallback, method: room.statusCallbackMethod, parameters });
  }
}

function participantParameters(participant: Readonly<ParticipantRecord>, event: RoomCallbackEvent): [string, string][] {
  const parameters: [string, string][] = [
    ['ParticipantSid', participant.sid],
    ['ParticipantStatus', participant.status],
    ['ParticipantIdentity', participant.identity],
  ];
  if (event === 'participant-disconnected') parameters.push(['ParticipantDuration', secondsOf(participant.startedAtMs, participant.endedAtMs)]);
  if (participant.call) parameters.push(...callParameters(participant.call));
  return parameters;
}

/** Not Twilio's: where the server is set to tell of phones. */
function callParameters({ sid, from, to }: ParticipantCall): [string, string][] {
  const numbers: [string, string | null][] = [['From', from], ['To', to]];
  return [['CallSid', sid], ...numbers.filter((pair): pair is [string, string] => pair[1] !== null)];
}

function secondsOf(startMs: number, endMs: number | null): string {
  return String(Math.max(0, Math.round(((endMs ?? startMs) - startMs) / 1000)));
}
