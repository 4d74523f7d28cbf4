import type { Clock } from '../../base/clock.ts';
import type { AccountSid, RoomSid } from '../../base/sid.ts';
import type { RoomCallbackSender } from '../../rooms/model.ts';
import { compositionSeconds } from './contract.ts';
import type { CompositionHookRecord, CompositionRecord, CompositionSpec } from './model.ts';

/** Events of compositions (contract §7.9). */
export type CompositionEvent = 'composition-enqueued' | 'composition-started' | 'composition-progress' | 'composition-available' | 'composition-failed';

export interface CompositionCallbackDeps {
  callbacks: RoomCallbackSender;
  clock: Clock;
}

/** Tells the StatusCallback of a composition how it goes; without one it does nothing. */
export class CompositionCallbacks {
  readonly #deps: CompositionCallbackDeps;

  constructor(deps: CompositionCallbackDeps) {
    this.#deps = deps;
  }

  /** `composition-enqueued` goes out for hooks only: who makes a composition over REST has the answer. */
  tell(event: CompositionEvent, record: Readonly<CompositionRecord>, more: [name: string, value: string][] = []): void {
    if (event === 'composition-enqueued' && record.hookSid === null) return;
    const uri = `/v1/Compositions/${record.sid}`;
    this.#send(event, record, [
      ['CompositionSid', record.sid],
      ['CompositionUri', uri],
      ...(record.hookSid === null ? [] : hookParameters(record.hookSid)),
      ...(event === 'composition-available' ? finished(record, uri) : []),
      ...more,
    ]);
  }

  /** No composition could be made for a room that ended. */
  hookFailed(hook: Readonly<CompositionHookRecord>, roomSid: RoomSid, message: string): void {
    this.#send('composition-hook-failed', { accountSid: hook.accountSid, roomSid, spec: hook.spec }, [...hookParameters(hook.sid), ['HookFriendlyName', hook.friendlyName], ['ErrorMessage', message]]);
  }

  #send(event: string, { accountSid, roomSid, spec }: { accountSid: AccountSid; roomSid: RoomSid; spec: CompositionSpec }, more: [name: string, value: string][]): void {
    if (spec.statusCallback === null) return;
    const parameters: [string, string][] = [
      ['AccountSid', accountSid],
      ['RoomSid', roomSid],
      ['StatusCallbackEvent', event],
      ['Timestamp', new Date(this.#deps.clock.wallMs()).toISOString()],
      ...more,
    ];
    this.#deps.callbacks.send({ accountSid, url: spec.statusCallback, method: spec.statusCallbackMethod, parameters });
  }
}

function hookParameters(sid: string): [name: string, value: string][] {
  return [['HookSid', sid], ['HookUri', `/v1/CompositionHooks/${sid}`]];
}

function finished(record: Readonly<CompositionRecord>, uri: string): [name: string, value: string][] {
  return [['MediaUri', `${uri}/Media`], ['Duration', String(compositionSeconds(record) ?? 0)], ['Size', String(record.bytes ?? 0)]];
}
