import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { addResources } from './api.ts';
import type { ApiDeps } from './deps.ts';
import type { Endpoints } from './endpoint.ts';

/** `path|methods` of every resource, as the table of the reference writes them. */
function ofServer(): string[] {
  const lines: string[] = [];
  const add = (path: string, handlers: object): void => void lines.push(`\`${path.replace(/:(\w+)/g, '{$1}')}\`|${Object.keys(handlers).join(', ')}`);
  const deps = new Proxy({}, { get: () => () => undefined });
  addResources({ add } as unknown as Endpoints, deps as ApiDeps);
  return lines;
}

function ofPage(): string[] {
  const page = readFileSync(new URL('../../docs/reference/rest.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('## All resources')).split('\n').filter((line) => line.startsWith('| `/'));
  return table.map((line) => line.split('|').slice(1, 3).map((cell) => cell.trim()).join('|'));
}

it('docs/reference/rest.md lists the resources that are there, with their methods', () => {
  expect(ofServer().length).toBeGreaterThan(40);
  expect(ofPage().sort()).toEqual(ofServer().sort());
});
