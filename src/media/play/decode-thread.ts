import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../base/errors.ts';
import { decodeFile } from './decode-file.ts';
import { AudioFileError } from './wav.ts';

/** Entry of the thread that reads and decodes prompt files, so that no packet waits for a disk. */
export interface DecodeRequest {
  id: number;
  path: string;
  contentType: string;
}

export type DecodeAnswer = { id: number; pcm: Int16Array } | { id: number; failure: 'type' | 'broken'; message: string };

async function answer({ id, path, contentType }: DecodeRequest): Promise<void> {
  try {
    const pcm = await decodeFile(path, contentType);
    parentPort?.postMessage({ id, pcm } satisfies DecodeAnswer, [pcm.buffer as ArrayBuffer]);
  } catch (error) {
    const failure = error instanceof AudioFileError ? error.kind : 'broken';
    parentPort?.postMessage({ id, failure, message: messageOf(error) } satisfies DecodeAnswer);
  }
}

// The MP3 decoder writes there what it thinks of a broken file: the answer says it.
console.error = () => {};

/** One file at a time. */
let turn = Promise.resolve();
parentPort?.on('message', (request: DecodeRequest) => {
  turn = turn.then(() => answer(request));
});
