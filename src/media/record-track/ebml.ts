/** EBML as Matroska is written in (RFC 8794): small elements of a header, made whole. Pure. */

/** An element: its id as the specification prints it (marker bits included), its size in the shortest form, its content. */
export function element(id: number, ...content: Buffer[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([idBytes(id), sizeBytes(length), ...content]);
}

export function uintElement(id: number, value: number): Buffer {
  let bytes = 1;
  while (bytes < 6 && value >= 2 ** (8 * bytes)) bytes++;
  const content = Buffer.alloc(bytes);
  content.writeUIntBE(value, 0, bytes);
  return element(id, content);
}

/** Eight bytes, so that another value can be written over it. */
export function floatElement(id: number, value: number): Buffer {
  const content = Buffer.alloc(8);
  content.writeDoubleBE(value);
  return element(id, content);
}

export function textElement(id: number, value: string): Buffer {
  return element(id, Buffer.from(value, 'utf8'));
}

const VOID = 0xec;

/** A place kept free: `bytes` in all, 2 to 128 of them (RFC 8794 §11.3.2). */
export function voidElement(bytes: number): Buffer {
  return element(VOID, Buffer.alloc(bytes - 2));
}

export function idBytes(id: number): Buffer {
  const bytes = id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(id, 0, bytes);
  return buffer;
}

/** Size not known yet, in eight bytes (RFC 8794 §6.2). */
export const UNKNOWN_SIZE = Buffer.from([0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);

/** A size in exactly eight bytes. */
export function longSize(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer[0] = 0x01;
  buffer.writeUIntBE(value, 2, 6);
  return buffer;
}

function sizeBytes(value: number): Buffer {
  let bytes = 1;
  while (value >= 2 ** (7 * bytes) - 1) bytes++;
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  buffer[0] = (buffer[0] as number) | (0x80 >> (bytes - 1));
  return buffer;
}
