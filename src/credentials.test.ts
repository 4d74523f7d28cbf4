import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCredentials } from './credentials.ts';

const none = { accountSid: null, authToken: null, apiKeySid: null, apiKeySecret: null };
let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'partyline-credentials-'))));
afterEach(() => rmSync(dir, { recursive: true }));

describe('credentials', () => {
  it('are made once and come back the same after a restart', () => {
    const first = loadCredentials(dir, none);
    const second = loadCredentials(dir, none);
    expect(first.madeNow).toBe(true);
    expect(second).toEqual({ credentials: first.credentials, madeNow: false });
    expect(first.credentials.accountSid).toMatch(/^AC[0-9a-f]{32}$/);
  });

  it('are readable by their owner only', () => {
    loadCredentials(dir, none);
    expect(statSync(join(dir, 'credentials.json')).mode & 0o777).toBe(0o600);
  });

  it('give way to the configuration without being overwritten by it', () => {
    const kept = loadCredentials(dir, none).credentials;
    const given = { accountSid: `AC${'1'.repeat(32)}`, authToken: 'x'.repeat(32), apiKeySid: null, apiKeySecret: null };
    expect(loadCredentials(dir, given).credentials).toEqual({ ...kept, accountSid: given.accountSid, authToken: given.authToken });
    expect(JSON.parse(readFileSync(join(dir, 'credentials.json'), 'utf8'))).toEqual(kept);
  });

  it('say so when their file is damaged', () => {
    writeFileSync(join(dir, 'credentials.json'), '{"accountSid":"nonsense"}');
    expect(() => loadCredentials(dir, none)).toThrow(/is damaged/);
  });
});
