import { defineConfig } from 'vitest/config';

// What the quarter of an hour of the CI has no room for: run by `npm run test:all`.
const long = [
  'test/browsers/bandwidth.test.ts',
  'test/browsers/media-signaling.test.ts',
  'test/browsers/thirty-five-phones.test.ts',
  'test/browsers/two-workers.test.ts',
  'test/browsers/phone-matrix.test.ts',
  'test/browsers/browser-phone.test.ts',
  'test/interop/carrier-registration.test.ts',
  'test/interop/scanner.test.ts',
  'test/interop/home-network.test.ts',
  'test/interop/forwarded-for.test.ts',
  'test/browsers/browser-signaling.test.ts',
  'test/browsers/firefox.test.ts',
  'test/browsers/network-trouble.test.ts',
  'test/browsers/turn.test.ts',
];
const all = process.env['PARTYLINE_TEST_ALL'] === '1';

export default defineConfig({
  test: {
    // Two at a time, on a machine with two cores as well: half of them wait for sockets and workers.
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'console/**/*.test.ts', 'test/torture/**/*.test.ts', 'test/fuzz/**/*.test.ts'], testTimeout: 60_000, maxWorkers: 2, sequence: { groupOrder: 0 } } },
      // Two at a time too: servers and phones, which wait more than they work. Ports: test/peers/ports.ts.
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { test: { name: 'interop', include: ['test/interop/**/*.test.ts'], exclude: all ? [] : long, testTimeout: 90_000, hookTimeout: 90_000, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      // One after another: a browser takes a small machine for itself.
      { test: { name: 'browsers', include: ['test/browsers/**/*.test.ts'], exclude: all ? [] : long, testTimeout: 90_000, hookTimeout: 90_000, fileParallelism: false, sequence: { groupOrder: 2 } } },
    ],
  },
});
