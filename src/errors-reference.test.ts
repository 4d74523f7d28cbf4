import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Numbers of the error dictionary look like nothing else in these folders. */
const FOLDERS = ['api', 'bridge', 'recording', 'rooms', 'signaling', 'store', 'voice'];
const NUMBER = /(?<![\w.#])(1[0-6]\d{3}|2[0-2]\d{3}|32\d{3}|53\d{3})(?![\w.])/g;
/** Limits that happen to look like one. */
const NO_ERRORS = new Set(['10000', '14400', '16000', '20000', '22050']);

/** Each number that the code raises, with a file that does. */
function ofCode(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of FOLDERS) {
    const root = new URL(`./${folder}/`, import.meta.url);
    for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file.includes('testing/')) continue;
      const text = readFileSync(new URL(file, root), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<![:'"])\/\/.*$/gm, '');
      for (const [, number = ''] of text.matchAll(NUMBER)) if (!NO_ERRORS.has(number)) found.set(number, `${folder}/${file}`);
    }
  }
  return found;
}

/** Each number with its meaning: the cells behind it. Ranges count for all that they span. */
function ofPage(): Map<string, string> {
  const page = readFileSync(new URL('../docs/reference/errors.md', import.meta.url), 'utf8');
  const meanings = new Map<string, string>();
  for (const line of page.split('\n').filter((text) => /^\| \d{5}/.test(text))) {
    const [, numbers = '', ...cells] = line.split('|').map((cell) => cell.trim());
    for (const [, from = '', to = from] of numbers.matchAll(/(\d{5})(?:–(\d{5}))?/g)) {
      for (let number = Number(from); number <= Number(to); number++) meanings.set(String(number), cells.filter((cell) => !/^\d*$/.test(cell)).join(' '));
    }
  }
  return meanings;
}

it('docs/reference/errors.md explains every number that the code raises', () => {
  const meanings = ofPage();
  const unexplained = [...ofCode()].filter(([number]) => (meanings.get(number) ?? '').length < 10).map(([number, file]) => `${number} (${file})`);
  expect(unexplained).toEqual([]);
});
