import type { Clock } from '../base/clock.ts';
import { newSid } from '../base/sid.ts';
import type { CallEventRecord, CallRecord, CallRepository, HttpMethod, NotificationRecord } from './model.ts';

/** One webhook exchange as the debugger shows it. */
export interface Exchange {
  method: HttpMethod;
  url: string;
  parameters: readonly (readonly [name: string, value: string])[];
  /** Null when nothing came back. */
  statusCode: number | null;
  contentType: string | null;
  responseHeaders: Readonly<Record<string, string>>;
  responseBody: string;
  durationMs: number;
}

export interface Problem {
  /** Twilio's number (contract §12). */
  errorCode: number;
  message: string;
  /** 0 = error, 1 = warning. */
  log: 0 | 1;
  exchange?: Exchange | undefined;
}

/** Writes the Notifications and Events of one call (contract §5.4). */
export class CallJournal {
  readonly #repository: CallRepository;
  readonly #clock: Clock;
  readonly #record: Readonly<CallRecord>;

  constructor(repository: CallRepository, clock: Clock, record: Readonly<CallRecord>) {
    this.#repository = repository;
    this.#clock = clock;
    this.#record = record;
  }

  problem({ errorCode, message, log, exchange }: Problem): void {
    const notification: NotificationRecord = {
      sid: newSid('NO'),
      accountSid: this.#record.accountSid,
      callSid: this.#record.sid,
      log,
      errorCode,
      messageText: message,
      messageAtMs: this.#clock.wallMs(),
      requestMethod: exchange?.method ?? null,
      requestUrl: exchange?.url ?? null,
      requestVariables: exchange ? new URLSearchParams(exchange.parameters.map(([name, value]): [string, string] => [name, value])).toString() : '',
      responseBody: exchange?.responseBody ?? '',
      responseHeaders: exchange ? Object.entries(exchange.responseHeaders).map(([name, value]) => `${name}: ${value}`).join('\n') : '',
    };
    this.#repository.saveNotification(notification);
  }

  exchanged(exchange: Exchange, validTwiml: boolean): void {
    const event: CallEventRecord = {
      callSid: this.#record.sid,
      atMs: this.#clock.wallMs(),
      request: { method: exchange.method, url: exchange.url, parameters: Object.fromEntries(exchange.parameters) },
      response: { responseCode: exchange.statusCode, contentType: exchange.contentType, responseBody: exchange.responseBody, requestDurationMs: Math.round(exchange.durationMs), validTwiml },
    };
    this.#repository.saveEvent(event);
  }
}
