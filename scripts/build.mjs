#!/usr/bin/env node
// Builds dist/: the server by tsc, the console by vite. What has not changed is not built again.
// With --unchecked the types are left to whoever checks them anyway (npm test, with those of the tests).
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { root, step, tool } from './steps.mjs';

const unchecked = process.argv.includes('--unchecked');

function newestMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).filter((name) => name !== 'node_modules').map((name) => newestMs(join(path, name))));
}

function buildServer() {
  // Incremental: tsc keeps what it knows in dist/, so that removing dist/ is always a clean build.
  return step('server ', [...tool('typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo', '--pretty', 'false', ...(unchecked ? ['--noCheck'] : [])]);
}

async function buildConsole() {
  const source = join(root, 'console');
  if (!existsSync(join(source, 'index.html'))) return true;
  const built = join(root, 'dist', 'console');
  const page = join(built, 'index.html');
  const changedMs = Math.max(newestMs(source), statSync(join(root, 'package-lock.json')).mtimeMs);
  if (existsSync(page) && statSync(page).mtimeMs >= changedMs) return process.stdout.write('console  unchanged\n') > 0;
  mkdirSync(built, { recursive: true });
  const done = await step('console', [...tool('vite/bin/vite.js'), 'build', source, '--outDir', built, '--emptyOutDir', '--logLevel', 'warn'], { env: { ...process.env, NODE_ENV: 'production' } });
  if (done && existsSync(page)) utimesSync(page, new Date(), new Date());
  return done;
}

if (!existsSync(join(root, 'node_modules', 'typescript'))) {
  process.stderr.write('The build needs the development packages: npm ci --include=dev\n');
  process.exit(1);
}
const server = await buildServer();
const page = await buildConsole();
process.exit(server && page ? 0 : 1);
