/** Broken inputs of each kind: 20,000 in `npm test`, 100,000 in `npm run test:all`; `FUZZ_INPUTS=1000000 npx vitest run --project unit test/fuzz` takes more. */
export const BROKEN_INPUTS = Number(process.env['FUZZ_INPUTS'] ?? (process.env['PARTYLINE_TEST_ALL'] === '1' ? 100_000 : 20_000));

/** Small deterministic generator (mulberry32): the same seed gives the same run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

const NASTY = ['\r\n', '\r\n\r\n', '\n', '\r', '"', '<', '>', ';', ',', ':', '%', '%0d%0a', '\\', '\0', ' ', '\t', '=', '@', '[', ']', '4294967296', '-1', '99999999999999999999', '\u{1F4DE}', 'SIP/2.0', 'tag=', ';tag=x', 'z9hG4bK', '?', '&'];

function spliced(bytes: Buffer, at: number, drop: number, insert: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)]);
}

function flipBits(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
  }
  return copy;
}

function cut(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, random(bytes.length + 1));
}

function dropPiece(bytes: Buffer, random: Random): Buffer {
  return spliced(bytes, random(bytes.length), 1 + random(30), Buffer.alloc(0));
}

function putNasty(bytes: Buffer, random: Random): Buffer {
  return spliced(bytes, random(bytes.length + 1), random(3), Buffer.from(NASTY[random(NASTY.length)] ?? ''));
}

function repeatPiece(bytes: Buffer, random: Random): Buffer {
  const at = random(bytes.length);
  const piece = bytes.subarray(at, at + 1 + random(40));
  return spliced(bytes, at, 0, Buffer.concat(Array.from({ length: 1 + random(random(20) === 0 ? 400 : 4) }, () => piece)));
}

/** Works on whole lines, so that the rest stays sound and the change gets far. */
function changeLines(bytes: Buffer, random: Random): Buffer {
  const lines = bytes.toString('latin1').split('\r\n');
  const at = random(lines.length);
  const to = random(lines.length);
  const kind = random(4);
  if (kind === 0) lines.splice(at, 1);
  else if (kind === 1) lines.splice(to, 0, lines[at] ?? '');
  else if (kind === 2) [lines[at], lines[to]] = [lines[to] ?? '', lines[at] ?? ''];
  else lines[at] = (lines[at] ?? '').slice(0, (lines[at] ?? '').indexOf(':') + 1) + (lines[to] ?? '').slice((lines[to] ?? '').indexOf(':') + 1);
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** One to three changes. `other` is a second message for splices. */
export function mutate(bytes: Buffer, other: Buffer, random: Random): Buffer {
  let out = bytes;
  for (let n = 1 + random(3); n > 0 && out.length > 0; n--) {
    const kind = random(8);
    if (kind === 0) out = flipBits(out, random);
    else if (kind === 1) out = random(4) === 0 ? cut(out, random) : putNasty(out, random);
    else if (kind === 2) out = dropPiece(out, random);
    else if (kind === 3) out = repeatPiece(out, random);
    else if (kind === 4) out = Buffer.concat([out.subarray(0, random(out.length)), other.subarray(random(other.length))]);
    else if (kind === 5) out = putNasty(out, random);
    else out = changeLines(out, random);
  }
  return out;
}
