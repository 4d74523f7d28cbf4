import type { CompositionPlan, PlannedAudio, PlannedVideo } from './plan.ts';
import type { Size } from './video-layout.ts';

const FRAMES_PER_S = 25;
const SAMPLE_RATE_HZ = 48_000;
/** Of VP8, by pixel and frame: 0.77 Mbit/s at 640x480. */
const BITS_PER_PIXEL = 0.1;
const MIN_VIDEO_BPS = 150_000;

/**
 * The arguments with which ffmpeg composes a plan into `outputPath`. One filter graph: black, and over it each stretch of
 * video, scaled to fit its cell, as long as it lasts; sounds behind as much silence as they begin late, added up without
 * a change of level. Progress is written to standard output. Nothing goes through a shell. Pure.
 */
export function ffmpegArguments(plan: CompositionPlan, outputPath: string): string[] {
  const files = [...plan.videos, ...plan.audios];
  return [
    ...['-nostdin', '-hide_banner', '-v', 'error', '-nostats', '-progress', 'pipe:1', '-y'],
    // A video whose size changes must not begin the whole graph again: `scale` and `pad` take it as it comes.
    ...files.flatMap(({ path }) => ['-reinit_filter', '0', '-threads', '1', '-f', 'matroska', '-i', `file:${path}`]),
    ...['-filter_complex', filterGraph(plan)],
    ...(plan.picture ? ['-map', '[picture]', ...videoCodec(plan, plan.picture)] : []),
    ...(plan.audios.length > 0 ? ['-map', '[sound]', ...audioCodec(plan)] : []),
    ...['-t', seconds(plan.durationMs), '-map_metadata', '-1', ...container(plan), `file:${outputPath}`],
  ];
}

/** The description of the filter graph; inputs are the plan's videos, then its audios. */
export function filterGraph(plan: CompositionPlan): string {
  return [...(plan.picture ? pictureChains(plan.videos, plan.picture, plan.durationMs) : []), ...(plan.audios.length > 0 ? soundChains(plan.audios, plan.videos.length) : [])].join(';');
}

function pictureChains(videos: readonly PlannedVideo[], { width, height }: Size, durationMs: number): string[] {
  const black = `color=c=black:s=${width}x${height}:r=${FRAMES_PER_S}:d=${seconds(durationMs)},format=yuv420p`;
  const layers = videos.flatMap((video, index) => [
    `[${index}:v]${fitted(video)}[v${index}]`,
    `[${index === 0 ? 'black' : `o${index - 1}`}][v${index}]overlay=x=${video.cell.x}:y=${video.cell.y}:eof_action=pass[o${index}]`,
  ]);
  return [`${black}[black]`, ...layers, `[${videos.length === 0 ? 'black' : `o${videos.length - 1}`}]null[picture]`];
}

/** `setsar` and `pad` by frame: the size of a browser's picture changes as its network does. */
function fitted({ cell, fromMs, toMs, fileAtMs }: PlannedVideo): string {
  const { width, height } = cell;
  return [
    `trim=start=${seconds(fromMs)}:end=${seconds(toMs)}`,
    `setpts=PTS+${seconds(fileAtMs)}/TB`,
    `scale=w=${width}:h=${height}:force_original_aspect_ratio=decrease:force_divisible_by=2`,
    `pad=w=${width}:h=${height}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame`,
    'setsar=1',
    'format=yuv420p',
  ].join(',');
}

function soundChains(audios: readonly PlannedAudio[], firstInput: number): string[] {
  // One channel becomes two at its full level: the resampler would take 3 dB off.
  const form = 'aformat=sample_fmts=fltp,pan=stereo|FL<FL+FC|FR<FR+FC';
  const silence = `anullsrc=r=${SAMPLE_RATE_HZ}:cl=stereo,aformat=sample_fmts=fltp`;
  const chains = audios.flatMap(({ atMs }, index) => {
    // Silence where packets are missing: what was not sent lasts as long as what was.
    const file = `[${firstInput + index}:a]aresample=${SAMPLE_RATE_HZ}:async=1:first_pts=0,${form}`;
    if (atMs <= 0) return [`${file}[a${index}]`];
    return [`${file}[f${index}]`, `${silence},atrim=end=${seconds(atMs)}[s${index}]`, `[s${index}][f${index}]concat=n=2:v=0:a=1[a${index}]`];
  });
  const inputs = audios.map((_, index) => `[a${index}]`).join('');
  // Several loud voices at once are kept from clipping; what does not clip is not touched.
  return [...chains, `${inputs}amix=inputs=${audios.length}:duration=longest:dropout_transition=0:normalize=0,alimiter=level=0:limit=0.98[sound]`];
}

function videoCodec({ format }: CompositionPlan, { width, height }: Size): string[] {
  if (format === 'mp4') return ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p'];
  const bitrateBps = Math.max(MIN_VIDEO_BPS, Math.round(width * height * FRAMES_PER_S * BITS_PER_PIXEL));
  return ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '5', '-auto-alt-ref', '0', '-b:v', String(bitrateBps), '-g', String(FRAMES_PER_S * 10), '-pix_fmt', 'yuv420p'];
}

function audioCodec({ format }: CompositionPlan): string[] {
  return format === 'mp4' ? ['-c:a', 'aac', '-b:a', '96k'] : ['-c:a', 'libopus', '-b:a', '64k'];
}

function container({ format }: CompositionPlan): string[] {
  return format === 'mp4' ? ['-movflags', '+faststart', '-f', 'mp4'] : ['-f', 'webm'];
}

/** `12.345`: never `1e-7`. */
function seconds(ms: number): string {
  return (Math.round(ms) / 1000).toFixed(3);
}
