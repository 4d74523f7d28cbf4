import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A file as an answer: whole, or the one range that was asked for (RFC 9110 §14). */
export interface FileAnswer {
  path: string;
  bytes: number;
  contentType: string;
  /** Named when it is saved; plain ASCII without quotes. */
  fileName: string;
  /** Default `inline`: shown where it can be. */
  disposition?: 'attachment' | 'inline';
}

export function sendFile(file: FileAnswer, { request, reply }: { request: FastifyRequest; reply: FastifyReply }): FastifyReply {
  const range = rangeOf(request.headers.range, file.bytes);
  void reply.type(file.contentType).header('accept-ranges', 'bytes').header('cache-control', 'private, no-transform').header('content-disposition', `${file.disposition ?? 'inline'}; filename="${file.fileName}"`);
  if (range === 'unsatisfiable') return reply.code(416).header('content-range', `bytes */${file.bytes}`).send(Readable.from([]));
  const { start, end } = range ?? { start: 0, end: file.bytes - 1 };
  if (range) void reply.header('content-range', `bytes ${start}-${end}/${file.bytes}`);
  void reply.code(range ? 206 : 200).header('content-length', end - start + 1);
  return reply.send(request.method === 'HEAD' || end < start ? Readable.from([]) : createReadStream(file.path, { start, end }));
}

/** Null: the whole file, also where several ranges or nonsense were asked for. */
function rangeOf(header: string | undefined, bytes: number): { start: number; end: number } | 'unsatisfiable' | null {
  const parts = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!parts) return null;
  const [, first = '', last = ''] = parts;
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  return start > end || start >= bytes ? 'unsatisfiable' : { start, end };
}
