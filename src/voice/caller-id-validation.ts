import { randomInt } from 'node:crypto';
import { TwilioError } from '../base/errors.ts';
import { newSid, type AccountSid, type NumberSid } from '../base/sid.ts';
import type { CallbackSender } from './contract.ts';
import { e164Of } from './dial-plan/number.ts';
import type { LiveCalls } from './calls.ts';
import type { CallRecord, DirectoryRepository, HttpMethod } from './model.ts';
import type { WebhookAnswer, WebhookClient, WebhookRequest } from './webhook/client.ts';
import { callParameters } from './webhook/parameters.ts';
import { resolveUrl } from './webhook/target.ts';
import type { Clock } from '../base/clock.ts';

export interface ValidationOptions {
  phoneNumber: string;
  friendlyName: string;
  /** Seconds to wait before calling, as text. Default 0. */
  callDelay?: string;
  /** Keys to send once somebody answers. */
  extension?: string;
  statusCallback?: string;
  statusCallbackMethod?: string;
}

/** What the customer is to type into the phone that rings. */
export interface ValidationRequest {
  accountSid: AccountSid;
  callSid: CallRecord['sid'];
  friendlyName: string;
  phoneNumber: string;
  validationCode: string;
}

/** What api/ sees. */
export interface CallerIdValidator {
  /**
   * Calls the number and asks for a code of six digits; the number is a verified caller id once it was typed in. Throws 21401
   * (no number), 21449 (a number of the account), 21450 (verified already), 21454 (delay), 21206 (extension), 21456
   * (StatusCallback), 21403 (its method), 21214 (nothing to call numbers with).
   */
  validate(accountSid: AccountSid, options: ValidationOptions): Promise<ValidationRequest>;
}

interface Deps {
  clock: Clock;
  live: LiveCalls;
  directory: DirectoryRepository;
  callbacks: CallbackSender;
}

const MAX_DELAY_S = 60;
const CALL_LIMIT_S = 180;
const DEFAULT_METHOD = 'POST';

/** Verifies caller ids by a call (contract §5.1: From is an own number or a verified one). */
export class CallerIdValidations implements CallerIdValidator {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async validate(accountSid: AccountSid, options: ValidationOptions): Promise<ValidationRequest> {
    const { live, directory } = this.#deps;
    const phoneNumber = this.#unverified(accountSid, options.phoneNumber);
    const delayMs = delayOf(options.callDelay) * 1000;
    const callback = callbackOf(options);
    const validationCode = String(randomInt(1_000_000)).padStart(6, '0');
    const dialogue = new CodeDialogue(validationCode, () => this.#verified(accountSid, { phoneNumber, friendlyName: options.friendlyName }));
    const record = await live.place(
      accountSid,
      { to: phoneNumber, from: directory.numbers(accountSid)[0]?.phoneNumber ?? 'anonymous', url: CodeDialogue.url, timeLimit: String(CALL_LIMIT_S), sendDigits: options.extension ?? '', other: {} },
      { client: dialogue, delayMs, ended: (ended) => this.#tell(ended, { callback, callerIdSid: dialogue.callerIdSid }) },
    );
    return { accountSid, callSid: record.sid, friendlyName: options.friendlyName, phoneNumber, validationCode };
  }

  #unverified(accountSid: AccountSid, text: string): string {
    const number = e164Of(text.trim());
    if (number === null || !text.trim().startsWith('+')) throw new TwilioError(21401, `PhoneNumber ${text} is not a valid number: E.164, with its +`);
    if (this.#deps.directory.numberByDigits(number)?.accountSid === accountSid) throw new TwilioError(21449, `PhoneNumber ${number} is a number of this account: it can be used already`);
    if (this.#find(accountSid, number)) throw new TwilioError(21450, `PhoneNumber ${number} is verified already`);
    return number;
  }

  #find(accountSid: AccountSid, number: string): NumberSid | null {
    return this.#deps.directory.callerIds(accountSid).find(({ phoneNumber }) => phoneNumber === number)?.sid ?? null;
  }

  /** Two calls may verify the same number: it is kept once. */
  async #verified(accountSid: AccountSid, { phoneNumber, friendlyName }: { phoneNumber: string; friendlyName: string }): Promise<NumberSid> {
    const known = this.#find(accountSid, phoneNumber);
    if (known) return known;
    const sid = newSid('PN');
    const nowMs = this.#deps.clock.wallMs();
    await this.#deps.directory.saveCallerId({ sid, accountSid, phoneNumber, friendlyName, createdAtMs: nowMs, updatedAtMs: nowMs });
    return sid;
  }

  #tell(record: CallRecord, { callback, callerIdSid }: { callback: { url: string; method: HttpMethod } | null; callerIdSid: NumberSid | null }): void {
    if (!callback) return;
    const result: [string, string][] = [['VerificationStatus', callerIdSid === null ? 'failed' : 'success']];
    if (callerIdSid !== null) result.push(['OutgoingCallerIdSid', callerIdSid]);
    this.#deps.callbacks.send({ accountSid: record.accountSid, ...callback, parameters: [...callParameters(record), ...result] });
  }
}

function delayOf(text: string | undefined): number {
  const value = text === undefined || text.trim() === '' ? 0 : Number(/^\s*\d{1,3}\s*$/.test(text) ? text : Number.NaN);
  if (!(value >= 0 && value <= MAX_DELAY_S)) throw new TwilioError(21454, `CallDelay must be a whole number from 0 to ${MAX_DELAY_S}`);
  return value;
}

function callbackOf(options: ValidationOptions): { url: string; method: HttpMethod } | null {
  const method = (options.statusCallbackMethod?.trim() || DEFAULT_METHOD).toUpperCase();
  if (method !== 'GET' && method !== 'POST') throw new TwilioError(21403, 'StatusCallbackMethod must be GET or POST');
  const url = options.statusCallback?.trim() ?? '';
  if (url === '') return null;
  if (resolveUrl(null, url) === null) throw new TwilioError(21456, 'StatusCallback is not a valid http or https URL');
  return { url, method };
}

const TRIES = 3;
const ASK = 'Please enter the six digit code that was shown to you.';

/**
 * The application behind such a call. It stands where the customer's HTTP server stands for other calls, so that the call
 * itself is one like any other; nothing is sent anywhere.
 */
class CodeDialogue implements WebhookClient {
  static readonly url = 'https://caller-id-validation.invalid/';
  /** Set once the code was typed in. */
  callerIdSid: NumberSid | null = null;
  readonly #code: string;
  readonly #verified: () => Promise<NumberSid>;
  #triesLeft = TRIES;

  constructor(code: string, verified: () => Promise<NumberSid>) {
    this.#code = code;
    this.#verified = verified;
  }

  async request({ url, parameters }: WebhookRequest): Promise<WebhookAnswer> {
    const digits = parameters.find(([name]) => name === 'Digits')?.[1];
    const body = Buffer.from(`<Response>${await this.#next(digits)}</Response>`);
    return { ok: true, statusCode: 200, contentType: 'text/xml', headers: { 'content-type': 'text/xml' }, body, url, durationMs: 0 };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #next(digits: string | undefined): Promise<string> {
    if (digits === this.#code) {
      this.callerIdSid = await this.#verified();
      return '<Say>Thank you. Your number is verified. Goodbye.</Say><Hangup/>';
    }
    if (this.#triesLeft-- === 0) return '<Say>The code is not right. Goodbye.</Say><Hangup/>';
    const sorry = digits === undefined || digits === '' ? '' : '<Say>The code is not right.</Say>';
    return `${sorry}<Gather numDigits="6" timeout="10" actionOnEmptyResult="true"><Say>${ASK}</Say></Gather>`;
  }
}
