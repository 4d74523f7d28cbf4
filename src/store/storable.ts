/** NUL, which PostgreSQL has in no text, and halves of surrogate pairs, which it has in no JSON. */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

/** A copy that the database takes whatever phones, browsers and web servers wrote into it: a row must not be lost by one character. */
export function storable<T>(value: T): T {
  if (typeof value === 'string') return value.replace(UNSTORABLE, '\ufffd') as T;
  if (Array.isArray(value)) return value.map((item: unknown) => storable(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [storable(name), storable(member as unknown)])) as T;
}
