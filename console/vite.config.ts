import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  // Wherever it is run from, the page goes beside the server.
  root: fileURLToPath(new URL('.', import.meta.url)),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // The SDK is most of the page, and it is needed from the first click on.
  build: { target: 'es2022', outDir: '../dist/console', emptyOutDir: true, chunkSizeWarningLimit: 1500, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
