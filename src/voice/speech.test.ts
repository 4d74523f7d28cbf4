import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.ts';
import { isVoiceName, languagesOf, nearestVoice } from './speech-voices.ts';
import { createSpeech, SpeechError, type Speech } from './speech.ts';

const TABLE = `Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  cmn             --/M      Chinese_(Mandarin,_latin_as_English) sit/cmn              (zh-cmn 5)(zh 5)
 5  de              --/M      German             gmw/de
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)
 2  en-us           --/M      English_(America)  gmw/en-US            (en 3)
 5  fr-fr           --/M      French_(France)    roa/fr               (fr 5)
 5  nb              --/M      Norwegian_Bokmål   gmq/nb               (no 5)
 5  pt-br           --/M      Portuguese_(Brazil) roa/pt-BR            (pt 6)
 5  yue             --/M      Chinese_(Cantonese) sit/yue              (zh-yue 5)
`;

describe('the nearest voice', () => {
  const known = languagesOf(TABLE);

  it.each([
    [null, null, 'en-us'],
    ['en-US', 'man', 'en-us'],
    ['en-GB', 'woman', 'en-gb+f2'],
    ['en-AU', 'alice', 'en+f2'],
    ['de-AT', null, 'de'],
    ['fr', null, 'fr'],
    ['zh-TW', null, 'cmn'],
    ['zh-HK', 'woman', 'yue+f2'],
    ['no-NO', null, 'nb'],
    ['pt_BR', null, 'pt-br'],
    [null, 'Polly.Joanna', 'en-us+f2'],
    [null, 'Polly.Matthew-Neural', 'en-us'],
    [null, 'Polly.Hans', 'de'],
    [null, 'Polly.Vicki-Generative', 'de+f2'],
    ['en-GB', 'Polly.Vicki', 'en-gb+f2'],
    [null, 'Google.fr-FR-Wavenet-C', 'fr-fr+f2'],
    [null, 'Google.en-GB-Standard-B', 'en-gb'],
    [null, 'Google.de-DE-Chirp3-HD-Kore', 'de+f2'],
    [null, 'Polly.Nobody', 'en-us'],
    ['tlh', null, null],
    ['../../etc', null, null],
    [`en${'-us'.repeat(30)}`, null, null],
    ['-w/tmp/x', null, null],
  ])('for language %s and voice %s is %s', (language, voice, nearest) => {
    expect(nearestVoice({ language, voice }, known)).toBe(nearest);
  });

  it('is looked for in no time, however long the name of the language', () => {
    const startedMs = performance.now();
    expect(nearestVoice({ language: 'a-'.repeat(30_000), voice: null }, known)).toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  it.each([['man', true], ['Alice', true], ['Polly.Léa', true], ['Google.en-GB-Standard-A', true], ['bob', false], ['', false], ['Polly.', false], ['a b', false]])('%s is a voice: %s', (text, good) => {
    expect(isVoiceName(text)).toBe(good);
  });
});

describe('speech', () => {
  let dir: string;
  let command: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'partyline-speech-'));
    mkdirSync(join(dir, 'cache'));
    command = join(dir, 'engine');
    writeFileSync(join(dir, 'voices'), TABLE);
    // Writes what it was told, and its arguments but the last, which is the file.
    writeFileSync(command, `#!/bin/sh\nif [ "$1" = --voices ]; then cat ${dir}/voices; exit; fi\nfor last; do :; done\ntext=$(cat)\necho "$*: $text" >> ${dir}/said\nif [ "$text" = fail ]; then echo broken >&2; echo half > "$last"; exit 3; fi\nprintf %s "$text" > "$last"\n`);
    chmodSync(command, 0o755);
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const open = (more: { command?: string; maxCacheBytes?: number } = {}): Speech => createSpeech({ command, cacheDir: join(dir, 'cache'), ...more }, { log: silentLog });
  const said = (): string[] => readFileSync(join(dir, 'said'), 'utf8').trim().split('\n');
  const say = (speech: Speech, text: string, more: { ssml?: boolean; language?: string; voice?: string } = {}) => speech.speak({ text, ssml: more.ssml ?? false, language: more.language ?? null, voice: more.voice ?? null });

  const failing = async (speaking: Promise<unknown>): Promise<SpeechError> => {
    try {
      await speaking;
    } catch (error) {
      if (error instanceof SpeechError) return error;
    }
    throw new TypeError('it spoke');
  };

  it('is made once for a text and a voice', async () => {
    const speech = open();
    const first = await say(speech, 'Hello');
    expect(readFileSync(first.path, 'utf8')).toBe('Hello');
    expect(await say(speech, 'Hello', { language: 'en-US', voice: 'man' })).toEqual(first);
    expect((await say(speech, 'Hello', { voice: 'woman' })).path).not.toBe(first.path);
    expect(said().map((line) => /-v (\S+)/.exec(line)?.[1])).toEqual(['en-us', 'en-us+f2']);
  });

  it('is made once for many who want it at the same time, though the first of them leaves', async () => {
    const speech = open();
    const first = new AbortController();
    const leaving = failing(speech.speak({ text: 'Hello', ssml: false, language: null, voice: null, signal: first.signal }));
    const others = Promise.all([say(speech, 'Hello'), say(speech, 'Hello'), say(speech, 'Hello')]);
    first.abort();
    await leaving;
    expect(new Set((await others).map(({ path }) => readFileSync(path, 'utf8')))).toEqual(new Set(['Hello']));
    expect(said()).toHaveLength(1);
  });

  it('is made of SSML when told so, and text is never an option', async () => {
    await say(open(), '--voices <b/>', { ssml: true });
    expect(said()[0]).toMatch(/^-m -b 1 -v en-us -w \S+: --voices <b\/>$/);
  });

  it('that is not needed is deleted for what is', async () => {
    const speech = open({ maxCacheBytes: 15 });
    await say(speech, 'first text');
    await say(speech, 'second text');
    expect(readdirSync(join(dir, 'cache'))).toHaveLength(1);
    expect(readFileSync((await say(speech, 'first text')).path, 'utf8')).toBe('first text');
  });

  it('in a language that nobody speaks is 13511; a broken engine is 13520 and leaves nothing behind', async () => {
    expect(await failing(say(open(), 'Qapla', { language: 'tlh' }))).toMatchObject({ errorCode: 13511, message: "no voice speaks 'tlh'" });
    expect(await failing(say(open(), 'fail'))).toMatchObject({ errorCode: 13520 });
    expect(readdirSync(join(dir, 'cache'))).toEqual([]);
    expect((await failing(say(open({ command: join(dir, 'not-there') }), 'x'))).message).toContain('cannot be run');
    expect(await failing(say(open(), 'x'.repeat(10_001)))).toMatchObject({ errorCode: 13520 });
  });
});
