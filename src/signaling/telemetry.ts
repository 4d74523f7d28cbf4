import type { WebSocket } from 'ws';
import { z } from 'zod';
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, TwilioError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { newSid } from '../base/sid.ts';
import { verifyAccessToken, type TokenKeys } from './access-token.ts';
import { TelemetryDigest, type TelemetrySummary } from './telemetry-digest.ts';

/** What one browser reported, told once it is over. */
export interface TelemetryReport extends TelemetrySummary {
  accountSid: string;
  identity: string;
  roomSid: string;
  participantSid: string;
  /** `twilio-video.js 2.36.0`. */
  sdk: string;
  durationS: number;
}

export interface TelemetryDeps {
  clock: Clock;
  log: Log;
  keys: TokenKeys;
  /** Besides the line of the log. */
  reported?: (report: TelemetryReport) => void;
}

const HELLO_TIMEOUT_MS = 15_000;
/** The SDK sends some 20 events at once and then one or two in 10 s. */
const MAX_EVENTS_PER_MIN = 600;
const MAX_TROUBLES = 20;
const POLICY = 1008;
/** A browser whose network went away closes nothing: one that answers no ping for so long is gone. */
const PING_MS = 30_000;

const shortText = z.string().max(200).catch('');
const connectShape = z.object({
  type: z.literal('connect'),
  token: z.string().max(20_000),
  publisher: z.object({ name: shortText, sdkVersion: shortText, participantSid: shortText, roomSid: shortText }).partial().catch({}),
});
const eventShape = z.object({ type: z.literal('event'), group: z.string().max(64), name: z.string().max(64), payload: z.unknown() });
const troubleShape = z.object({ level: z.enum(['warning', 'error']) });
const messageShape = z.discriminatedUnion('type', [connectShape, eventShape]);

/** The gateway that one SDK reports its statistics to (rsp §6). Nothing but the greeting is ever expected from us. */
class TelemetrySocket {
  readonly #socket: WebSocket;
  readonly #deps: TelemetryDeps;
  #timer: Timer;
  #alive = true;
  readonly #digest = new TelemetryDigest();
  #about: Omit<TelemetryReport, keyof TelemetrySummary | 'durationS'> | null = null;
  #startedMs = 0;
  #minuteMs = 0;
  #inMinute = 0;
  #troubles = 0;
  #greeting = false;

  constructor(socket: WebSocket, deps: TelemetryDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#timer = deps.clock.after(HELLO_TIMEOUT_MS, () => socket.terminate());
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
    socket.on('pong', () => (this.#alive = true));
    socket.on('message', (data, isBinary) => this.#messageReceived(isBinary ? '' : String(data)));
  }

  #messageReceived(text: string): void {
    if (!this.#withinRate()) return this.#socket.close(POLICY);
    const message = parsed(text);
    if (message?.type === 'event') this.#eventReceived(message);
    else if (message?.type === 'connect' && !this.#greeting) {
      this.#greeting = true;
      this.#greet(message).catch((error: unknown) => this.#refuse(error));
    }
  }

  #withinRate(): boolean {
    const nowMs = this.#deps.clock.nowMs();
    if (nowMs - this.#minuteMs >= 60_000) [this.#minuteMs, this.#inMinute] = [nowMs, 0];
    return ++this.#inMinute <= MAX_EVENTS_PER_MIN;
  }

  async #greet({ token, publisher }: z.infer<typeof connectShape>): Promise<void> {
    const { clock, keys } = this.#deps;
    const { accountSid, identity } = await verifyAccessToken(token, { keys, nowMs: clock.wallMs(), expiredIsFine: true });
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#timer.cancel();
    this.#watch();
    this.#startedMs = clock.nowMs();
    const { name = '', sdkVersion = '', roomSid = '', participantSid = '' } = publisher;
    this.#about = { accountSid, identity, roomSid, participantSid, sdk: `${name} ${sdkVersion}`.trim() };
    this.#say({ type: 'connected', version: 1, session: newSid('HK').slice(2) });
  }

  #watch(): void {
    this.#timer = this.#deps.clock.after(PING_MS, () => {
      if (!this.#alive) return this.#socket.terminate();
      this.#alive = false;
      this.#socket.ping();
      this.#watch();
    });
  }

  #refuse(error: unknown): void {
    const message = error instanceof TwilioError ? error.message : 'Internal error';
    this.#deps.log.info({ reason: messageOf(error) }, 'the telemetry of a browser was refused');
    this.#say({ type: 'error', version: 1, message });
  }

  #say(message: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #eventReceived({ group, name, payload }: z.infer<typeof eventShape>): void {
    if (!this.#about) return;
    this.#digest.eventReceived({ group, name, payload });
    if (!troubleShape.safeParse(payload).success || ++this.#troubles > MAX_TROUBLES) return;
    const { roomSid, participantSid } = this.#about;
    this.#deps.log.info({ roomSid, participantSid, group, name }, 'a browser reports trouble');
  }

  #closed(): void {
    this.#timer.cancel();
    if (!this.#about) return;
    const { clock, log, reported } = this.#deps;
    const durationS = Math.round((clock.nowMs() - this.#startedMs) / 1000);
    const report = { ...this.#about, durationS, ...this.#digest.summary() };
    log.info({ ...report }, 'how it was for a browser');
    reported?.(report);
  }
}

export function telemetryOpened(socket: WebSocket, deps: TelemetryDeps): void {
  new TelemetrySocket(socket, deps);
}

function parsed(text: string): z.infer<typeof messageShape> | null {
  try {
    return messageShape.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
