/** Deletes the entry of a map that was set the longest ago, at a constant cost: looking from the front each time would walk over all that was deleted there. */
export function forgetOldestOf(map: Map<string, unknown>): () => void {
  let oldest = map.keys();
  return () => {
    const { value, done } = oldest.next();
    if (done) oldest = map.keys();
    else map.delete(value);
  };
}
