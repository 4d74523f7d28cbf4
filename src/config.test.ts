import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StartupError } from './base/errors.ts';
import { flagOf, privateNetworksOf, readConfig, strangersOf, settings, turnAccessOf } from './config.ts';

const refusal = (argv: string[], env: Record<string, string>): string => {
  try {
    readConfig(argv, env);
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    return (error as Error).message;
  }
  return 'accepted';
};

describe('configuration', () => {
  it('has the documented defaults', () => {
    expect(readConfig([], {})).toMatchObject({
      httpPort: 8080,
      sipPort: 5060,
      bindAddress: '127.0.0.1',
      rtpPorts: { min: 10000, max: 19999 },
      webrtcPort: 7882,
      demo: true,
      carrier: null,
      databaseUrl: null,
    });
  });

  it('prefers a flag over the environment, and the environment over the file', () => {
    const dir = mkdtempSync(join(tmpdir(), 'partyline-config-'));
    const file = join(dir, 'partyline.json');
    writeFileSync(file, JSON.stringify({ PARTYLINE_HTTP_PORT: 1111, PARTYLINE_SIP_PORT: 2222, PARTYLINE_DEMO: false }));
    const env = { PARTYLINE_CONFIG_FILE: file, PARTYLINE_HTTP_PORT: '3333', PARTYLINE_SIP_PORT: '4444' };
    expect(readConfig(['--sip-port=5555'], env)).toMatchObject({ httpPort: 3333, sipPort: 5555, demo: false });
    rmSync(dir, { recursive: true });
  });

  it('treats an empty variable as not set', () => {
    expect(readConfig([], { PARTYLINE_HTTP_PORT: '', DATABASE_URL: '' })).toMatchObject({ httpPort: 8080, databaseUrl: null });
  });

  it.each([
    [{ PARTYLINE_HTTP_PORT: 'eighty' }, /^PARTYLINE_HTTP_PORT must be a port number \(it is "eighty"\)$/],
    [{ PARTYLINE_HTTP_PORT: '70000' }, /^PARTYLINE_HTTP_PORT must be a port number up to 65535/],
    [{ PARTYLINE_BIND_ADDRESS: 'localhost' }, /^PARTYLINE_BIND_ADDRESS must be an IP address/],
    [{ PARTYLINE_SIP_BIND_ADDRESS: '127.0.0.1,eth0' }, /^PARTYLINE_SIP_BIND_ADDRESS must be IP addresses separated by commas/],
    [{ PARTYLINE_PUBLIC_ADDRESS: '203.0.113.5,203.0.113.6' }, /^PARTYLINE_PUBLIC_ADDRESS must be one IPv4 address, one IPv6 address or both/],
    [{ PARTYLINE_LOCAL_NETWORKS: '10.0.0.0/33' }, /^PARTYLINE_LOCAL_NETWORKS must be networks/],
    [{ PARTYLINE_RTP_PORTS: '20000-10000' }, /^PARTYLINE_RTP_PORTS must be a rising range/],
    [{ PARTYLINE_DEMO: 'maybe' }, /^PARTYLINE_DEMO must be on or off/],
    [{ PARTYLINE_CARRIER: 'carrier.example' }, /^PARTYLINE_CARRIER must look like sip:host:port/],
    [{ PARTYLINE_ACCOUNT_SID: 'AC12' }, /^PARTYLINE_ACCOUNT_SID must be AC and 32/],
    [{ PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: '10.0.0.0/33' }, /^PARTYLINE_WEBHOOK_PRIVATE_NETWORKS must be allow, deny or networks/],
    [{ PARTYLINE_TURN_URLS: 'turn://host' }, /^PARTYLINE_TURN_URLS must be up to 8 URLs like turn:/],
    [{ PARTYLINE_TURN_URLS: 'turn:host' }, /^PARTYLINE_TURN_URLS needs PARTYLINE_TURN_SECRET, or/],
    [{ PARTYLINE_TURN_USERNAME: 'u' }, /^PARTYLINE_TURN_USERNAME and PARTYLINE_TURN_PASSWORD go together/],
    [{ PARTYLINE_TURN_SECRET: 'eight or more', PARTYLINE_TURN_USERNAME: 'u', PARTYLINE_TURN_PASSWORD: 'p' }, /exclude each other/],
    [{ PARTYLINE_TURN_TTL: '59' }, /^PARTYLINE_TURN_TTL must be 60 to 604800 seconds/],
    [{ PARTYLINE_API_KEY_SID: `SK${'0'.repeat(32)}` }, /go together/],
  ])('refuses %j with one clear line', (env, line) => {
    expect(refusal([], env as Record<string, string>)).toMatch(line);
  });

  it.each([
    [{}, 'allow'],
    [{ PARTYLINE_BIND_ADDRESS: '::1' }, 'allow'],
    [{ PARTYLINE_BIND_ADDRESS: '0.0.0.0' }, 'deny'],
    [{ PARTYLINE_BIND_ADDRESS: '0.0.0.0', PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: 'allow' }, 'allow'],
    [{ PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: 'deny' }, 'deny'],
    [{ PARTYLINE_WEBHOOK_PRIVATE_NETWORKS: '10.0.0.0/8, fd00::/8' }, ['10.0.0.0/8', 'fd00::/8']],
  ])('lets webhooks with %j into private networks: %j', (env, networks) => {
    expect(privateNetworksOf(readConfig([], env))).toEqual(networks);
  });

  it.each([
    [{}, 'allow'],
    [{ PARTYLINE_BIND_ADDRESS: '0.0.0.0' }, 'unless-trunks'],
    [{ PARTYLINE_BIND_ADDRESS: '0.0.0.0', PARTYLINE_SIP_STRANGERS: 'allow' }, 'allow'],
    [{ PARTYLINE_SIP_STRANGERS: 'refuse' }, 'refuse'],
  ])('takes calls of strangers with %j: %s', (env, strangers) => {
    expect(strangersOf(readConfig([], env))).toBe(strangers);
  });

  it('signs browsers in to TURN by the secret, or by one name for all', () => {
    const url = { PARTYLINE_TURN_URLS: 'turn:host,stun:host' };
    expect(turnAccessOf(readConfig([], { ...url, PARTYLINE_TURN_SECRET: 'eight or more' }))).toEqual({ kind: 'secret', secret: 'eight or more', ttlS: 86_400 });
    expect(turnAccessOf(readConfig([], { ...url, PARTYLINE_TURN_USERNAME: 'u', PARTYLINE_TURN_PASSWORD: 'p' }))).toEqual({ kind: 'static', username: 'u', password: 'p' });
    expect(readConfig([], { PARTYLINE_TURN_URLS: 'stun:host' }).turnUrls).toEqual(['stun:host']);
  });

  it('never repeats a secret', () => {
    expect(refusal([], { DATABASE_URL: 'mysql://user:hunter2@db' })).toBe('DATABASE_URL must be a postgres:// URL');
    expect(refusal([], { PARTYLINE_TURN_SECRET: 'hunter2' })).toBe('PARTYLINE_TURN_SECRET must have at least 8 characters');
    expect(refusal([], { PARTYLINE_ACCOUNT_SID: `AC${'0'.repeat(32)}`, PARTYLINE_AUTH_TOKEN: 'hunter2' })).not.toContain('hunter2');
  });

  it('refuses options and file entries that it does not know', () => {
    expect(refusal(['--prot', '1'], {})).toMatch(/^--prot is not an option/);
    expect(refusal(['--http-port'], {})).toMatch(/needs a value/);
  });

  it('is described whole in docs/reference/config.md', () => {
    const page = readFileSync(new URL('../docs/reference/config.md', import.meta.url), 'utf8');
    for (const entry of Object.values(settings)) {
      expect(page).toContain(`| \`${entry.env}\` | \`${flagOf(entry.env)}\` | ${entry.about} | ${entry.defaultText} |`);
    }
  });
});
