#!/usr/bin/env node
// Everything: build, lint, types, then the unit, integration and interop tests. The last line tells the sum.
// Arguments go to vitest: `npm test -- --project unit src/sip`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { passThrough, step, tool } from './steps.mjs';

/** Counts tests; a file that could not be run at all counts as one failure. */
function countTests(report) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults ?? []) {
    const failedBefore = sum.failed;
    for (const test of file.assertionResults ?? []) {
      if (test.status === 'passed') sum.passed++;
      else if (test.status === 'failed') sum.failed++;
      else sum.skipped++;
    }
    if (file.status === 'failed' && sum.failed === failedBefore) sum.failed++;
  }
  return sum;
}

async function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-test-'));
  const file = join(folder, 'report.json');
  const beganMs = Date.now();
  try {
    const code = await passThrough([...tool('vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args]);
    const sum = countTests(readReport(file));
    // An error outside of every test: vitest says so by its exit code alone.
    if (code !== 0 && sum.failed === 0) sum.failed++;
    process.stdout.write(`tests    ${((Date.now() - beganMs) / 1000).toFixed(0)} s\n`);
    return sum;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

const checks = await Promise.all([
  // Types are checked beside it.
  step('build   ', [process.execPath, 'scripts/build.mjs', '--unchecked']),
  step('types   ', [...tool('typescript/bin/tsc'), '-p', 'tsconfig.json', '--noEmit', '--pretty', 'false']),
  step('page    ', [...tool('typescript/bin/tsc'), '-p', 'console/tsconfig.json', '--noEmit', '--pretty', 'false']),
  step('lint    ', [...tool('eslint/bin/eslint.js'), '.']),
  step('walls   ', [...tool('dependency-cruiser/bin/dependency-cruise.mjs'), '--config', '.dependency-cruiser.cjs', 'src']),
]);
const broken = checks.filter((passed) => !passed).length;
const sum = await runTests(process.argv.slice(2));
if (process.env.PARTYLINE_TEST_ALL !== '1') process.stdout.write('Not run: the files that vitest.config.ts lists as long, and four fifths of the broken inputs (npm run test:all).\n');
const failed = sum.failed + broken;
if (broken > 0) process.stdout.write(`${broken} of build, types, lint and walls failed: see above.\n`);
process.stdout.write(`${sum.passed} passed, ${failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''}\n`);
process.exit(failed === 0 ? 0 : 1);
