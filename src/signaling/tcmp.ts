import { z } from 'zod';

/** What the machine wants done, in this order. */
export interface TcmpOutput {
  /** Frames to be written. */
  frames: string[];
  /** Messages for the layer above. */
  bodies: unknown[];
  /** The connection is over: `left` said bye, `silent` was not heard of, `broken` does not speak the protocol, `turned-away` was told that we are busy. */
  ended: 'left' | 'silent' | 'broken' | 'turned-away' | null;
}

const frameShape = z.object({ type: z.string().max(32), version: z.number().optional(), timeout: z.number().optional(), cookie: z.unknown().optional(), body: z.unknown().optional() });
type Frame = z.infer<typeof frameShape>;

/** What a browser is told instead of a welcome (rsp §2). */
export interface Busy {
  /** When it may ask again, over another socket; null: not at all, its connect() rejects with 53006. */
  retryAfterMs: number | null;
  /** It shows this when it asks again. */
  cookie: string;
}

/** Whether a browser is let in now, by what its hello brings; null: it is. */
export type Admit = (hello: { cookie: unknown; body: unknown }) => Busy | null;

const HELLO_TIMEOUT_MS = 15_000;
const MIN_TIMEOUT_MS = 1000;
const DEFAULT_TIMEOUT_MS = 5000;
const MAX_TIMEOUT_MS = 30_000;
/** Silent for so many time-outs means gone. */
const MISSED = 3;
/** A browser that joins sends some ten frames at once; ICE candidates some dozens. */
const FRAME_BURST = 300;
const FRAMES_PER_S = 50;

/**
 * The framing under the room protocol (rsp §2), server side, one per WebSocket. Pure: text and time in, frames and messages out.
 * The driver calls `timeReached` when `dueMs` has come.
 */
export class TcmpServer {
  #timeoutMs = DEFAULT_TIMEOUT_MS;
  #welcomed = false;
  #helloBodySeen = false;
  #lastSentMs: number;
  #lastHeardMs: number;
  #budget = FRAME_BURST;
  #ended = false;
  readonly #admit: Admit;

  constructor(nowMs: number, admit: Admit = () => null) {
    this.#admit = admit;
    this.#lastSentMs = nowMs;
    this.#lastHeardMs = nowMs;
  }

  /** When something falls due. */
  get dueMs(): number {
    if (!this.#welcomed) return this.#lastHeardMs + HELLO_TIMEOUT_MS;
    return Math.min(this.#lastSentMs + this.#timeoutMs, this.#lastHeardMs + MISSED * this.#timeoutMs);
  }

  textReceived(text: string, nowMs: number): TcmpOutput {
    if (this.#ended) return output();
    if (!this.#withinBudget(nowMs)) return this.#end('broken', 'too many messages');
    const frame = parseFrame(text);
    if (!frame) return this.#end('broken', 'not a frame');
    if (this.#welcomed) this.#lastHeardMs = nowMs;
    switch (frame.type) {
      case 'hello':
        return this.#helloReceived(frame, nowMs);
      case 'msg':
        return this.#welcomed ? { ...output(), bodies: [frame.body] } : this.#end('broken', 'msg before hello');
      case 'bye':
        this.#ended = true;
        return { ...output(), ended: 'left' };
      case 'heartbeat':
        return output();
      default:
        return { ...output(), frames: [this.#sent({ type: 'bad', reason: 'unknown type' }, nowMs)] };
    }
  }

  #withinBudget(nowMs: number): boolean {
    const sinceMs = nowMs - this.#lastHeardMs;
    this.#budget = Math.min(FRAME_BURST, this.#budget + (sinceMs * FRAMES_PER_S) / 1000) - 1;
    return this.#budget >= 0;
  }

  /** A browser repeats its hello when the welcome takes long; the body counts once. */
  #helloReceived(frame: Frame, nowMs: number): TcmpOutput {
    const busy = this.#welcomed ? null : this.#admit({ cookie: frame.cookie, body: frame.body });
    if (busy) return this.#turnAway(busy);
    this.#welcomed = true;
    this.#lastHeardMs = nowMs;
    const wanted = frame.timeout ?? DEFAULT_TIMEOUT_MS;
    this.#timeoutMs = Math.min(Math.max(wanted, MIN_TIMEOUT_MS), MAX_TIMEOUT_MS);
    const frames = [this.#sent({ type: 'welcome', negotiatedTimeout: this.#timeoutMs }, nowMs)];
    const first = !this.#helloBodySeen && frame.body !== undefined;
    this.#helloBodySeen ||= first;
    return { ...output(), frames, bodies: first ? [frame.body] : [] };
  }

  #turnAway({ retryAfterMs, cookie }: Busy): TcmpOutput {
    this.#ended = true;
    const frame = { type: 'busy', cookie, keepAlive: false, retryAfter: retryAfterMs ?? -1 };
    return { frames: [JSON.stringify(frame)], bodies: [], ended: 'turned-away' };
  }

  /** A message of ours, as a frame. */
  message(body: unknown, nowMs: number): string {
    return this.#sent({ type: 'msg', body }, nowMs);
  }

  timeReached(nowMs: number): TcmpOutput {
    if (this.#ended) return output();
    if (!this.#welcomed) return nowMs >= this.dueMs ? this.#end('silent', 'no hello') : output();
    if (nowMs - this.#lastHeardMs >= MISSED * this.#timeoutMs) return this.#end('silent', 'no heartbeat');
    return nowMs - this.#lastSentMs >= this.#timeoutMs ? { ...output(), frames: [this.#sent({ type: 'heartbeat' }, nowMs)] } : output();
  }

  #sent(frame: object, nowMs: number): string {
    this.#lastSentMs = nowMs;
    return JSON.stringify(frame);
  }

  #end(ended: 'silent' | 'broken', reason: string): TcmpOutput {
    this.#ended = true;
    return { frames: ended === 'broken' ? [JSON.stringify({ type: 'bad', reason })] : [], bodies: [], ended };
  }
}

function output(): TcmpOutput {
  return { frames: [], bodies: [], ended: null };
}

function parseFrame(text: string): Frame | null {
  try {
    return frameShape.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
