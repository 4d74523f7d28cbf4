import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { newSid } from '../../base/sid.ts';
import type { RecordingRecord } from './model.ts';
import { createRecordingMedia } from './recording-media.ts';

// Sound of recordings in other forms, by a program that stands in for ffmpeg.

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-media-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('leaves nothing of a recording that was deleted while it was converted', async () => {
  const command = join(folder, 'slow-ffmpeg');
  writeFileSync(command, '#!/bin/sh\nfor last; do :; done\necho sound > "$last"\nwhile [ ! -e "$(dirname "$last")/go" ]; do sleep 0.05; done\n');
  chmodSync(command, 0o755);
  const sid = newSid('RE');
  const wav = join(folder, `${sid}.wav`);
  writeFileSync(wav, 'RIFF');
  const media = createRecordingMedia({ command }, { recordings: { pathOf: () => wav }, log: silentLog });
  const record: RecordingRecord = { sid, accountSid: newSid('AC'), callSid: newSid('CA'), conferenceSid: null, status: 'completed', source: 'RecordVerb', channels: 1, track: 'inbound', durationMs: 1000, bytes: 4, callback: null, startedAtMs: 0, createdAtMs: 0, updatedAtMs: 0 };
  const wanted = media.file(record, { format: 'mp3', channels: null });
  await vi.waitFor(() => expect(existsSync(`${wav.replace('.wav', '.mp3')}.part`)).toBe(true), { timeout: 5000 });
  rmSync(wav);
  writeFileSync(join(folder, 'go'), '');
  expect(await wanted).toBeNull();
  expect(readdirSync(folder).filter((name) => name.startsWith('RE'))).toEqual([]);
});
