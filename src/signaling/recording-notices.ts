import type { TrackSid } from '../base/sid.ts';
import type { Participant } from '../rooms/contract.ts';

/**
 * What one browser is told of recordings: whether its room is being recorded and, if it asked, which of its own tracks the
 * recording lacks media of (rsp §3.4, §3.6).
 */
export class RecordingNotices {
  readonly #participant: Participant;
  readonly #wantsWarnings: boolean;
  readonly #unlisten: (() => void)[];
  #toldRevision = 0;
  #warned: TrackSid[] = [];
  #warningRevision = 0;

  constructor(participant: Participant, { wantsWarnings, changed }: { wantsWarnings: boolean; changed: () => void }) {
    this.#participant = participant;
    this.#wantsWarnings = wantsWarnings;
    const { recording } = participant.room;
    this.#unlisten = [
      recording.on('activeChanged', changed),
      recording.on('mediaChanged', (sid) => {
        if (participant.publications.has(sid)) changed();
      }),
    ];
  }

  /** For `connected` and `synced`. A browser that comes back keeps its warnings. */
  takeAll(): object {
    const { active, revision } = this.#participant.room.recording;
    this.#toldRevision = revision;
    return { is_recording: active, revision };
  }

  /** Null: nothing new. */
  take(): object | null {
    return this.#participant.room.recording.revision === this.#toldRevision ? null : this.takeAll();
  }

  /** A whole message, or null. */
  takeWarnings(): object | null {
    if (!this.#wantsWarnings) return null;
    const { publications, room } = this.#participant;
    const lacking = [...publications.keys()].filter((sid) => room.recording.lacksMedia(sid));
    const cleared = this.#warned.filter((sid) => publications.has(sid) && !lacking.includes(sid));
    const added = lacking.filter((sid) => !this.#warned.includes(sid));
    this.#warned = lacking;
    if (cleared.length + added.length === 0) return null;
    const states = [...added.map((sid) => [sid, { recordings: 'NO_MEDIA' }]), ...cleared.map((sid) => [sid, { recordings: 'OK' }])] as [string, object][];
    return { type: 'warning', version: 2, states: { revision: ++this.#warningRevision, tracks: Object.fromEntries(states) } };
  }

  close(): void {
    for (const unlisten of this.#unlisten) unlisten();
  }
}
