import type { Page } from 'playwright-core';
import type { ToneReport } from './tones.ts';
import { waitUntil, within } from './wait.ts';

/** A browser as a phone: the unmodified `jssip` package in a page. */

export interface BrowserPhoneEvent {
  name: string;
  cause?: string;
  status?: number | null;
}

export class BrowserPhone {
  readonly name: string;
  readonly #page: Page;
  readonly #close: () => Promise<void>;
  #console = '';

  constructor(name: string, page: Page, close: () => Promise<void>) {
    this.name = name;
    this.#page = page;
    this.#close = close;
  }

  note(line: string): void {
    this.#console += `${line}\n`;
  }

  log(): string {
    return this.#console.slice(-8000);
  }

  #call<T>(method: string, ...parameters: unknown[]): Promise<T> {
    const call = this.#page.evaluate(({ method, parameters }) => (globalThis as unknown as { phone: Record<string, (...p: unknown[]) => unknown> }).phone[method]!(...parameters), { method, parameters });
    return within(30_000, `phone.${method}() of page ${this.name}`, call as Promise<T>);
  }

  /** Opens the WebSocket and registers; resolves when that is settled, with the status of the last answer. */
  register(options: { wsUri: string; uri: string; password: string; toneHz: number }): Promise<{ status: number | null; cause?: string }> {
    return this.#call('register', options);
  }

  dial(target: string): Promise<void> {
    return this.#call('dial', target);
  }

  hangUp(): Promise<void> {
    return this.#call('hangUp');
  }

  /** Puts the call on hold and calls another one. */
  consult(target: string): Promise<void> {
    return this.#call('consult', target);
  }

  /** Hands the call on hold to the party that was consulted, by REFER with Replaces; resolves once that is settled. */
  transfer(): Promise<{ outcome: 'accepted' | 'refused' | 'failed'; status?: number | null; cause?: string }> {
    return this.#call('transfer');
  }

  hold(on: boolean): Promise<boolean> {
    return this.#call('hold', on);
  }

  press(digits: string): Promise<void> {
    return this.#call('press', digits);
  }

  /** Closes its WebSocket without a word. */
  cut(): Promise<void> {
    return this.#call('cut');
  }

  listen(ms: number, frequenciesHz: number[]): Promise<Record<number, ToneReport>> {
    return this.#call('listen', ms, frequenciesHz);
  }

  events(): Promise<BrowserPhoneEvent[]> {
    return this.#page.evaluate(() => (globalThis as unknown as { phone: { events: BrowserPhoneEvent[] } }).phone.events);
  }

  async waitEvent(name: string, { nth = 1, timeoutMs = 10_000 }: { nth?: number; timeoutMs?: number } = {}): Promise<BrowserPhoneEvent> {
    let seen: BrowserPhoneEvent[] = [];
    return waitUntil(async () => (seen = await this.events()).filter((event) => event.name === name)[nth - 1], { timeoutMs, what: () => `${name} no. ${nth} at page ${this.name}; it had ${JSON.stringify(seen)}\n${this.log()}` });
  }

  async waitHears(hz: number, timeoutMs = 10_000): Promise<void> {
    let last: unknown;
    await waitUntil(async () => ((last = await this.listen(500, [hz])) as Record<number, ToneReport>)[hz]!.share >= 0.8, { timeoutMs, what: () => `page ${this.name} to hear ${hz} Hz; it heard ${JSON.stringify(last)}\n${this.log()}` });
  }

  async stop(): Promise<void> {
    await within(5000, 'Closing a page', this.#close()).catch(() => undefined);
  }
}
