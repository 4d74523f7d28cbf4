import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { attributeLabel } from './extensions.ts';
import { VERBS, type ElementRule } from './schema.ts';

const WORDS = { works: 'works', refused: 'refused' };

/** `Verb|attribute|support` for everything the schema knows; SSML is told in words. */
function ofSchema(): string[] {
  const lines: string[] = [];
  const attributes = (name: string, rule: ElementRule): void => {
    for (const [attribute, { support }] of Object.entries(rule.attributes)) lines.push(`\`${name}\`|\`${attributeLabel(attribute)}\`|${WORDS[support]}`);
  };
  for (const [name, rule] of Object.entries(VERBS)) {
    lines.push(`\`${name}\`||${WORDS[rule.support]}`);
    attributes(name, rule);
    if (name === 'Say') continue;
    for (const [noun, child] of Object.entries(rule.children)) {
      lines.push(`\`${name}\`|\`<${noun}>\`|${WORDS[child.support]}`);
      if (!(noun in VERBS)) attributes(noun, child);
    }
  }
  return lines;
}

function ofPage(): string[] {
  const page = readFileSync(new URL('../../../docs/reference/twiml.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('## Verbs')).split('\n').filter((line) => line.startsWith('| `'));
  return table.map((line) => line.split('|').slice(1, 4).map((cell) => cell.trim()).join('|'));
}

it('docs/reference/twiml.md says what the schema does', () => {
  expect(ofPage().sort()).toEqual(ofSchema().sort());
});
