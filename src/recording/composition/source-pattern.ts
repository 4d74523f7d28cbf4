/** What a source of a composition is called by: its track's name, or one of the SIDs that stand for it. */
export interface NamedSource {
  /** Name of the track. */
  name: string;
  /** Recording, track and participant. */
  sids: readonly string[];
}

/** Which sources a list of names chooses: those that one of `included` matches and none of `excluded`. */
export function chosen<T extends NamedSource>(sources: readonly T[], { included, excluded }: { included: readonly string[]; excluded: readonly string[] }): T[] {
  return sources.filter((source) => included.some((pattern) => isMeant(source, pattern)) && !excluded.some((pattern) => isMeant(source, pattern)));
}

function isMeant({ name, sids }: NamedSource, pattern: string): boolean {
  return matches(pattern, name) || sids.includes(pattern);
}

/** Whether a text fits a pattern in which each `*` stands for any characters, also none. Takes time in proportion to the text, whatever the pattern. */
export function matches(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return pattern === text;
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  const endsAt = text.length - tail.length;
  let at = head.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > endsAt) return false;
    at = found + part.length;
  }
  return true;
}
