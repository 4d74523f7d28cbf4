import type { TrackSid } from '../../base/sid.ts';

/** One message of a data track, as it came: text or binary. */
export type DataMessage = string | Buffer;

/** One subscription to a data track. */
export interface DataSink {
  /** One message of the track, in the order of their coming. Never throws. */
  messageRelayed(message: DataMessage): void;
}

/** The data tracks of one room: what comes in under a SID goes to everybody who subscribed to it. */
export class DataRelay {
  readonly #sinks = new Map<TrackSid, Set<DataSink>>();

  publish(trackSid: TrackSid, message: DataMessage): void {
    const sinks = this.#sinks.get(trackSid);
    if (sinks) for (const sink of sinks) sink.messageRelayed(message);
  }

  /** Works before the track is there. The returned function ends it. */
  subscribe(trackSid: TrackSid, sink: DataSink): () => void {
    let sinks = this.#sinks.get(trackSid);
    if (!sinks) this.#sinks.set(trackSid, (sinks = new Set()));
    sinks.add(sink);
    return () => this.#unsubscribe(trackSid, sink);
  }

  #unsubscribe(trackSid: TrackSid, sink: DataSink): void {
    const sinks = this.#sinks.get(trackSid);
    sinks?.delete(sink);
    if (sinks?.size === 0) this.#sinks.delete(trackSid);
  }
}

/** Size of a message on the wire. */
export function bytesOf(message: DataMessage): number {
  return typeof message === 'string' ? Buffer.byteLength(message) : message.length;
}
