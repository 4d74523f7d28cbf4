import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readTwiml } from './document.ts';

const folder = new URL('../../../docs/guides/', import.meta.url);
const documents = readdirSync(folder).flatMap((file) =>
  [...readFileSync(new URL(file, folder), 'utf8').matchAll(/```xml\n(.*?)```/gs)].map((match, n) => ({ name: `${file}, no. ${n + 1}`, body: match[1] ?? '' })).filter(({ body }) => body.startsWith('<Response')),
);

it('the guides have TwiML in them', () => expect(documents.length).toBeGreaterThan(9));

it.each(documents)('$name runs as it stands, without a warning', ({ body }) => {
  const { verbs, warnings } = readTwiml({ body: Buffer.from(body), contentType: 'text/xml' });
  expect(warnings).toEqual([]);
  expect(verbs.length).toBeGreaterThan(0);
});
