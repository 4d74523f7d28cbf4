import type { ParticipantSid } from '../base/sid.ts';
import type { Participant } from '../rooms/contract.ts';

/** What one browser knows of the others in its room, with the revisions it has been told (rsp §3.4). */
export class Neighbours {
  readonly #revisions = new Map<ParticipantSid, number>();
  readonly #changed = new Map<ParticipantSid, Participant>();

  /** Something about it changed: told with the next `take`. */
  touch(participant: Participant): void {
    this.#changed.set(participant.sid, participant);
  }

  /** `participants` of an update: those that changed, in the order they changed; null when none did. */
  take(): object[] | null {
    if (this.#changed.size === 0) return null;
    const states = [...this.#changed.values()].map((participant) => this.#stateOf(participant));
    this.#changed.clear();
    return states;
  }

  /** `participants` of connected and synced: all of them. */
  takeAll(participants: Iterable<Participant>): object[] {
    this.#changed.clear();
    return [...participants].map((participant) => this.#stateOf(participant));
  }

  #stateOf(participant: Participant): object {
    const { sid, identity, record } = participant;
    const revision = (this.#revisions.get(sid) ?? 0) + 1;
    // A SID never comes back once it has left.
    if (record.status === 'disconnected') this.#revisions.delete(sid);
    else this.#revisions.set(sid, revision);
    const tracks = [...participant.publications.values()].map(({ sid, name, kind, enabled, priority }) => ({ sid, name, kind, enabled, priority }));
    return { sid, identity, state: record.status, revision, tracks };
  }
}
