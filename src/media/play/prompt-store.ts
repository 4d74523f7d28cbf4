import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { MediaError } from '../protocol.ts';
import type { DecodeAnswer, DecodeRequest } from './decode-thread.ts';

const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;

/** A file that takes longer is one that its decoder does not come to the end of. */
const DECODE_TIMEOUT_MS = 60_000;

interface Waiting {
  request: DecodeRequest;
  resolve(pcm: Int16Array): void;
  reject(error: MediaError): void;
}

/** Sources run by a test runner use the build beside them: a thread has no loader for TypeScript. */
function defaultThreadUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? '../../../dist/media/play/decode-thread.js' : './decode-thread.js', import.meta.url);
}

/** Prompt files as PCM, decoded in a thread of their own and kept in memory by path, content type and modification time. */
export class PromptStore {
  readonly #maxBytes: number;
  /** In order of use, the longest unused first. */
  readonly #cache = new Map<string, Int16Array>();
  readonly #loading = new Map<string, Promise<Int16Array>>();
  readonly #waiting = new Map<number, Waiting>();
  #bytes = 0;
  #nextId = 1;
  #thread: Worker | null = null;
  readonly #clock: Clock;
  readonly #threadUrl: URL;
  #watchdog: Timer | null = null;

  /** `threadUrl`: another decoder, for tests. */
  constructor(options: { maxBytes?: number; clock?: Clock; threadUrl?: URL } = {}) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_CACHE_BYTES;
    this.#clock = options.clock ?? systemClock;
    this.#threadUrl = options.threadUrl ?? defaultThreadUrl();
  }

  /** Rejects with MediaError `prompt-unreadable` or `prompt-type`. The clip is shared: not to be written to. */
  async load(path: string, contentType: string): Promise<Int16Array> {
    const key = await this.#keyOf(path, contentType);
    const cached = this.#cache.get(key);
    if (cached) {
      this.#cache.delete(key);
      this.#cache.set(key, cached);
      return cached;
    }
    let loading = this.#loading.get(key);
    if (!loading) {
      loading = this.#decode({ id: this.#nextId++, path, contentType }).finally(() => this.#loading.delete(key));
      this.#loading.set(key, loading);
    }
    const pcm = await loading;
    this.#keep(key, pcm);
    return pcm;
  }

  close(): void {
    void this.#thread?.terminate();
    this.#threadGone('the media worker stops');
  }

  async #keyOf(path: string, contentType: string): Promise<string> {
    try {
      const { mtimeMs, size } = await stat(path);
      return `${contentType} ${mtimeMs} ${size} ${path}`;
    } catch (error) {
      throw new MediaError('prompt-unreadable', `the prompt file cannot be read: ${messageOf(error)}`);
    }
  }

  #keep(key: string, pcm: Int16Array): void {
    if (this.#cache.has(key) || pcm.byteLength > this.#maxBytes) return;
    this.#cache.set(key, pcm);
    this.#bytes += pcm.byteLength;
    for (const [oldKey, old] of this.#cache) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#cache.delete(oldKey);
      this.#bytes -= old.byteLength;
    }
  }

  #decode(request: DecodeRequest): Promise<Int16Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { request, resolve, reject });
      this.#thread ??= this.#startThread();
      this.#thread.postMessage(request);
      if (this.#waiting.size === 1) this.#watch();
    });
  }

  /** The thread takes one file after the other: the first that waits is the one it is at. */
  #watch(): void {
    this.#watchdog?.cancel();
    this.#watchdog = this.#waiting.size === 0 ? null : this.#clock.after(DECODE_TIMEOUT_MS, () => this.#stuck());
  }

  /** The others are for another thread. */
  #stuck(): void {
    const [first, ...others] = this.#waiting.values();
    const thread = this.#thread;
    this.#thread = null;
    void thread?.terminate();
    if (!first) return;
    this.#waiting.delete(first.request.id);
    first.reject(new MediaError('prompt-unreadable', `the prompt file cannot be decoded in ${DECODE_TIMEOUT_MS / 1000} s`));
    if (others.length > 0) this.#thread = this.#startThread();
    for (const { request } of others) this.#thread?.postMessage(request);
    this.#watch();
  }

  #startThread(): Worker {
    const thread = new Worker(this.#threadUrl, { execArgv: [] });
    thread.unref();
    const gone = (why: string): void => {
      if (this.#thread === thread) this.#threadGone(why);
    };
    thread.on('message', (answer: DecodeAnswer) => this.#answered(answer));
    thread.on('error', (error) => gone(messageOf(error)));
    thread.on('exit', () => gone('the decoder thread ended'));
    return thread;
  }

  #answered(answer: DecodeAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    this.#watch();
    if ('pcm' in answer) waiting?.resolve(answer.pcm);
    else waiting?.reject(new MediaError(answer.failure === 'type' ? 'prompt-type' : 'prompt-unreadable', answer.message));
  }

  /** The next file starts a new thread. */
  #threadGone(why: string): void {
    this.#thread = null;
    for (const { reject } of this.#waiting.values()) reject(new MediaError('prompt-unreadable', why));
    this.#waiting.clear();
    this.#watch();
  }
}
