import { open, unlink, type FileHandle } from 'node:fs/promises';
import type { TrackRecordingCodec } from '../protocol.ts';
import { floatElement, longSize } from './ebml.ts';
import { dateOf, DURATION_BYTES, ID } from './matroska-header.ts';

/** Header and track list are far shorter. */
const HEAD_BYTES = 4096;
const CLUSTER_HEAD_BYTES = 16;
/** A cluster that claims to be longer is not ours. */
const MAX_CLUSTER_BYTES = 4 * 1024 * 1024;
const VOID = 0xec;
const CODECS: Record<string, TrackRecordingCodec> = { A_OPUS: 'OPUS', 'A_MS/ACM': 'PCMU', V_VP8: 'VP8', V_VP9: 'VP9', 'V_MPEG4/ISO/AVC': 'H264' };

/** What is left of a recording whose worker is gone. */
export interface SalvagedTrack {
  durationMs: number;
  bytes: number;
  codec: TrackRecordingCodec | null;
  startedAtMs: number;
}

interface Head {
  segmentStart: number;
  firstCluster: number;
  durationOffset: number;
  startedAtMs: number;
  codec: TrackRecordingCodec | null;
}

/** Cuts the file behind its last whole cluster and writes its duration into it. Null, and the file is removed, when there is no media in it. */
export async function salvageTrack(path: string): Promise<SalvagedTrack | null> {
  try {
    const file = await open(path, 'r+');
    const salvaged = await salvage(file).finally(() => file.close());
    if (!salvaged) await unlink(path);
    return salvaged;
  } catch {
    return null;
  }
}

async function salvage(file: FileHandle): Promise<SalvagedTrack | null> {
  const head = readHead(await read(file, 0, HEAD_BYTES));
  if (!head) return null;
  const { last, end } = await walk(file, head.firstCluster);
  if (!last) return null;
  const durationMs = durationOf(await read(file, last.at, last.bytes));
  await file.truncate(end);
  await file.write(floatElement(ID.duration, durationMs), 0, DURATION_BYTES, head.durationOffset);
  await file.write(longSize(end - head.segmentStart), 0, 8, head.segmentStart - 8);
  return { durationMs, bytes: end, codec: head.codec, startedAtMs: head.startedAtMs };
}

async function read(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, position);
  return buffer.subarray(0, bytesRead);
}

/** From cluster to cluster; ends behind the last that is whole. */
async function walk(file: FileHandle, first: number): Promise<{ last: { at: number; bytes: number } | null; end: number }> {
  const { size } = await file.stat();
  let [last, end]: [{ at: number; bytes: number } | null, number] = [null, first];
  for (;;) {
    const head = await read(file, end, CLUSTER_HEAD_BYTES);
    if (head.length < CLUSTER_HEAD_BYTES || head.readUInt32BE(0) !== ID.cluster) return { last, end };
    const bytes = 8 + (head.readUInt32BE(4) & 0x0fffffff);
    if (bytes > MAX_CLUSTER_BYTES || end + bytes > size) return { last, end };
    last = { at: end, bytes };
    end += bytes;
  }
}

/** Our own header, element by element; null when it is not whole. */
function readHead(buffer: Buffer): Head | null {
  const ebml = readElement(buffer, 0);
  const segment = ebml && readElement(buffer, ebml.end);
  if (ebml?.id !== ID.ebml || segment?.id !== ID.segment) return null;
  const head: Head = { segmentStart: segment.start, firstCluster: -1, durationOffset: -1, startedAtMs: 0, codec: null };
  for (let child = readElement(buffer, segment.start); child; child = readElement(buffer, child.end)) {
    if (child.id === ID.info) readInfo(buffer, child, head);
    if (child.id !== ID.tracks) continue;
    const text = buffer.toString('latin1', child.start, child.end);
    head.codec = Object.entries(CODECS).find(([id]) => text.includes(id))?.[1] ?? null;
    head.firstCluster = child.end;
    return head.durationOffset > 0 && child.end <= buffer.length ? head : null;
  }
  return null;
}

function readInfo(buffer: Buffer, info: Element, head: Head): void {
  for (let child = readElement(buffer, info.start); child && child.end <= info.end; child = readElement(buffer, child.end)) {
    if (child.id === ID.dateUtc && child.end - child.start === 8) head.startedAtMs = dateOf(buffer.subarray(child.start, child.end));
    if (child.id === VOID || child.id === ID.duration) head.durationOffset = child.at;
  }
}

interface Element {
  id: number;
  at: number;
  start: number;
  end: number;
}

/** Null behind the end. */
function readElement(buffer: Buffer, at: number): Element | null {
  const idBytes = Math.clz32(buffer[at] ?? 0) - 23;
  const sizeAt = at + idBytes;
  const sizeBytes = Math.clz32(buffer[sizeAt] ?? 0) - 23;
  const start = sizeAt + sizeBytes;
  if (idBytes > 4 || sizeBytes > 8 || start > buffer.length) return null;
  let size = (buffer[sizeAt] as number) & (0xff >> sizeBytes);
  for (let i = sizeAt + 1; i < start; i++) size = size * 256 + (buffer[i] as number);
  return { id: buffer.readUIntBE(at, idBytes), at, start, end: start + size };
}

/** End of a cluster's media: its last frame is taken to last as long as the one before it. */
function durationOf(cluster: Buffer): number {
  const clusterMs = cluster.readUIntBE(10, 6);
  let [last, before] = [0, 0];
  for (let block = readElement(cluster, CLUSTER_HEAD_BYTES); block && block.end <= cluster.length; block = readElement(cluster, block.end)) {
    if (block.id !== ID.simpleBlock || block.end - block.start < 4) break;
    [before, last] = [last, cluster.readInt16BE(block.start + 1)];
  }
  return clusterMs + 2 * last - before;
}
