import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newSid } from '../../base/sid.ts';
import { encodeVideo, videoPackets, type EncodedVideo, type VideoCodec } from '../../testing/encoded-video.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { TrackSource } from '../forward/track.ts';
import type { SourceClock } from '../forward/source-clock.ts';
import type { TrackKind, TrackRecordingResult } from '../protocol.ts';
import { parseRtp, RtpView } from '../rtp/packet.ts';
import { TrackRecorder } from './track-recorder.ts';

const folder = mkdtempSync(join(tmpdir(), 'partyline-recorder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A recorder and whoever publishes into it. */
class Studio {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly path = join(folder, `file-${++files}`);
  keyFramesAsked = 0;
  sourceClock: SourceClock | null = null;
  result: TrackRecordingResult | null = null;
  recorder!: TrackRecorder;
  readonly #view = new RtpView();

  static async open(kind: TrackKind, options: { maxDurationMs?: number } = {}): Promise<Studio> {
    const studio = new Studio();
    const source = { trackSid: newSid('MT'), kind, requestKeyFrame: () => studio.keyFramesAsked++ } as unknown as TrackSource;
    const withClock = Object.defineProperty(source, 'sourceClock', { get: () => studio.sourceClock });
    studio.recorder = await TrackRecorder.open(
      { path: studio.path, kind, maxDurationMs: options.maxDurationMs ?? 3_600_000 },
      {
        started: (codec) => studio.told.push(`started ${codec}`),
        mediaLost: () => studio.told.push('lost'),
        mediaReturned: () => studio.told.push('returned'),
        ending: () => studio.told.push('ending'),
        ended: (result) => (studio.result = result),
        warned: (why) => studio.told.push(why),
        source: () => withClock,
      },
      studio.clock,
    );
    return studio;
  }

  packet(packet: Buffer, codec: string): void {
    expect(parseRtp(this.#view, packet)).toBe(true);
    this.recorder.packetForwarded(this.#view, codec, this.clock.nowMs());
  }

  /** Each packet at the time its time stamp says. */
  play(packets: readonly Buffer[], codec: VideoCodec): void {
    const first = packets[0]?.readUInt32BE(4) ?? 0;
    const startMs = this.clock.nowMs();
    for (const packet of packets) {
      const dueMs = startMs + ((packet.readUInt32BE(4) - first) | 0) / 90;
      if (dueMs > this.clock.nowMs()) this.clock.advance(dueMs - this.clock.nowMs());
      this.packet(packet, codec);
    }
  }
}

const videos = new Map<VideoCodec, EncodedVideo>();
function video(codec: VideoCodec): EncodedVideo {
  const known = videos.get(codec) ?? encodeVideo(codec, { pictures: 30 });
  videos.set(codec, known);
  return known;
}

const FROM = { sequenceNumber: 65_500, timestamp: 4_294_960_000, ssrc: 7 };
const packetsOf = (codec: VideoCodec): Buffer[] => videoPackets(codec, video(codec).pictures, FROM);

/** MD5 of each decoded picture. Fails on whatever the decoder complains of. */
function pictures(path: string): string[] {
  const text = execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-err_detect', 'explode', '-i', path, '-fps_mode', 'passthrough', '-f', 'framemd5', '-'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return text.split('\n').filter((line) => /^\d/.test(line)).map((line) => line.split(',').at(-1)?.trim() ?? '');
}

const originals = new Map<VideoCodec, string[]>();
function original(codec: VideoCodec): string[] {
  const known = originals.get(codec) ?? decodeOriginal(codec);
  originals.set(codec, known);
  return known;
}

function decodeOriginal(codec: VideoCodec): string[] {
  const path = join(folder, `original.${codec === 'h264' ? '264' : 'ivf'}`);
  writeFileSync(path, video(codec).file);
  return pictures(path);
}

interface Probe {
  streams: { codec_name: string; width: number; height: number }[];
  format: { duration?: string };
  packets: { pts_time: string; flags: string }[];
}

function probe(path: string): Probe {
  return JSON.parse(execFileSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_streams', '-show_format', '-show_packets', path], { encoding: 'utf8' })) as Probe;
}

describe.each(['vp8', 'vp9', 'h264'] as const)('a recording of %s', (codec) => {
  it('decodes to the same pictures at their times, also when packets came out of order and twice', async () => {
    const studio = await Studio.open('video');
    const packets = packetsOf(codec);
    const isLate = (i: number): boolean => i % 7 === 3 && i + 2 < packets.length;
    const mixed = packets.flatMap((packet, i) => (isLate(i) ? [] : isLate(i - 2) ? [packet, packets[i - 2] as Buffer, packet] : [packet]));
    studio.play(mixed, codec);
    const result = await studio.recorder.end('stopped');
    expect(pictures(result.path)).toEqual(original(codec));
    const { streams, format, packets: frames } = probe(result.path);
    expect(streams).toMatchObject([{ codec_name: codec, width: 160, height: 120 }]);
    expect(frames.map(({ pts_time }) => Math.round(Number(pts_time) * 1000))).toEqual(frames.map((_, i) => i * 40));
    expect(frames.map(({ flags }) => flags.startsWith('K'))).toEqual(frames.map((_, i) => i % 10 === 0));
    expect([result.durationMs, Number(format.duration)]).toEqual([1200, 1.2]);
    expect(result).toMatchObject({ reason: 'stopped', codec: codec.toUpperCase(), container: 'mkv', bytes: statSync(result.path).size });
  });

  it('leaves out a picture with a hole and all that need it, and asks for a key frame', async () => {
    const studio = await Studio.open('video');
    const packets = packetsOf(codec);
    // Of picture 12.
    const from = packets.findIndex((packet) => packet.readUInt32BE(4) === (FROM.timestamp + 12 * 3600) % 2 ** 32);
    studio.play(packets.filter((_, i) => i !== from), codec);
    expect(studio.keyFramesAsked).toBe(0);
    studio.clock.advance(1100);
    studio.recorder.tick(studio.clock.nowMs());
    expect(studio.keyFramesAsked).toBeGreaterThan(0);
    const result = await studio.recorder.end('stopped');
    expect(pictures(result.path)).toEqual(original(codec).filter((_, i) => i < 12 || i >= 20));
  });

  it('begins with a key frame, and plays at any time', async () => {
    const studio = await Studio.open('video');
    const packets = packetsOf(codec);
    const third = packets.findIndex((packet) => packet.readUInt32BE(4) === (FROM.timestamp + 3 * 3600) % 2 ** 32);
    studio.play(packets.slice(third + 1), codec);
    expect(studio.told).toEqual([`started ${codec.toUpperCase()}`]);
    studio.clock.advance(2000);
    studio.recorder.tick(studio.clock.nowMs());
    const copy = `${studio.path}-copy.mkv`;
    await expect.poll(() => statSync(`${studio.path}.mkv`).size).toBeGreaterThan(5000);
    copyFileSync(`${studio.path}.mkv`, copy);
    expect(pictures(copy)).toEqual(original(codec).slice(10));
    expect(await studio.recorder.end('track-ended')).toMatchObject({ durationMs: 800, reason: 'track-ended' });
  });
});
