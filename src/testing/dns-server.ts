import { createSocket } from 'node:dgram';

/** What a zone holds: records by name in lower case, data in text as a zone file has it. */
export type Zone = Record<string, readonly { type: 'A' | 'AAAA' | 'SRV' | 'NAPTR'; data: string; ttlS?: number }[]>;

const TYPES = { A: 1, AAAA: 28, SRV: 33, NAPTR: 35 } as const;

export interface DnsServer {
  /** `address:port`, as a resolver wants it. */
  address: string;
  /** `type name` of each question, in order. */
  asked: string[];
  close(): void;
}

/** A name server on loopback over UDP (RFC 1035, 2782, 3403) that knows one zone; NXDOMAIN for all else. */
export async function startDnsServer(zone: Zone): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, from) => socket.send(answer(query, zone, asked), from.port, from.address));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { address: `127.0.0.1:${socket.address().port}`, asked, close: () => socket.close() };
}

function answer(query: Buffer, zone: Zone, asked: string[]): Buffer {
  const { name, end } = readName(query, 12);
  const type = query.readUInt16BE(end);
  const records = (zone[name] ?? []).filter((record) => TYPES[record.type] === type);
  asked.push(`${Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? type} ${name}`);
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (zone[name] ? 0 : 3), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const lines = records.map(({ data, ttlS = 60 }) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc00c, 0);
    fixed.writeUInt16BE(type, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(ttlS, 6);
    const bytes = dataOf(type, data);
    fixed.writeUInt16BE(bytes.length, 10);
    return Buffer.concat([fixed, bytes]);
  });
  return Buffer.concat([header, query.subarray(12, end + 4), ...lines]);
}

function readName(packet: Buffer, at: number): { name: string; end: number } {
  const labels: string[] = [];
  let end = at;
  for (let length = packet[end] ?? 0; length > 0; length = packet[end] ?? 0) {
    labels.push(packet.toString('latin1', end + 1, end + 1 + length));
    end += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: end + 1 };
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([...labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])), Buffer.of(0)]);
}

function numbers(...values: string[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [n, value] of values.entries()) bytes.writeUInt16BE(Number(value), n * 2);
  return bytes;
}

function dataOf(type: number, data: string): Buffer {
  if (type === TYPES.A) return Buffer.from(data.split('.').map(Number));
  if (type === TYPES.AAAA) return numbers(...data.split(':').map((group) => String(Number.parseInt(group, 16))));
  const [first = '', second = '', third = '', fourth = '', ...rest] = data.split(' ');
  if (type === TYPES.SRV) return Buffer.concat([numbers(first, second, third), nameBytes(fourth)]);
  const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  return Buffer.concat([numbers(first, second), text(third), text(fourth), text(rest[0] === '""' ? '' : (rest[0] ?? '')), nameBytes(rest[1] ?? '')]);
}
