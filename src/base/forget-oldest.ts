/** Of the bound: so many are forgotten at once. */
const SHARE = 16;

/**
 * Deletes the entries of a map that were set the longest ago once there are more than `max`, a share of them at a time: looking from the
 * front for each alone would walk over all that was deleted there. No iterator is kept from one time to the next: V8 keeps every
 * table that the map had since for it.
 */
export function forgetOldest(map: Map<string, unknown>, max: number): void {
  if (map.size <= max) return;
  let left = Math.ceil(max / SHARE);
  for (const key of map.keys()) {
    map.delete(key);
    if (--left <= 0) return;
  }
}
