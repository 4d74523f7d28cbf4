import { pageUrl } from './url-hidden.ts';

/** See video.ts. */
Object.defineProperty(globalThis, 'URL', { value: pageUrl, writable: true, configurable: true, enumerable: false });
