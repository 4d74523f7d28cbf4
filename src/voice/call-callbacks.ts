import type { Clock } from '../base/clock.ts';
import { rfc2822 } from '../base/dates.ts';
import type { Detected } from './answered-by.ts';
import type { CallbackSender } from './contract.ts';
import type { CallEvent, CallRecord, HttpMethod, KeptStatusCallback } from './model.ts';

/** Who wants to know how a call goes on. */
export interface StatusCallback {
  url: string;
  method: HttpMethod;
  events: readonly CallEvent[];
  /** SequenceNumber of the first callback. Default 0. */
  sequence?: number;
}

export interface StatusNews {
  event: CallEvent;
  /** `initiated` exists in callbacks only. */
  callStatus: CallRecord['status'] | 'initiated';
  /** Extra parameters, those of the end. */
  parameters?: [name: string, value: string][];
}

type Refused = NonNullable<Parameters<CallbackSender['send']>[0]['refused']>;

/** Tells the steps of one call to its StatusCallback, numbered from 0 in the order they happened (contract §4.2). */
export class CallCallbacks {
  readonly #sender: CallbackSender;
  readonly #clock: Clock;
  readonly #record: Readonly<CallRecord>;
  readonly #standard: () => [name: string, value: string][];
  readonly #refused: Refused | undefined;
  #target: StatusCallback | null;
  #sequence: number;

  constructor(deps: { sender: CallbackSender; clock: Clock; record: Readonly<CallRecord>; parameters: () => [name: string, value: string][]; refused?: Refused }, target: StatusCallback | null) {
    this.#sender = deps.sender;
    this.#clock = deps.clock;
    this.#record = deps.record;
    this.#standard = deps.parameters;
    this.#refused = deps.refused;
    this.#target = target;
    this.#sequence = target?.sequence ?? 0;
  }

  /** Where the next callback goes, and under which number: what a restart must know. */
  get kept(): KeptStatusCallback | null {
    const target = this.#target;
    return target && { url: target.url, method: target.method, events: target.events, sequence: this.#sequence };
  }

  /** A REST update named another receiver; its events stay. */
  retarget(change: { url?: string; method?: HttpMethod }): void {
    const { url, method, events } = this.#target ?? { url: '', method: 'POST' as const, events: ['completed' as const] };
    const next = { url: change.url ?? url, method: change.method ?? method, events };
    this.#target = next.url === '' ? null : next;
  }

  tell({ event, callStatus, parameters = [] }: StatusNews): void {
    const target = this.#target;
    if (!target?.events.includes(event)) return;
    this.#sender.send({
      accountSid: this.#record.accountSid,
      url: target.url,
      method: target.method,
      parameters: [
        ...this.#standard().map(([name, value]): [string, string] => [name, name === 'CallStatus' ? callStatus : value]),
        ['CallbackSource', 'call-progress-events'],
        ['SequenceNumber', String(this.#sequence++)],
        ['Timestamp', rfc2822(this.#clock.wallMs())],
        ...parameters,
      ],
      ...(this.#refused ? { refused: this.#refused } : {}),
    });
  }
}

/** CallDuration in seconds; Duration in begun minutes for a completed call; the SIP answer where there was one. */
export function endParameters(record: Readonly<CallRecord>, sipStatusCode?: number): [name: string, value: string][] {
  const seconds = durationS(record);
  const parameters: [string, string][] = [['CallDuration', String(seconds)]];
  if (record.status === 'completed') parameters.push(['Duration', String(Math.max(1, Math.ceil(seconds / 60)))]);
  if (sipStatusCode !== undefined) parameters.push(['SipResponseCode', String(sipStatusCode)]);
  return parameters;
}

/** What AsyncAmdStatusCallback is told; the duration in ms. */
export function machineParameters(record: Readonly<CallRecord>, { answeredBy, durationMs }: Detected): [name: string, value: string][] {
  return [
    ['CallSid', record.sid],
    ['AccountSid', record.accountSid],
    ['AnsweredBy', answeredBy],
    ['MachineDetectionDuration', String(durationMs)],
  ];
}

function durationS(record: Readonly<CallRecord>): number {
  if (record.answeredAtMs === null || record.endedAtMs === null) return 0;
  return Math.max(0, Math.round((record.endedAtMs - record.answeredAtMs) / 1000));
}
