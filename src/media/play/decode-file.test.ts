import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { muLawOf, tonePower } from '../../testing/rtp-caller.ts';
import { decodeFile } from './decode-file.ts';
import { AudioFileError } from './wav.ts';

const folder = mkdtempSync(join(tmpdir(), 'partyline-prompts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function decode(file: Buffer, contentType = 'audio/wav'): Promise<Int16Array> {
  const path = join(folder, `${++files}.audio`);
  writeFileSync(path, file);
  return decodeFile(path, contentType);
}

function chunk(id: string, body: Buffer, size = body.length): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 'latin1');
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
}

function riff(...chunks: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return chunk('RIFF', body);
}

interface Format {
  tag: number;
  bits: number;
  rateHz?: number;
  channels?: number;
}

function fmt({ tag, bits, rateHz = 8000, channels = 1 }: Format, extensible = false): Buffer {
  const body = Buffer.alloc(extensible ? 40 : 16);
  body.writeUInt16LE(extensible ? 0xfffe : tag, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rateHz, 4);
  body.writeUInt32LE(rateHz * channels * (bits / 8), 8);
  body.writeUInt16LE(channels * (bits / 8), 12);
  body.writeUInt16LE(bits, 14);
  if (extensible) {
    body.writeUInt16LE(22, 16);
    body.writeUInt16LE(bits, 18);
    body.writeUInt16LE(tag, 24);
    Buffer.from('000000001000800000aa00389b71', 'hex').copy(body, 26);
  }
  return chunk('fmt ', body);
}

/** A sample from -1 to 1 in that format. */
function write(format: Format, value: number): Buffer {
  const bytes = Buffer.alloc(format.bits / 8);
  const key = `${format.tag}/${format.bits}`;
  if (key === '1/8') bytes[0] = 128 + Math.round(value * 127);
  else if (key === '1/16') bytes.writeInt16LE(Math.round(value * 32_767));
  else if (key === '1/24') bytes.writeIntLE(Math.round(value * 8_388_607), 0, 3);
  else if (key === '1/32') bytes.writeInt32LE(Math.round(value * 2_147_483_647));
  else if (key === '3/32') bytes.writeFloatLE(value);
  else if (key === '3/64') bytes.writeDoubleLE(value);
  else bytes[0] = muLawOf(value * 32_767);
  return bytes;
}

function tone(format: Format, options: { frequencyHz?: number; seconds?: number; extensible?: boolean } = {}): Buffer {
  const { frequencyHz = 1000, seconds = 0.5, extensible = false } = options;
  const { rateHz = 8000, channels = 1 } = format;
  const samples: Buffer[] = [];
  for (let i = 0; i < rateHz * seconds; i++) {
    const value = 0.5 * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz);
    for (let c = 0; c < channels; c++) samples.push(write(format, value));
  }
  return riff(fmt(format, extensible), chunk('data', Buffer.concat(samples)));
}

/** Of the half-scale tone: 0.25, whatever it travelled in. */
function expectTone(pcm: Int16Array, frequencyHz = 1000): void {
  expect(pcm.length).toBeGreaterThanOrEqual(3999);
  expect(pcm.length).toBeLessThanOrEqual(4001);
  expect(tonePower(pcm, frequencyHz)).toBeGreaterThan(0.23);
  expect(tonePower(pcm, frequencyHz)).toBeLessThan(0.27);
}

function chunkBE(id: string, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 'latin1');
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
}

function form(type: 'AIFF' | 'AIFC', ...chunks: Buffer[]): Buffer {
  return chunkBE('FORM', Buffer.concat([Buffer.from(type), ...chunks]));
}

interface Comm {
  channels?: number;
  frames?: number;
  bits?: number;
  /** 80 bits in hex; 16 kHz by default. */
  rate?: string;
  compression?: string;
}

function comm({ channels = 1, frames = 8000, bits = 16, rate = '400cfa00000000000000', compression }: Comm = {}): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16BE(channels, 0);
  body.writeUInt32BE(frames, 2);
  body.writeUInt16BE(bits, 6);
  return chunkBE('COMM', Buffer.concat([body, Buffer.from(rate, 'hex'), compression ? Buffer.from(`${compression}\0\0`, 'latin1') : Buffer.alloc(0)]));
}

function ssnd(sound: Buffer): Buffer {
  return chunkBE('SSND', Buffer.concat([Buffer.alloc(8), sound]));
}

describe('prompt files', () => {
  const formats: [string, Format][] = [
    ['8 bit', { tag: 1, bits: 8 }],
    ['16 bit', { tag: 1, bits: 16 }],
    ['24 bit', { tag: 1, bits: 24 }],
    ['32 bit', { tag: 1, bits: 32 }],
    ['float', { tag: 3, bits: 32 }],
    ['double', { tag: 3, bits: 64 }],
    ['µ-law', { tag: 7, bits: 8 }],
  ];
  it.each(formats)('plays WAV of %s', async (_name, format) => {
    expectTone(await decode(tone(format)));
    expectTone(await decode(tone(format, { extensible: true })));
    expectTone(await decode(tone({ ...format, channels: 2, rateHz: 16_000 })));
  });

  it('plays A-law by the codes of the standard', async () => {
    // ITU-T G.711 table 1a: smallest and largest positive and negative values on the 16-bit scale.
    const file = riff(fmt({ tag: 6, bits: 8 }), chunk('data', Buffer.from([0xd5, 0x55, 0xaa, 0x2a])));
    expect([...(await decode(file))]).toEqual([8, -8, 32_256, -32_256]);
  });

  it.each([11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000])('brings %i Hz to 8 kHz', async (rateHz) => {
    expectTone(await decode(tone({ tag: 1, bits: 16, rateHz })));
    expectTone(await decode(tone({ tag: 1, bits: 16, rateHz }, { frequencyHz: 3000 })), 3000);
  });

  it.each([16_000, 44_100, 48_000])('lets nothing above the telephone band fold back from %i Hz', async (rateHz) => {
    // 5.5 kHz would come back as 2.5 kHz.
    const pcm = await decode(tone({ tag: 1, bits: 16, rateHz }, { frequencyHz: 5500 }));
    expect(tonePower(pcm, 2500)).toBeLessThan(1e-6);
  });

  it('plays a low rate without images', async () => {
    const pcm = await decode(tone({ tag: 1, bits: 16, rateHz: 6000 }));
    expectTone(pcm);
    expect(tonePower(pcm, 3000)).toBeLessThan(1e-5);
  });

  it('averages channels', async () => {
    const data = Buffer.concat([1000, 3000, -500, 500].map((s) => write({ tag: 1, bits: 16 }, s / 32_767)));
    expect([...(await decode(riff(fmt({ tag: 1, bits: 16, channels: 2 }), chunk('data', data))))]).toEqual([2000, 0]);
  });

  it('skips chunks it does not know, odd ones too', async () => {
    const data = chunk('data', write({ tag: 1, bits: 16 }, 0.5));
    expect((await decode(riff(chunk('LIST', Buffer.alloc(5)), fmt({ tag: 1, bits: 16 }), chunk('fact', Buffer.alloc(4)), data))).length).toBe(1);
  });

  it('takes what is there of a file that was cut off or written as a stream', async () => {
    const format = fmt({ tag: 1, bits: 16 });
    const audio = Buffer.alloc(320, 1);
    expect((await decode(riff(format, chunk('data', audio, 99_999)))).length).toBe(160);
    expect((await decode(riff(format, chunk('data', audio, 0xffff_ffff)))).length).toBe(160);
    const streamed = riff(format, chunk('data', audio, 0));
    streamed.writeUInt32LE(0, 4);
    expect((await decode(streamed)).length).toBe(160);
  });

  it('does not play what follows an empty data chunk', async () => {
    expect((await decode(riff(fmt({ tag: 1, bits: 16 }), chunk('data', Buffer.alloc(0)), chunk('LIST', Buffer.alloc(400, 9))))).length).toBe(0);
  });

  it('plays headerless µ-law, and .au, by their content type', async () => {
    const codes = Buffer.from(Array.from({ length: 4000 }, (_, i) => muLawOf(16_384 * Math.sin((2 * Math.PI * i) / 8))));
    expectTone(await decode(codes, 'audio/basic'));
    expectTone(await decode(codes, 'audio/ulaw; rate=8000'));
    const header = Buffer.alloc(28);
    header.write('.snd');
    [28, codes.length, 1, 8000, 1].forEach((word, i) => header.writeUInt32BE(word, 4 + 4 * i));
    const pcm = await decode(Buffer.concat([header, codes]), 'audio/basic');
    expectTone(pcm);
    expect(pcm.length).toBe(4000);
  });

  it('plays a WAV that its web server calls audio/basic', async () => {
    expectTone(await decode(tone({ tag: 1, bits: 16 }), 'AUDIO/BASIC'));
  });

  it('plays AIFF and AIFF-C of PCM, the sound before its description or behind it', async () => {
    const sound = Buffer.alloc(16_000);
    for (let i = 0; i < 8000; i++) sound.writeInt16BE(Math.round(16_384 * Math.sin((2 * Math.PI * 1000 * i) / 16_000)), 2 * i);
    expectTone(await decode(form('AIFF', comm(), chunkBE('NAME', Buffer.from('odd')), ssnd(sound)), 'audio/aiff'));
    expectTone(await decode(form('AIFF', ssnd(sound), comm()), 'audio/x-aiff'));
    expectTone(await decode(form('AIFC', comm({ compression: 'sowt' }), ssnd(Buffer.from(sound).swap16())), 'audio/x-aifc'));
    expectTone(await decode(form('AIFF', comm(), ssnd(sound)), 'application/octet-stream'));
    expect(await decode(form('AIFF', comm({ frames: 99_999 }), ssnd(sound.subarray(0, 3200))), 'audio/aiff')).toHaveLength(800);
  });

  it('takes a WAV of no type for what it is', async () => {
    expectTone(await decode(tone({ tag: 1, bits: 16 }), 'application/octet-stream'));
    expectTone(await decode(tone({ tag: 1, bits: 16 }), 'audio/mpeg'));
  });

  const refused: [string, Buffer, string, AudioFileError['kind']][] = [
    ['another type', Buffer.alloc(100), 'audio/ogg', 'type'],
    ['a file of no type that says nothing itself', Buffer.alloc(100), 'application/octet-stream', 'type'],
    ['MP3 without a frame', Buffer.alloc(100), 'audio/mpeg', 'broken'],
    ['a web page instead of MP3', Buffer.from('<html>not found</html>'), 'audio/mpeg', 'broken'],
    ['AIFF without sound', form('AIFF', comm()), 'audio/aiff', 'broken'],
    ['AIFF whose format is cut off', form('AIFF', chunkBE('COMM', Buffer.alloc(10))), 'audio/aiff', 'broken'],
    ['AIFF at 0 Hz', form('AIFF', comm({ rate: '00000000000000000000' }), ssnd(Buffer.alloc(8))), 'audio/aiff', 'broken'],
    ['AIFF-C of an unknown compression', form('AIFC', comm({ compression: 'QDMC' }), ssnd(Buffer.alloc(8))), 'audio/x-aifc', 'type'],
    ['no type', Buffer.alloc(100), '', 'type'],
    ['an empty file', Buffer.alloc(0), 'audio/wav', 'broken'],
    ['a web page', Buffer.from('<html>not found</html>'), 'audio/wav', 'broken'],
    ['ADPCM', riff(fmt({ tag: 2, bits: 8 }), chunk('data', Buffer.alloc(8))), 'audio/wav', 'type'],
    ['12 bits', riff(fmt({ tag: 1, bits: 12 }), chunk('data', Buffer.alloc(8))), 'audio/wav', 'type'],
    ['0 channels', riff(fmt({ tag: 1, bits: 16, channels: 0 }), chunk('data', Buffer.alloc(8))), 'audio/wav', 'broken'],
    ['0 Hz', riff(fmt({ tag: 1, bits: 16, rateHz: 0 }), chunk('data', Buffer.alloc(8))), 'audio/wav', 'broken'],
    ['data before format', riff(chunk('data', Buffer.alloc(8))), 'audio/wav', 'broken'],
    ['no data', riff(fmt({ tag: 1, bits: 16 })), 'audio/wav', 'broken'],
    ['a format cut off', riff(chunk('fmt ', Buffer.alloc(10))), 'audio/wav', 'broken'],
  ];
  it.each(refused)('refuses %s', async (_name, file, contentType, kind) => {
    await expect(decode(file, contentType)).rejects.toMatchObject({ name: 'AudioFileError', kind });
  });

  it('refuses a file that is not there', async () => {
    await expect(decodeFile(join(folder, 'none.wav'), 'audio/wav')).rejects.toThrow(AudioFileError);
  });
});

describe('what would last for days', () => {
  const codes = Buffer.alloc(15_000_000, 0x55);

  it.each([
    ['WAV at 1000 Hz', riff(fmt({ tag: 7, bits: 8, rateHz: 1000 }), chunk('data', codes)), 'audio/wav'],
    ['GSM', Buffer.alloc(33 * 720_001, 0xd5), 'audio/gsm'],
  ])('is refused before it is made: %s', async (_what, file, contentType) => {
    const before = process.memoryUsage().arrayBuffers;
    await expect(decode(file, contentType)).rejects.toThrow(/longer than 4 hours/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150_000_000);
  });
});
