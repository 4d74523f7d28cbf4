import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Two at a time, on a machine with two cores as well: half of them wait for sockets and workers.
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'console/**/*.test.ts', 'test/torture/**/*.test.ts', 'test/fuzz/**/*.test.ts'], testTimeout: 60_000, maxWorkers: 2, sequence: { groupOrder: 0 } } },
      // One after another: these start servers, phones and browsers: one file at a time on a small machine.
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false, sequence: { groupOrder: 1 } } },
      { test: { name: 'interop', include: ['test/interop/**/*.test.ts'], testTimeout: 90_000, hookTimeout: 90_000, fileParallelism: false, sequence: { groupOrder: 2 } } },
    ],
  },
});
