/**
 * Attributes that Twilio does not know. They stand in a namespace of their own, so that a document that never names it means
 * here exactly what it means there: `<Response xmlns:pl="https://partyline.dev/twiml">`. The prefix is the author's choice.
 */
export const EXTENSION_NAMESPACE = 'https://partyline.dev/twiml';

/** The prefix that the documentation and our messages write. */
const USUAL_PREFIX = 'pl';

/** The key of an extension among the attributes of an element. No attribute can be written like that in XML. */
export function extensionKey(name: string): string {
  return `{${EXTENSION_NAMESPACE}}${name}`;
}

/** An attribute's name for people. */
export function attributeLabel(key: string): string {
  const start = extensionKey('');
  return key.startsWith(start) ? `${USUAL_PREFIX}:${key.slice(start.length)}` : key;
}

/** Prefixes bound to our namespace where an element stands. Null for the common document that binds none. */
export type ExtensionPrefixes = ReadonlySet<string> | null;

/** The prefixes inside an element: those of its parent, less and plus what its own `xmlns:…` attributes say. */
export function prefixesIn(attributes: Readonly<Record<string, string>>, outer: ExtensionPrefixes): ExtensionPrefixes {
  let prefixes = outer;
  for (const [name, value] of Object.entries(attributes)) {
    if (!name.startsWith('xmlns:')) continue;
    const prefix = name.slice('xmlns:'.length);
    const ours = value.trim() === EXTENSION_NAMESPACE;
    if (!ours && !prefixes?.has(prefix)) continue;
    const changed = new Set(prefixes);
    if (ours) changed.add(prefix);
    else changed.delete(prefix);
    prefixes = changed;
  }
  return prefixes;
}

/** An attribute's key: that of the extension when its prefix is bound to our namespace, else its name as it stands. */
export function attributeKey(name: string, prefixes: ExtensionPrefixes): string {
  const colon = name.indexOf(':');
  return colon > 0 && prefixes?.has(name.slice(0, colon)) ? extensionKey(name.slice(colon + 1)) : name;
}
