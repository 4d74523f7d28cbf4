import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** What a file holds that was not completed: 0 bytes when there is none. */
export interface FoundMedia {
  bytes: number;
  durationMs: number;
}

/**
 * Looks into a file whose writer died. Its length is read by ffprobe; without it, it is taken from the time of the last write.
 * Never rejects.
 */
export async function mediaOfFile(path: string, { offsetMs, ffprobe = 'ffprobe' }: { offsetMs: number; ffprobe?: string }): Promise<FoundMedia> {
  const file = await stat(path).catch(() => null);
  if (!file?.isFile() || file.size === 0) return { bytes: 0, durationMs: 0 };
  const probed = await probedDurationMs(path, ffprobe);
  return { bytes: file.size, durationMs: probed ?? Math.max(0, Math.round(file.mtimeMs - offsetMs)) };
}

/** From the last packet: an unfinished file has no duration in its header. Null when ffprobe cannot tell. */
function probedDurationMs(path: string, ffprobe: string): Promise<number | null> {
  const args = ['-v', 'error', '-show_entries', 'packet=pts_time,duration_time', '-of', 'csv=p=0', '-i', path];
  return new Promise((resolve) => {
    execFile(ffprobe, args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }, (error, output) => {
      if (error && output === '') return resolve(null);
      const ends = output.split('\n').map(endOfPacketS).filter(Number.isFinite);
      resolve(ends.length === 0 ? null : Math.round(ends.reduce((last, end) => Math.max(last, end), 0) * 1000));
    });
  });
}

function endOfPacketS(line: string): number {
  const [start = '', length = ''] = line.split(',');
  const seconds = Number.parseFloat(start);
  return seconds + (Number.parseFloat(length) || 0);
}
