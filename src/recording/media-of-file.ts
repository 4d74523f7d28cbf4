import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 60_000;

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

/** The end of its last packet: an unfinished file has no duration in its header. Null when ffprobe cannot tell. */
async function probedDurationMs(path: string, ffprobe: string): Promise<number | null> {
  const args = ['-v', 'error', '-show_entries', 'packet=pts_time,duration_time', '-of', 'csv=p=0', '-i', path];
  const child = spawn(ffprobe, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: TIMEOUT_MS });
  const closed = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
  // Without file descriptors to spare there is no process, and no pipe.
  if (child.pid === undefined) return null;
  let endS = 0;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => (endS = Math.max(endS, endOfPacketS(line))));
  const read = await closed;
  lines.close();
  return read || endS > 0 ? Math.round(endS * 1000) : null;
}

/** 0 for a line that is none. */
function endOfPacketS(line: string): number {
  const [start = '', length = ''] = line.split(',');
  return (Number.parseFloat(start) || 0) + (Number.parseFloat(length) || 0);
}
