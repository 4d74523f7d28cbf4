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

parentPort?.on('message', (request: DecodeRequest) => {
  const { id } = request;
  try {
    const pcm = decodeFile(request.path, request.contentType);
    parentPort?.postMessage({ id, pcm } satisfies DecodeAnswer, [pcm.buffer as ArrayBuffer]);
  } catch (error) {
    const failure = error instanceof AudioFileError ? error.kind : 'broken';
    parentPort?.postMessage({ id, failure, message: messageOf(error) } satisfies DecodeAnswer);
  }
});
