import type { PhoneMedia } from '../../media/protocol.ts';
import { LiveStream, type StreamDeps } from './live-stream.ts';
import type { StreamSpec } from './stream-spec.ts';

const MAX_FORKED = 4;
/** Streams that are over are known until their call ends, the latest ones. */
const MAX_KEPT = 100;

/** The media streams of one call. */
export class CallStreams {
  readonly #deps: StreamDeps;
  /** In the order they were opened. */
  readonly #streams: LiveStream[] = [];
  #callOver = false;

  constructor(deps: StreamDeps) {
    this.#deps = deps;
  }

  /** Why another stream cannot be opened, in words; null when it can. */
  refusalOf(name: string | null, { bidirectional }: { bidirectional: boolean }): string | null {
    const live = this.#streams.filter((stream) => stream.live);
    if (this.#callOver) return 'the call is over';
    if (name !== null && live.some((stream) => stream.name === name)) return `the call has a stream named '${name}' already`;
    if (bidirectional) return live.some((stream) => stream.bidirectional) ? 'the call has a bidirectional stream already' : null;
    return live.filter((stream) => !stream.bidirectional).length >= MAX_FORKED ? `the call has ${MAX_FORKED} streams already` : null;
  }

  /** To be asked for `refusalOf` before. */
  open(spec: StreamSpec, options: { phone: PhoneMedia; bidirectional: boolean }): LiveStream {
    const stream = new LiveStream(spec, { ...options, deps: this.#deps });
    this.#streams.push(stream);
    if (this.#streams.length > MAX_KEPT) this.#forgetOne();
    return stream;
  }

  /** By SID or name; of several that had a name, the one that lives, else the latest. */
  find(sidOrName: string): LiveStream | null {
    const bySid = this.#streams.find(({ sid }) => sid === sidOrName);
    const named = this.#streams.filter(({ name }) => name === sidOrName);
    return bySid ?? named.find(({ live }) => live) ?? named.at(-1) ?? null;
  }

  /** All end with their call. */
  callEnded(): void {
    this.#callOver = true;
    for (const stream of this.#streams) stream.stop();
  }

  #forgetOne(): void {
    const index = this.#streams.findIndex(({ live }) => !live);
    if (index >= 0) this.#streams.splice(index, 1);
  }
}
