import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { newSid, type StreamSid } from '../../base/sid.ts';
import type { MediaStream, PhoneMedia, StreamEndReason, StreamWarning } from '../../media/protocol.ts';
import type { CallJournal } from '../call-journal.ts';
import type { CallbackSender } from '../contract.ts';
import type { CallRecord } from '../model.ts';
import type { NetworkPolicy } from '../webhook/network-policy.ts';
import { signRequest } from '../webhook/signature.ts';
import { streamAddresses } from '../webhook/stream-addresses.ts';
import type { StreamSpec } from './stream-spec.ts';

export interface StreamDeps {
  record: Readonly<CallRecord>;
  authToken: string;
  clock: Clock;
  callbacks: CallbackSender;
  journal: CallJournal;
  network: NetworkPolicy;
}

/** Why a stream ended though nobody of ours ended it. */
export interface StreamError {
  code: number;
  message: string;
}

type StreamEvent = 'stream-started' | 'stream-stopped' | 'stream-error';

/** Peers that are through with a conversation close like this (RFC 6455 §7.4.1): done, going away, no code. */
const ORDERLY_CLOSE = /^(1000|1001|1005)\b/;
const WARNING_CODES: Readonly<Record<StreamWarning, number>> = { 'invalid-message': 31951, 'buffer-overflow': 31930 };

/** One media stream of a call: opens at once, in the background; tells its StatusCallback; ends once. */
export class LiveStream {
  readonly sid: StreamSid = newSid('MZ');
  readonly name: string | null;
  readonly bidirectional: boolean;
  /** Resolves when it is over; with null when that was nobody's fault. */
  readonly ended: Promise<StreamError | null>;
  readonly #deps: StreamDeps;
  readonly #spec: StreamSpec;
  #updatedAtMs: number;
  #media: MediaStream | null = null;
  #over = false;
  #resolve: (error: StreamError | null) => void = () => undefined;

  constructor(spec: StreamSpec, { phone, bidirectional, deps }: { phone: PhoneMedia; bidirectional: boolean; deps: StreamDeps }) {
    this.name = spec.name;
    this.bidirectional = bidirectional;
    this.#spec = spec;
    this.#deps = deps;
    this.#updatedAtMs = deps.clock.wallMs();
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    void this.#open(phone).catch((error: unknown) => this.#end({ code: 31901, message: messageOf(error) }));
  }

  get live(): boolean {
    return !this.#over;
  }

  get updatedAtMs(): number {
    return this.#updatedAtMs;
  }

  /** Ends it, whatever it is doing; idempotent. */
  stop(): void {
    this.#end(null);
  }

  async #open(phone: PhoneMedia): Promise<void> {
    const { record, network } = this.#deps;
    const { url, track, parameters } = this.#spec;
    const reachable = await streamAddresses(url, network);
    if (this.#over) return;
    if (reachable.kind === 'none') return this.#end({ code: 31901, message: `The stream's server cannot be reached: ${reachable.problem}` });
    const media = await phone.openStream({
      url,
      track,
      bidirectional: this.bidirectional,
      streamSid: this.sid,
      accountSid: record.accountSid,
      callSid: record.sid,
      parameters,
      headers: { 'X-Twilio-Signature': signRequest({ url, parameters: [], authToken: this.#deps.authToken }) },
      ...(reachable.kind === 'these' ? { addresses: reachable.addresses } : {}),
    });
    if (this.#over) return void media.stop();
    this.#media = media;
    media.on('started', () => this.#tell('stream-started'));
    media.on('warned', (warning, detail) => this.#deps.journal.problem({ errorCode: WARNING_CODES[warning], message: `Stream ${this.sid}: ${detail}`, log: 1 }));
    media.on('ended', (...ending) => this.#end(this.#errorOf(...ending)));
    if (media.ending) this.#end(this.#errorOf(...media.ending));
  }

  #errorOf(reason: StreamEndReason, detail: string): StreamError | null {
    switch (reason) {
      case 'stopped':
      case 'phone-closed':
        return null;
      case 'remote-closed':
        return this.bidirectional && ORDERLY_CLOSE.test(detail) ? null : { code: 31921, message: `The stream's server closed the connection (${detail})` };
      case 'refused':
        return { code: 31920, message: `The WebSocket handshake failed: ${detail}` };
      case 'protocol':
        return { code: 31924, message: `The stream's server broke the WebSocket protocol: ${detail}` };
      case 'unreachable':
        return { code: /certificate|ssl|tls/i.test(detail) ? 31910 : 31901, message: `The stream's server cannot be reached: ${detail}` };
      case 'lost':
        return { code: 31930, message: `The stream was given up: ${detail}` };
    }
  }

  #end(error: StreamError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#updatedAtMs = this.#deps.clock.wallMs();
    void this.#media?.stop();
    if (error) this.#deps.journal.problem({ errorCode: error.code, message: error.message, log: 0 });
    this.#tell(error ? 'stream-error' : 'stream-stopped', error);
    this.#resolve(error);
  }

  #tell(event: StreamEvent, error: StreamError | null = null): void {
    const { record, callbacks, clock, journal } = this.#deps;
    const target = this.#spec.statusCallback;
    if (!target) return;
    callbacks.send({
      accountSid: record.accountSid,
      ...target,
      parameters: [
        ['AccountSid', record.accountSid],
        ['CallSid', record.sid],
        ['StreamSid', this.sid],
        ['StreamName', this.name ?? this.sid],
        ['StreamEvent', event],
        ...(error ? [['StreamError', error.message] as [string, string]] : []),
        ['Timestamp', new Date(clock.wallMs()).toISOString()],
      ],
      refused: ({ errorCode, message, url }) => journal.problem({ errorCode, message: `${message} (${url})`, log: 1 }),
    });
  }
}
