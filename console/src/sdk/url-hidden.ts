/** See video.ts. */
export const pageUrl = globalThis.URL;

Reflect.deleteProperty(globalThis, 'URL');
