import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { createCommandRecognizer, RecognitionError, type RecognitionWishes, type SpeechRecognizer } from './speech-recognition.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'partyline-recognizer-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function open(script: string, more: { timeoutMs?: number; maxRunning?: number } = {}): SpeechRecognizer {
  const program = join(dir, 'program');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  return createCommandRecognizer({ command: `${program} --fast`, folder: join(dir, 'heard'), ...more }, { log: silentLog });
}

const wishes = (more: Partial<RecognitionWishes> = {}): RecognitionWishes => ({ language: 'en-US', hints: ['two tickets', '$(rm -rf)'], model: 'phone_call', profanityFilter: true, enhanced: false, signal: new AbortController().signal, ...more });
const says = (json: string): string => `printf '%s' '${json}'`;

it('is told all as arguments and environment, without a shell and without our secrets', async () => {
  process.env['PARTYLINE_AUTH_TOKEN'] = 'secret';
  try {
    const recognizer = open(`printf '%s|' "$@" > ${dir}/told; env > ${dir}/env; ${says('{"transcript":"Two\\n tickets ","confidence":0.9}')}`);
    const path = await recognizer.newFile();
    expect(await recognizer.recognize(path, wishes())).toEqual({ transcript: 'Two  tickets', confidence: 0.9 });
    expect(readFileSync(join(dir, 'told'), 'utf8')).toBe(`--fast|${path}|en-US|two tickets,$(rm -rf)|`);
    const env = readFileSync(join(dir, 'env'), 'utf8');
    expect(env).toContain('PARTYLINE_SPEECH_MODEL=phone_call');
    expect(env).not.toContain('secret');
  } finally {
    delete process.env['PARTYLINE_AUTH_TOKEN'];
  }
});

it('keeps recordings to itself, and clears away what an earlier run left', async () => {
  mkdirSync(join(dir, 'heard'));
  writeFileSync(join(dir, 'heard', 'old.wav'), 'x');
  const recognizer = open('true');
  const path = await recognizer.newFile();
  expect(existsSync(join(dir, 'heard', 'old.wav'))).toBe(false);
  expect(statSync(join(dir, 'heard')).isDirectory()).toBe(true);
  expect(await recognizer.newFile()).not.toBe(path);
  writeFileSync(path, 'x');
  await recognizer.discard(path);
  expect(existsSync(path)).toBe(false);
});

it.each([['{"transcript":"  "}', null], ['{"transcript":"a"}', { transcript: 'a', confidence: 0 }], ['{"transcript":"a","confidence":7}', { transcript: 'a', confidence: 1 }]])('%s is %j', async (json, recognized) => {
  expect(await open(says(json)).recognize('/x.wav', wishes())).toEqual(recognized);
});

it.each([
  ['no JSON', 'echo hello', 'no JSON'],
  ['JSON of something else', says('["a"]'), 'no transcript'],
  ['a failure', 'echo broken >&2; exit 3', 'code 3: broken'],
  ['too much', 'yes | cat', 'too much'],
  ['too long', 'sleep 30', 'too long'],
])('%s is an error that says so', async (_what, script, message) => {
  const failing = open(script, { timeoutMs: 500 }).recognize('/x.wav', wishes());
  await expect(failing).rejects.toBeInstanceOf(RecognitionError);
  await expect(failing).rejects.toThrow(message);
});

it('is stopped when the call leaves, and lets the next one run', async () => {
  const recognizer = open('if [ "$3" = slow ]; then exec sleep 30; fi; printf \'{"transcript":"ok"}\'', { maxRunning: 1 });
  const call = new AbortController();
  const slow = recognizer.recognize('/x.wav', wishes({ language: 'slow', signal: call.signal }));
  const next = recognizer.recognize('/y.wav', wishes());
  call.abort();
  await expect(slow).rejects.toBeInstanceOf(RecognitionError);
  expect(await next).toEqual({ transcript: 'ok', confidence: 0 });
});
