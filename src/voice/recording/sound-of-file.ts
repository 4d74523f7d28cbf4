import { open } from 'node:fs/promises';

const HEADER_BYTES = 44;
const NOTHING = { durationMs: 0, bytes: 0 };

/** What a WAV file of ours holds by its header, which a crash leaves at most a second behind. Nothing when there is no such file. */
export async function soundOfFile(path: string): Promise<{ durationMs: number; bytes: number }> {
  const file = await open(path, 'r').catch(() => null);
  if (!file) return NOTHING;
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0);
    const bytes = (await file.stat()).size;
    return bytesRead < HEADER_BYTES ? NOTHING : { durationMs: durationMs(header, bytes), bytes };
  } catch {
    return NOTHING;
  } finally {
    await file.close();
  }
}

function durationMs(header: Buffer, fileBytes: number): number {
  if (header.toString('latin1', 0, 4) !== 'RIFF' || header.toString('latin1', 8, 12) !== 'WAVE') return 0;
  const bytesPerSecond = header.readUInt32LE(28);
  const soundBytes = Math.min(header.readUInt32LE(40), fileBytes - HEADER_BYTES);
  return bytesPerSecond === 0 ? 0 : Math.round((soundBytes / bytesPerSecond) * 1000);
}
