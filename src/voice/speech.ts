import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** Text that could not be spoken. */
export class SpeechError extends Error {
  override readonly name = 'SpeechError';
}

export interface Speech {
  /** WAV of the text, from the cache when it was spoken before. Rejects with SpeechError. */
  speak(options: { text: string; ssml: boolean; language: string | null; voice: string | null; signal?: AbortSignal }): Promise<{ path: string; contentType: string }>;
}

type Wanted = Parameters<Speech['speak']>[0];

const MAX_TEXT_CHARS = 10_000;
const LANGUAGE = /^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,2}$/;

/** Speech by espeak-ng as a child process. The text goes in by stdin and never through a shell. */
export function createSpeech(options: { command: string; cacheDir: string }, deps: { log: Log }): Speech {
  return {
    async speak(wanted) {
      if (wanted.text.length > MAX_TEXT_CHARS) throw new SpeechError(`a text of ${wanted.text.length} characters is too long`);
      const voice = voiceOf(wanted);
      const key = createHash('sha256').update(JSON.stringify([wanted.text, wanted.ssml, voice])).digest('hex');
      const path = join(options.cacheDir, `${key}.wav`);
      try {
        if (!(await exists(path))) {
          await mkdir(options.cacheDir, { recursive: true });
          const part = `${path}.${process.pid}.${Math.trunc(performanceKey())}.part`;
          await run(options.command, [...(wanted.ssml ? ['-m'] : []), '-b', '1', '-v', voice, '-w', part], wanted);
          await rename(part, path);
        }
      } catch (error) {
        deps.log.debug({ error: messageOf(error) }, 'speech failed');
        throw error instanceof SpeechError ? error : new SpeechError(messageOf(error), { cause: error });
      }
      return { path, contentType: 'audio/wav' };
    },
  };
}

let partNumber = 0;
function performanceKey(): number {
  return ++partNumber;
}

/** espeak-ng's name of a language; `voice="woman"` and the like choose its female variant. */
function voiceOf({ language, voice }: Wanted): string {
  const name = language !== null && LANGUAGE.test(language) ? language.toLowerCase() : 'en-us';
  return voice === 'woman' || voice === 'alice' ? `${name}+f2` : name;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(() => true, () => false);
}

function run(command: string, args: string[], { text, signal }: Wanted): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'], ...(signal ? { signal } : {}), timeout: 20_000 });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, 500)));
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => reject(new SpeechError(`${command} cannot be run (${error.message})`)));
    child.once('close', (code) => (code === 0 ? resolve() : reject(new SpeechError(`${command} ended with code ${code}: ${complaint.trim()}`))));
    child.stdin.end(text);
  });
}
